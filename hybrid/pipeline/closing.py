"""Branch deployments taken away: which may go, and the deletion, which asks right before what it deletes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from hybrid.pipeline.claim import MOST, refuse_other
from hybrid.plus import Branch, BranchDeployment

if TYPE_CHECKING:
    from hybrid.forge.forge import PullRequest
    from hybrid.plus import PlusClient

Ending = Literal["CLOSED", "MERGED"]


@dataclass(frozen=True)
class Stale:
    """A branch deployment that nobody needs any more, and why."""

    found: BranchDeployment
    why: str
    ending: Ending


def close(plus: PlusClient, found: BranchDeployment, ending: Ending) -> bool:
    """Say how its pull request ended, then delete it. Whether it was there to be deleted.

    ``plus`` is of the full deployment that it is based on. Raises ``UsageError`` when what has its name is no branch
    deployment, or another one: asked right before each of the two.
    """
    for step in (_mark, _delete):
        now = plus.deployment_named(found.deployment.name)
        if now is None:
            return False
        refuse_other(now, found)
        step(plus, now, ending)
    return True


def of_repository(plus: PlusClient, repository: str) -> list[BranchDeployment]:
    """The branch deployments of the repository that are based on the deployment of ``plus``, by branch."""
    base = plus.endpoint.deployment
    found = [
        each for each in plus.branch_deployments(MOST) if each.branch and each.is_of(repository, each.branch, base)
    ]
    return sorted(found, key=lambda each: each.branch or "")


def stale_ones(
    found: list[BranchDeployment],
    pull_request: Callable[[int], PullRequest | None],
    branches: frozenset[str] | None,
) -> list[Stale]:
    """Those whose pull request is closed or whose branch is gone. ``pull_request`` asks the forge, None: it cannot be
    asked; ``branches`` are those that the remote has, None or none at all: it was not asked, or did not answer as a
    repository does. What is not known is no reason to delete."""
    stale: list[Stale] = []
    for each in found:
        number = each.pull_request_number or ""
        asked = pull_request(int(number)) if number.isascii() and number.isdecimal() else None
        if asked is not None and asked.head_branch == each.branch:
            if asked.state != "open":
                ending: Ending = "MERGED" if asked.state == "merged" else "CLOSED"
                stale.append(Stale(each, f"pull request {number} is {asked.state}", ending))
        elif each.pull_request_status in _ENDED:
            status = _ENDED[each.pull_request_status]
            stale.append(Stale(each, f"Dagster+ was told that its pull request is {status.lower()}", status))
        elif branches and each.branch not in branches:
            stale.append(Stale(each, "`origin` does not have its branch", "CLOSED"))
    return stale


_ENDED: Mapping[str | None, Ending] = {"CLOSED": "CLOSED", "MERGED": "MERGED"}


def _mark(plus: PlusClient, found: BranchDeployment, ending: Ending) -> None:
    if found.latest_commit is None or found.pull_request_status == ending:
        return
    branch = Branch(
        repository=found.repository or "",
        name=found.branch or "",
        url=found.branch_url,
        pull_request_number=found.pull_request_number,
        pull_request_url=found.pull_request_url,
        pull_request_status=ending,
    )
    plus.put_branch_deployment(branch, found.latest_commit)


def _delete(plus: PlusClient, found: BranchDeployment, ending: Ending) -> None:
    plus.delete_deployment(found.deployment.id)
