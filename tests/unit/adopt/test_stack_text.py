"""The text of a stack file, read by two readers of YAML: PyYAML, as this project does, and ruamel's of YAML 1.2, which
takes other words for numbers, as Pulumi's does. That Pulumi's own reads it so is not shown here."""

from __future__ import annotations

import io

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from hybrid.adopt.stack_text import stack_text

pytestmark = pytest.mark.unit

WORDS = st.sampled_from(
    ["1e3", "1E5", "0o17", "012", "0x1F", "1_000", ".5", "+1", "yes", "No", "on", "null", "~", "", "=", "12:30", "a: b",
     "# x", "- x", "2026-01-01", "123456789012", "é", " x", "x:", "@x", "*x", "!x"]
)  # fmt: skip
TEXTS = WORDS | st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=6)
VALUES = st.recursive(
    TEXTS | st.booleans() | st.integers(-9, 9),
    lambda each: st.lists(each, max_size=2) | st.dictionaries(TEXTS, each, max_size=2),
    max_leaves=5,
)


@given(VALUES)
def test_both_versions_of_yaml_read_what_was_meant(value):
    text = stack_text({"agent": value}, "one\ntwo")
    wanted = {"config": {"hybrid:agent": value}}
    assert text.startswith("# one\n# two\n")
    assert yaml.safe_load(text) == wanted
    reader = YAML(typ="safe", pure=True)
    reader.version = (1, 2)
    found = reader.load(io.StringIO(text))
    assert found == wanted
    assert repr(found) == repr(wanted), "1 is not true, and 12 is not '12'"
