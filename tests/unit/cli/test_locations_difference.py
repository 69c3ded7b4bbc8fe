"""What differs between two location documents."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.delivery.difference import KeyChange, compared, key_changes
from hybrid.redaction import MASK

pytestmark = pytest.mark.unit

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
DOCUMENTS = st.dictionaries(st.sampled_from(["image", "code_source", "env", "x.y"]), VALUES, max_size=4)


@given(document=DOCUMENTS)
def test_a_document_does_not_differ_from_itself(document: dict[str, Any]) -> None:
    assert key_changes(document, document) == ()


@given(old=DOCUMENTS, new=DOCUMENTS)
def test_each_difference_is_one_the_other_way_round(old: dict[str, Any], new: dict[str, Any]) -> None:
    there = {(change.path, repr(change.old), repr(change.new)) for change in key_changes(old, new)}
    back = {(change.path, repr(change.new), repr(change.old)) for change in key_changes(new, old)}
    assert there == back


@given(document=DOCUMENTS)
def test_every_said_value_of_a_new_document_is_named(document: dict[str, Any]) -> None:
    new = {**document, "agent_queue": "gpu"}
    assert KeyChange("agent_queue", None, "gpu") in key_changes({}, new)


def test_only_keys_that_differ_are_named_with_both_values() -> None:
    old = {"location_name": "a", "image": "i:1", "container_context": {"docker": {"env_vars": ["A=1", "B"]}}}
    new = {"image": "i:2", "container_context": {"docker": {"env_vars": ["B", "A=2"]}}, "git": {}}
    assert key_changes(old, new) == (
        KeyChange("container_context.docker.env_vars.A", "1", "2"),
        KeyChange("image", "i:1", "i:2"),
    ), "the order of variables, the name and what is empty say nothing"


@pytest.mark.parametrize("name", ["DB_PASSWORD", "API_KEY", "github_token", "SNOWFLAKE_PRIVATE_KEY", "SENTRY_DSN"])
def test_the_value_of_a_variable_with_a_telling_name_is_not_shown(name: str) -> None:
    old = {"container_context": {"docker": {"env_vars": [f"{name}=planted-1"]}}}
    new = {"container_context": {"docker": {"env_vars": [f"{name}=planted-2"]}}}
    changes = key_changes(old, new)
    assert [change.path for change in changes] == [f"container_context.docker.env_vars.{name}"]
    assert "planted" not in repr(changes), "a difference is printed, kept in logs and pasted into tickets"
    assert changes[0].new == MASK


def test_one_is_not_true() -> None:
    assert key_changes({"x": {"a": 1}}, {"x": {"a": True}}) == (KeyChange("x.a", 1, True),)


def test_a_key_that_is_no_word_is_quoted() -> None:
    assert key_changes({}, {"k8s": {"a.b/c": "1"}})[0].path == 'k8s["a.b/c"]'


def test_locations_are_told_apart_by_what_is_to_be_done() -> None:
    wanted = {"new": {"image": "1"}, "same": {"image": "1"}, "other": {"image": "2"}}
    present = {"same": {"location_name": "same", "image": "1"}, "other": {"image": "1"}, "stranger": {"image": "9"}}
    found = compared(wanted, present)
    assert {each.name: each.standing for each in found} == {
        "new": "added",
        "same": "same",
        "other": "changed",
        "stranger": "untouched",
    }
    assert found[-1].changes == (), "what is not of this stack is not looked into"
