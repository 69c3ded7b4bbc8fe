"""Keys of YAML texts that are changed in place: what else is in the text stays to the letter."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from hybrid.errors import HybridError
from hybrid.provider.yaml_edit import edited, parsed

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "registry: new\n"),
        ("# only a comment\n", "# only a comment\nregistry: new\n"),
        ("directory: x", "directory: x\nregistry: new\n"),
        ("registry: old # why\ndirectory: x\n", "registry: new # why\ndirectory: x\n"),
        ('registry: "old" # why', "registry: new # why"),
        ("registry:\n# why\ndirectory: x\n", "registry: new\n# why\ndirectory: x\n"),
        ("registry: # why\n", "registry: new # why\n"),
        ("registry: [1,\n 2] # why\n", "registry: new # why\n"),
        ("registry:\n  a: 1\n  # within\n\n# after\nz: 2\n", "registry: new\n  # within\n\n# after\nz: 2\n"),
        ("registry:\n- 1\n- 2\n# after\nz: 2\n", "registry: new\n# after\nz: 2\n"),
        ("registry: |\n  some\n  text\n# after\nz: 2\n", "registry: new\n# after\nz: 2\n"),
        ("a: 1\r\nregistry: old\r\nz: 2\r\n", "a: 1\r\nregistry: new\r\nz: 2\r\n"),
        ("---\nregistry: old\n...\n", "---\nregistry: new\n...\n"),
        ("registry: new\n", "registry: new\n"),
    ],
)
def test_a_key_gets_its_value_and_nothing_else_moves(before, after):
    assert edited(before, {"registry": "new"}, (), "build.yaml") == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("registry: old # why\ndirectory: x\n", "directory: x\n"),
        ("a: 1\nregistry:\n  b: 1\n# after\nz: 2\n", "a: 1\n# after\nz: 2\n"),
        ("registry: old", ""),
        ("a: 1\n", "a: 1\n"),
    ],
)
def test_a_key_is_taken_out_with_its_own_lines_only(before, after):
    assert edited(before, {}, ["registry"], "build.yaml") == after


@pytest.mark.parametrize(
    "value", ["a: b", "# c", "'", '"', "yes", "1", "", " ", "ü", None, True, 7, 1.5, [1, {"a": []}]]
)
def test_any_value_comes_back_as_it_was_given(value):
    text = edited("# top\nz: 1 # z\n", {"key": value}, (), "build.yaml")

    assert yaml.safe_load(text) == {"z": 1, "key": value}
    assert text.startswith("# top\nz: 1 # z\n")


@pytest.mark.parametrize(
    "text",
    [
        "{registry: a, b: 2, registry: c}",
        "registry: a\nregistry: b\n",
        "{a: 1}",
    ],
)
def test_a_form_that_cannot_be_edited_in_place_is_refused(text):
    with pytest.raises(HybridError, match="cannot be changed without touching the rest"):
        edited(text, {"registry": "new", "more": 1}, (), "build.yaml")


@pytest.mark.parametrize(
    "text",
    [
        "a: [",
        "a: &x 1\nb: *x\n",
        "a: 1\n---\nb: 2\n",
        "!!python/object/apply:os.system ['true']",
        "a: !!set x",
        "[" * 9000,
    ],
    ids=["broken", "alias", "two documents", "object", "wrong tag", "deep"],
)
def test_a_hostile_or_broken_file_is_refused_with_its_name(text):
    with pytest.raises(HybridError, match="is no YAML"):
        parsed(text, "build.yaml")


def test_a_file_that_is_no_mapping_is_refused():
    with pytest.raises(HybridError, match="no mapping"):
        parsed("- 1\n", "build.yaml")


_words = st.text("abcäß#:'\"{}[]&*!|>%@ ,-", max_size=12)
_keys = st.text("abcdef", min_size=1, max_size=6)
_values = st.one_of(_words, st.integers(), st.lists(_words))


@given(
    st.dictionaries(_keys, _values, max_size=6),
    st.dictionaries(_keys, st.one_of(_words, st.none()), max_size=3),
    st.sampled_from([None, '"', "|"]),
)
def test_every_file_holds_afterwards_what_it_held_and_the_new_values(held, values, style):
    body = yaml.safe_dump(held, default_flow_style=False, default_style=style, allow_unicode=True) if held else ""
    text = f"# before\n{body}# after\n"

    result = edited(text, values, (), "build.yaml")

    assert (yaml.safe_load(result) or {}) == {**held, **values}
    assert result.startswith("# before\n"), "comments stay"
    assert "\n# after\n" in f"\n{result}"
