"""Whose a branch deployment is at the moment: each run of CI puts its commit there first, and looks before each write
whether it still is the latest.

Which of two commits is newer: where the forge can be asked, it says which is the head of the pull request, and that is
the truth, also after somebody went back to an older one. Else history decides, if both commits are in it, and else,
after a force-push, the committers' times: a commit that was amended or rebased got a new one.

It is asked before the run begins, of what stands, and again whenever another run's commit has come over ours. That run
may be the newer one: then this one ends. Or it began before us and was slow: then ours is put over it once more, and
it ends at its next look.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hybrid.errors import UsageError
from hybrid.pipeline.errors import SupersededError
from hybrid.plus import Branch, BranchDeployment, Commit

if TYPE_CHECKING:
    from hybrid.pipeline.checkout import GitCheckout
    from hybrid.plus import PlusClient

Head = Callable[[], str | None]
"""The head of the pull request, as the forge says now; None: it cannot be asked."""

MOST = 1000
"""Branch deployments that are looked through."""


def standing(plus: PlusClient, repository: str, branch: str) -> BranchDeployment | None:
    """The branch deployment of that branch, based on the deployment of ``plus``; None: there is none."""
    base = plus.endpoint.deployment
    found = (each for each in plus.branch_deployments(MOST) if each.is_of(repository, branch, base))
    return next(found, None)


def is_outdated(ours: Commit, stands: Commit | None, checkout: GitCheckout, head: str | None) -> bool:
    """Whether ``ours`` is older than what stands. ``head``: the pull request's, as the forge says; None: not asked."""
    if head is not None:
        return head != ours.hash
    if stands is None or stands.hash == ours.hash or checkout.contains(ours.hash, stands.hash):
        return False
    return checkout.contains(stands.hash, ours.hash) or stands.timestamp > ours.timestamp


@dataclass(frozen=True)
class Claim:
    """A branch deployment whose latest commit is ours."""

    plus: PlusClient
    """Of the full deployment that it is based on."""
    deployment: BranchDeployment
    branch: Branch
    commit: Commit
    checkout: GitCheckout
    head: Head
    created: bool
    """Whether there was none before."""
    before: str | None
    """The latest commit that was there; no news, if Dagster+ goes on to call it the latest."""

    @classmethod
    def taken(
        cls, plus: PlusClient, branch: Branch, commit: Commit, checkout: GitCheckout, head: Head = lambda: None
    ) -> Claim:
        """Put our commit there, unless it is there. ``head`` asks the forge for the head of the pull request; None: it
        cannot be asked. Raises ``SupersededError`` when what stands is newer."""
        found = standing(plus, branch.repository, branch.name)
        stands = found.latest_commit if found else None
        _refuse_outdated(commit, stands, checkout, head)
        made = (
            found if found is not None and _says(found, branch, commit) else plus.put_branch_deployment(branch, commit)
        )
        before = stands.hash if stands else None
        return cls(plus, made, branch, commit, checkout, head, created=found is None, before=before)

    @property
    def name(self) -> str:
        return self.deployment.deployment.name

    def look(self) -> None:
        """Right before each write. Raises ``SupersededError`` when a newer commit is there or the branch deployment is
        gone, and ``UsageError`` when what has its name is not this branch deployment."""
        found = self.plus.deployment_named(self.name)
        if found is None:
            raise SupersededError(
                f"The branch deployment '{self.name}' was deleted while this ran.",
                next_step="if its pull request is still open, run the command again.",
            )
        refuse_other(found, self.deployment)
        latest = found.latest_commit
        if latest is not None and latest.hash not in (self.commit.hash, self.before):
            _refuse_outdated(self.commit, latest, self.checkout, self.head)
            self.plus.put_branch_deployment(self.branch, self.commit)


def refuse_other(found: BranchDeployment, wanted: BranchDeployment) -> None:
    """Raises ``UsageError`` unless ``found``, asked for just now, is the branch deployment ``wanted``: by type, number,
    branch and base. Everything that writes or deletes goes through here."""
    of = (wanted.repository or "", wanted.branch or "", wanted.parent or "")
    if found.deployment.id != wanted.deployment.id or not found.is_of(*of):
        raise UsageError(
            f"The deployment '{found.deployment.name}' is not the branch deployment that is meant; nothing was done.",
            why=f"Its type is {found.deployment.type}, its branch {found.branch or 'none'}.",
            next_step="look at it in Dagster+; a full deployment is never touched by `hybrid branch`.",
        )


def _says(found: BranchDeployment, branch: Branch, commit: Commit) -> bool:
    """Whether Dagster+ knows all of it already."""
    same = found.latest_commit is not None and found.latest_commit.hash == commit.hash
    return same and (
        found.branch_url,
        found.pull_request_number,
        found.pull_request_url,
        found.pull_request_status,
    ) == (branch.url, branch.pull_request_number, branch.pull_request_url, branch.pull_request_status)


def _refuse_outdated(ours: Commit, stands: Commit | None, checkout: GitCheckout, head: Head) -> None:
    asked = head()
    if is_outdated(ours, stands, checkout, asked):
        newer = asked or (stands.hash if stands else "")
        raise SupersededError(
            f"A newer commit, {newer[:12]}, is at work on this branch deployment; {ours.hash[:12]} is not put over it.",
            why="The branch was pushed to again.",
            next_step="nothing: the run of the newer commit brings it up to date.",
        )
