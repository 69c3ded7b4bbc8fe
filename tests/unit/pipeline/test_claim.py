"""Whose a branch deployment is: which commit is newer, and what a run does when another one comes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hybrid.errors import UsageError
from hybrid.pipeline.claim import Claim, is_outdated
from hybrid.pipeline.errors import SupersededError
from hybrid.plus import Commit
from tests.unit.pipeline.organization import BRANCH, NEW, OLD, OURS, Organization

pytestmark = pytest.mark.unit


class History:
    """git, as far as it is asked: which commit is in the history of which."""

    def __init__(self, *lines: tuple[Commit, Commit]) -> None:
        self.lines = {(one.hash, other.hash) for one, other in lines}

    def contains(self, descendant: str, ancestor: str) -> bool:
        return (descendant, ancestor) in self.lines


def taken(organization: Organization, commit: Commit = OURS, head: Any = lambda: None, history: Any = None) -> Claim:
    return Claim.taken(organization.client(), BRANCH, commit, history or History(), head)


@pytest.mark.parametrize(
    ("stands", "history", "head", "outdated"),
    [
        (None, History(), None, False),
        (OURS, History(), None, False),
        (OLD, History(), None, False),
        (NEW, History(), None, True),
        (NEW, History((OURS, NEW)), None, False),
        (OLD, History((OLD, OURS)), None, True),
        (NEW, History(), OURS.hash, False),
        (OLD, History(), NEW.hash, True),
        (None, History(), NEW.hash, True),
        (replace(NEW, timestamp=OURS.timestamp), History(), None, False),
    ],
    ids=[
        "nothing stands", "ours stands", "by time", "by time, newer", "history before time", "an older time, and later",
        "the forge before all", "the forge says another", "the forge says another, nothing stands", "of one second",
    ],
)  # fmt: skip
def test_which_commit_is_newer(stands: Commit | None, history: Any, head: str | None, outdated: bool) -> None:
    assert is_outdated(OURS, stands, history, head) is outdated


def test_a_claim_is_made_once() -> None:
    organization = Organization()
    assert taken(organization).created
    again = taken(organization)
    assert not again.created
    assert organization.writes == ["claim b OPEN"], "what Dagster+ knows already is not told again"


def test_a_newer_commit_that_stands_is_not_put_over() -> None:
    organization = Organization()
    organization.put(BRANCH, NEW)
    with pytest.raises(SupersededError, match="cccccccccccc"):
        taken(organization)
    assert organization.writes == []


def test_a_branch_that_was_set_back_is_put_over_when_the_forge_says_so() -> None:
    organization = Organization()
    organization.put(BRANCH, NEW)
    claim = taken(organization, head=lambda: OURS.hash)
    claim.look()
    assert organization.writes == ["claim b OPEN"]


def test_a_run_ends_when_a_newer_commit_comes_over_its_own() -> None:
    organization = Organization()
    claim = taken(organization)
    claim.look()
    organization.put(BRANCH, NEW)
    with pytest.raises(SupersededError):
        claim.look()
    assert organization.writes == ["claim b OPEN"], "nothing is written over it"


def test_a_slow_older_run_that_came_over_ours_is_put_back() -> None:
    organization = Organization()
    claim = taken(organization)
    organization.put(BRANCH, OLD)
    claim.look()
    assert organization.writes == ["claim b OPEN", "claim b OPEN"]
    older = replace(claim, commit=OLD, before=None)
    with pytest.raises(SupersededError):
        older.look()


def test_a_deployment_that_went_away_is_not_made_again() -> None:
    organization = Organization()
    claim = taken(organization)
    del organization.found[claim.name]
    with pytest.raises(SupersededError, match="was deleted"):
        claim.look()


@pytest.mark.parametrize("changed", [{"type": "PRODUCTION"}, {"type": "DEV"}, {"id": 1}])
def test_a_name_that_leads_to_something_else_is_refused(changed: dict[str, Any]) -> None:
    organization = Organization()
    claim = taken(organization)
    organization.turns_into(claim.name, **changed)
    with pytest.raises(UsageError, match="nothing was done"):
        claim.look()


@pytest.mark.parametrize("changed", [{"parent": "staging"}, {"branch": "other"}, {"repository": "x/y"}])
def test_another_branch_or_base_under_the_name_is_refused(changed: dict[str, Any]) -> None:
    organization = Organization()
    claim = taken(organization)
    organization.found[claim.name] = replace(organization.found[claim.name], **changed)
    with pytest.raises(UsageError, match="nothing was done"):
        claim.look()
