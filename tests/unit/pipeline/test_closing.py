"""Which branch deployments may go, and that nothing else is ever deleted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from hybrid.errors import UsageError
from hybrid.forge.forge import PullRequest
from hybrid.pipeline.closing import close, of_repository, stale_ones
from hybrid.plus import Branch, BranchDeployment
from tests.unit.pipeline.organization import BRANCH, OURS, Organization

pytestmark = pytest.mark.unit


@pytest.fixture
def organization() -> Organization:
    return Organization()


@pytest.fixture
def found(organization: Organization) -> BranchDeployment:
    return organization.put(BRANCH, OURS)


@pytest.mark.parametrize("ending", ["CLOSED", "MERGED"])
def test_it_is_marked_and_then_deleted(organization: Organization, found: BranchDeployment, ending: Any) -> None:
    assert close(organization.client(), found, ending)
    assert organization.writes == [f"claim b {ending}", f"delete {found.deployment.name}"]


def test_what_is_gone_already_is_not_made_again_to_be_marked(
    organization: Organization, found: BranchDeployment
) -> None:
    del organization.found[found.deployment.name]
    assert not close(organization.client(), found, "CLOSED")
    assert organization.writes == []


@pytest.mark.parametrize("at", [0, 1], ids=["before it is marked", "before it is deleted"])
@pytest.mark.parametrize("changed", [{"type": "PRODUCTION"}, {"type": "DEV"}, {"id": 1}])
def test_what_is_no_branch_deployment_is_never_deleted(
    organization: Organization, found: BranchDeployment, at: int, changed: dict[str, Any]
) -> None:
    def turned() -> None:
        organization.turns_into(found.deployment.name, **changed)

    organization.before_looks = [*[lambda: None] * at, turned]
    with pytest.raises(UsageError, match="nothing was done"):
        close(organization.client(), found, "CLOSED")
    assert not any(write.startswith("delete") for write in organization.writes)


def test_a_full_deployment_that_somebody_hands_over_is_refused(organization: Organization) -> None:
    with pytest.raises(UsageError):
        close(organization.client(), organization.found["prod"], "CLOSED")
    assert organization.writes == []


def test_only_those_of_this_repository_and_base_are_looked_at(organization: Organization) -> None:
    mine = organization.put(BRANCH, OURS)
    organization.put(Branch("acme/other", "x"), OURS)
    other = organization.put(Branch("acme/data", "y"), OURS)
    organization.found[other.deployment.name] = replace(other, parent="staging")
    assert of_repository(organization.client(), "acme/data") == [mine]


def pull(state: Any, branch: str = "feature") -> Callable[[int], PullRequest | None]:
    return lambda number: PullRequest(number, "t", "u", state, OURS.hash, branch, "main", False, "a")


UNHEARD: Callable[[int], PullRequest | None] = lambda number: None  # noqa: E731


@pytest.mark.parametrize(
    ("asked", "branches", "ending"),
    [
        (pull("open"), frozenset({"main"}), None),
        (pull("closed"), frozenset({"main", "feature"}), "CLOSED"),
        (pull("merged"), None, "MERGED"),
        (pull("closed", "another"), frozenset({"feature"}), None),
        (UNHEARD, frozenset({"main", "feature"}), None),
        (UNHEARD, frozenset({"main"}), "CLOSED"),
        (UNHEARD, frozenset(), None),
        (UNHEARD, None, None),
    ],
    ids=[
        "open, whatever became of the branch", "closed", "merged", "the number is another branch's",
        "the branch is there", "the branch is gone", "a remote without any branch", "nobody answers",
    ],
)  # fmt: skip
def test_what_is_not_known_is_no_reason_to_delete(
    organization: Organization, asked: Any, branches: frozenset[str] | None, ending: str | None
) -> None:
    stale = stale_ones([organization.put(BRANCH, OURS)], asked, branches)
    assert [each.ending for each in stale] == ([ending] if ending else [])
    assert all(each.why for each in stale)


def test_what_was_marked_and_not_deleted_is_stale(organization: Organization) -> None:
    marked = organization.put(replace(BRANCH, pull_request_status="MERGED"), OURS)
    assert [each.ending for each in stale_ones([marked], UNHEARD, frozenset({"feature"}))] == ["MERGED"]
    assert stale_ones([marked], pull("open"), None) == [], "it was opened again"
    odd = organization.put(replace(BRANCH, pull_request_number="٣"), OURS)
    assert stale_ones([odd], pull("closed"), frozenset({"feature"})) == [], "a number that is none is not asked about"
