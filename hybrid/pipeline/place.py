"""From where a full deployment may be changed: from the commit that the configured branch has, and from nothing else.

Pure. What is not known for certain is a reason to stop: a CI that is not told apart, a commit that the remote may not
have, a checkout with changes that nobody reviewed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from hybrid.errors import UsageError
from hybrid.forge.ci import CiRun

FORGES: Final = ("github", "gitlab")
"""The CIs whose word on branch and event is taken. Any other counts as a plain shell: git is asked."""

_MAY_DEPLOY: Final = frozenset({"push", "manual"})
_SHOWN: Final = 5


@dataclass(frozen=True)
class Place:
    """Where a command runs."""

    run: CiRun
    head: str | None
    """The commit that is checked out."""
    branch: str | None
    """The branch that is checked out, by git; None on a detached HEAD, as CIs leave it."""
    changed: tuple[str, ...] = ()
    """Files that differ from HEAD. In a plain shell also those that git does not know."""
    remote_head: str | None = None
    """What the branch's remote has; only asked in a plain shell."""

    @property
    def is_forge_s(self) -> bool:
        return self.run.provider in FORGES


class RefusedPlace(UsageError):
    """Not from here."""


def refuse_deploy(place: Place, branch: str, *, unpushed: bool = False) -> None:
    """Raises ``RefusedPlace`` unless this is the configured ``branch``, at a commit that its remote has (with
    ``unpushed``: at any), without uncommitted changes."""
    if place.is_forge_s:
        _refuse_run(place.run, branch)
        _refuse_other_checkout(place)
    else:
        _refuse_pull_request(place.run, branch)
        _refuse_shell(place, branch, unpushed=unpushed)
    _refuse_changes(place)


def refuse_report(place: Place, branch: str) -> None:
    """Raises ``RefusedPlace`` where an issue about the configured ``branch`` would tell of another program.

    A schedule is a run of the default branch, which may have checked out the configured one: there git is asked.
    """
    _refuse_pull_request(place.run, branch)
    is_of_it = place.is_forge_s and place.run.branch == branch and place.head is not None
    if not (is_of_it and place.head == place.run.sha):
        _refuse_other_branch(place, branch)
    _refuse_changes(place)


def _refuse_run(run: CiRun, branch: str) -> None:
    _refuse_pull_request(run, branch)
    if run.branch != branch:
        raise RefusedPlace(
            f"This run is of {_named(run.branch)}, and only '{branch}' is deployed.",
            why="stacks/pipeline.yaml says so (`branch`).",
            next_step=f"merge into '{branch}'; its own run deploys it.",
        )
    if run.event not in _MAY_DEPLOY:
        raise RefusedPlace(
            f"This run was started by something else than a push to '{branch}' or a person ({run.event}).",
            next_step=f"push to '{branch}', or start the workflow by hand on that branch.",
        )


def _refuse_pull_request(run: CiRun, branch: str) -> None:
    if run.event == "pull_request" or run.pull_request is not None or run.is_fork:
        raise _of_a_pull_request(branch)


def _of_a_pull_request(branch: str) -> RefusedPlace:
    return RefusedPlace(
        "This is a pull request: it changes no full deployment.",
        next_step=f"`hybrid branch open` gives it a branch deployment; after its merge '{branch}' is deployed.",
    )


def _refuse_other_checkout(place: Place) -> None:
    if place.run.sha is None or place.head != place.run.sha:
        raise RefusedPlace(
            "What is checked out is not the commit that this run is of.",
            why=f"The run says {_short(place.run.sha)}, git says {_short(place.head)}.",
            next_step="check out the run's own commit (actions/checkout without `ref`), with its `.git` folder.",
        )


def _refuse_shell(place: Place, branch: str, *, unpushed: bool) -> None:
    _refuse_other_branch(place, branch)
    if unpushed or (place.remote_head is not None and place.remote_head == place.head):
        return
    if place.remote_head is None:
        raise RefusedPlace(
            f"'{branch}' follows no branch of a remote, so nobody else has what would be deployed.",
            next_step=f"`git push --set-upstream origin {branch}`, or `--unpushed` to deploy it all the same.",
        )
    raise RefusedPlace(
        f"HEAD is not what the remote has of '{branch}'.",
        why=f"Here it is {_short(place.head)}, there {_short(place.remote_head)}.",
        next_step="`git pull` or `git push`, or `--unpushed` to deploy this commit all the same.",
    )


def _refuse_other_branch(place: Place, branch: str) -> None:
    if place.head is None:
        raise RefusedPlace(
            "There is no git commit here, so nobody can tell what would be deployed.",
            next_step=f"run it in a clone of the repository, on '{branch}'.",
        )
    if place.branch != branch:
        ci = "" if place.run.provider == "none" else f" ({place.run.provider} is not told apart from a plain shell)"
        raise RefusedPlace(
            f"What is checked out is {_named(place.branch)}{ci}, and only '{branch}' is deployed.",
            why="stacks/pipeline.yaml says so (`branch`).",
            next_step=f"`git switch {branch}`, or merge into it.",
        )


def _refuse_changes(place: Place) -> None:
    if not place.changed:
        return
    rest = len(place.changed) - _SHOWN
    shown = ", ".join(place.changed[:_SHOWN]) + (f" and {rest} more" if rest > 0 else "")
    raise RefusedPlace(
        "The checkout has changes that are in no commit, so nobody has reviewed them.",
        why=shown,
        next_step="commit and push them, or put them aside.",
    )


def _named(branch: str | None) -> str:
    return f"the branch '{branch}'" if branch else "no branch (a tag, or a detached HEAD)"


def _short(commit: str | None) -> str:
    return commit[:12] if commit else "none"
