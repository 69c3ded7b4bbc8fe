"""Pulumi's history of a stack, read."""

from __future__ import annotations

import json

import pytest

from hybrid.engine.history import Update, deployed_commit, updates_in, was_begun

pytestmark = pytest.mark.unit

OLD, NEW = "a" * 40, "b" * 40


def entry(commit: str | None = OLD, *, kind: str = "update", result: str = "succeeded") -> dict[str, object]:
    environment = {"pulumi.os": "linux", **({"git.head": commit} if commit else {})}
    return {"version": 1, "kind": kind, "result": result, "environment": environment, "config": {}}


def test_what_is_deployed_is_the_commit_of_the_last_up_that_went_well() -> None:
    listed = [entry(NEW, result="failed"), entry(NEW, kind="refresh"), entry(OLD), entry("c" * 40)]
    updates = updates_in(json.dumps(listed))
    assert deployed_commit(updates) == OLD, "a failed one deployed nothing for certain"
    assert was_begun(updates, NEW), "but it was begun"
    assert not was_begun(updates, "d" * 40)


def test_an_update_of_chosen_resources_has_not_deployed_its_commit() -> None:
    partial = entry(NEW)
    partial["environment"]["pulumi.flag.target"] = "set"  # type: ignore[index]
    updates = updates_in(json.dumps([partial, entry(OLD)]))
    assert deployed_commit(updates) == OLD, "the rest of the commit is still to come, and its reviews still count"
    assert was_begun(updates, NEW)


def test_the_commit_is_not_known_where_there_was_no_git() -> None:
    assert deployed_commit(updates_in(json.dumps([entry(None), entry(OLD)]))) is None, "an older one is not deployed"
    assert deployed_commit([]) is None


@pytest.mark.parametrize("text", ["", "no json", "{}", "null", '"x"', '[1, "a", null]'])
def test_an_answer_of_another_form_is_no_history(text: str) -> None:
    assert updates_in(text) == []


def test_a_commit_that_is_none_is_not_handed_on() -> None:
    assert updates_in(json.dumps([entry("--upload-pack=x")])) == [Update("update", True, None)]
