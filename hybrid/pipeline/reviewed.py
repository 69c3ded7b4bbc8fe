"""What was reviewed of a stack: from the comments of the pull requests that are merged and not deployed yet, or from a
file that a person gives.

Which commits those are is told by the stack's own history (``hybrid/engine/history.py``): all of the branch after the
last one that was deployed. So a deploy that was skipped, because a newer push took its place in the queue, loses
nothing: the next one is held against the reviews of both. What is deployed already counts for nothing any more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from hybrid.pipeline.repository import Repository
from hybrid.review.actions import Actions, ReviewedActions, embedded

if TYPE_CHECKING:
    from hybrid.forge.forge import Forge, PullRequest
    from hybrid.review.document import Review

MOST_COMMITS: Final = 100
"""Of one deploy that are looked up: one question to the forge each."""


@dataclass(frozen=True)
class Reviewed:
    """``by`` name where it was reviewed, such as ``#12``; ``notes`` say why something else does not count."""

    actions: tuple[Actions, ...] = ()
    by: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class ReviewSource(Protocol):
    def of(self, stack: str, deployed: str | None) -> Reviewed:
        """``deployed``: the commit of the last deploy of this stack that went well, None where that is not known."""
        ...


@dataclass(frozen=True)
class FileReview:
    """A review that a person gave by ``--reviewed``: their word that it is the right one."""

    review: Review
    name: str

    def of(self, stack: str, deployed: str | None) -> Reviewed:
        found = next((each for each in self.review.stacks if each.stack == stack), None)
        if found is None:
            return Reviewed((), (self.name,), (f"{self.name} does not list this stack",))
        return Reviewed((Actions.of(found),), (self.name,))


@dataclass(frozen=True)
class Unreviewed:
    """Nothing was reviewed. ``why`` is told when that stops the deploy."""

    why: str

    def of(self, stack: str, deployed: str | None) -> Reviewed:
        return Reviewed(notes=(self.why,))


@dataclass
class CommentReviews:
    """The reviews in pull requests' comments, each asked for once.

    ``connect`` is called when something has to be asked: a deploy that has nothing to do needs no token."""

    connect: Callable[[], Forge]
    repository: Repository
    head: str
    marker: str
    _forge: Forge | None = None
    _merged: dict[str, list[PullRequest]] = field(default_factory=dict)
    _carried: dict[int, ReviewedActions | str] = field(default_factory=dict)

    def of(self, stack: str, deployed: str | None) -> Reviewed:
        """Raises ``ForgeError``."""
        forge = self._forge = self._forge or self.connect()
        commits, notes = self._commits(deployed)
        actions, by = [], []
        for pull in self._pulls(forge, commits):
            carried = self._of_pull(forge, pull)
            if isinstance(carried, str):
                notes.append(carried)
                continue
            by.append(f"#{pull.number}")
            if stack in carried.stacks:
                actions.append(carried.stacks[stack])
        if commits and not by and not notes:
            notes.append(f"no pull request was merged as {self.head[:12]}")
        return Reviewed(tuple(actions), tuple(by), tuple(notes))

    def _commits(self, deployed: str | None) -> tuple[list[str], list[str]]:
        head, git = self.head, self.repository
        if deployed is None or deployed == head:
            return [head], []
        if git.commit(deployed) is None:
            return [head], [
                f"{deployed[:12]}, which is deployed, is not in this clone, so only the pull request of {head[:12]} "
                "counts (a shallow clone: actions/checkout with `fetch-depth: 0` has all)"
            ]
        if git.contains(deployed, head):
            return [], [f"{deployed[:12]} is deployed, which is newer than {head[:12]}: this would go back"]
        if not git.contains(head, deployed):
            return [head], [
                f"{deployed[:12]}, which is deployed, is not in this branch, so only the pull request of {head[:12]} "
                "counts"
            ]
        found = list(git.between(deployed, head, MOST_COMMITS + 1))
        notes = [f"more than {MOST_COMMITS} commits are not deployed; the newest are looked at"]
        return found[:MOST_COMMITS], notes if len(found) > MOST_COMMITS else []

    def _pulls(self, forge: Forge, commits: list[str]) -> list[PullRequest]:
        found: dict[int, PullRequest] = {}
        for commit in commits:
            if commit not in self._merged:
                self._merged[commit] = forge.pull_requests_of(commit)
            found.update({pull.number: pull for pull in self._merged[commit]})
        return [found[number] for number in sorted(found)]

    def _of_pull(self, forge: Forge, pull: PullRequest) -> ReviewedActions | str:
        """What the comment of a pull request carries, or why it does not count."""
        if pull.number not in self._carried:
            self._carried[pull.number] = _read(forge, pull, self.marker)
        return self._carried[pull.number]


def _read(forge: Forge, pull: PullRequest, marker: str) -> ReviewedActions | str:
    comment = forge.comment(pull.number, marker)
    if comment is None:
        return f"#{pull.number} has no comment of `hybrid review` by the account that the token acts as"
    if comment.edited_by is not None:
        return f"the comment of #{pull.number} was changed by {comment.edited_by}, so it does not say what was reviewed"
    carried = embedded(comment.body)
    if carried is None:
        return f"the comment of #{pull.number} carries no actions that can be read"
    if carried.head != pull.head_sha:
        return (
            f"the comment of #{pull.number} is about {carried.head[:12]}, and {pull.head_sha[:12]} was merged: its "
            "last review had not ended"
        )
    return carried
