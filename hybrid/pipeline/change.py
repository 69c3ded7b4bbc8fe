"""Which change a pipeline is about: the guard before a branch deployment. It lets through what is known to be a change
of this repository, and nothing that is, or might be, the branch that is deployed for real."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from hybrid.errors import UsageError
from hybrid.plus import Branch, Commit

if TYPE_CHECKING:
    from hybrid.forge.ci import CiRun
    from hybrid.pipeline.checkout import GitCheckout

UNDERSTOOD: Final = {"github": "GitHub Actions", "gitlab": "GitLab CI"}
"""CIs whose word about the branch and the pull request is taken."""

_SAID: Final = "--branch NAME, with --pull-request N if there is one"
_BRANCH: Final = re.compile(r"(?![-/.])(?!.*(?:\.\.|//|@\{))[^\x00-\x20\x7f~^:?*\[\\]{1,250}(?<![/.])")
_REPOSITORY: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}(?:/[A-Za-z0-9_.][A-Za-z0-9._-]{0,99}){0,20}")
_ADDRESS: Final = re.compile(r"https?://[^\s/@\"'<>\\]+(?:/[^\s\"'<>\\]*)?")


@dataclass(frozen=True)
class Given:
    """What somebody said on the command line; it goes before what CI and git say."""

    branch: str | None = None
    pull_request: int | None = None
    url: str | None = None
    repository: str | None = None

    @property
    def names_a_change(self) -> bool:
        return self.branch is not None or self.pull_request is not None


@dataclass(frozen=True)
class Change:
    """A branch, its pull request if it has one, and where both are shown."""

    repository: str
    branch: str
    pull_request: int | None = None
    url: str | None = None
    """The pull request's page."""
    base_branch: str | None = None
    sha: str | None = None
    """The commit that CI says is the branch's head; None: what is checked out."""
    pages: str | None = None
    """The repository's address, from which pages of branches and commits follow; None: not known."""

    def described(self, status: str = "OPEN") -> Branch:
        """As Dagster+ is told of it."""
        number = None if self.pull_request is None else str(self.pull_request)
        return Branch(
            repository=self.repository,
            name=self.branch,
            url=None if self.pages is None else f"{self.pages}/tree/{self.branch}",
            pull_request_number=number,
            pull_request_url=self.url,
            pull_request_status=status if number is not None else None,  # type: ignore[arg-type]
        )

    def commit_of(self, checkout: GitCheckout) -> Commit:
        """The commit that is built. Raises ``UsageError`` when it is not the branch's head, or not known."""
        sha, head = self.sha or checkout.head, checkout.head
        if sha is None or head is None:
            raise UsageError(
                "git does not say which commit is checked out.",
                next_step="run this in a checkout of the repository that has a commit.",
            )
        if sha != head and not checkout.is_merge_of(sha):
            raise UsageError(
                f"What is checked out is {head[:12]}, and the head of '{self.branch}' is {sha[:12]}.",
                why="A branch deployment would have the name of one commit and the code of another.",
                next_step=f"check out {sha[:12]} (in GitHub Actions: actions/checkout with `ref` set to it).",
            )
        found = checkout.commit(sha)
        if found is None:
            raise UsageError(
                f"git does not know the commit {sha[:12]}.",
                why="The clone is too shallow for it.",
                next_step="fetch it: in GitHub Actions, actions/checkout with `fetch-depth: 0`.",
            )
        return found if self.pages is None else replace(found, url=f"{self.pages}/commit/{sha}")


def change_of(run: CiRun, given: Given, checkout: GitCheckout, deployed: str) -> Change:
    """The change that a branch deployment is opened for. ``deployed``: the branch that full deployments are made from.

    Raises ``UsageError`` for everything else: a fork, the deployed branch itself, a schedule, a merge queue or a tag, a
    CI that is not understood or a plain shell where nobody said which branch, a detached HEAD.
    """
    refuse_forks(run)
    if not given.names_a_change:
        refuse_untold(run)
    found = branch_of(run, given, checkout)
    is_told_pull_request = run.event == "pull_request" and _is_understood(run) and found.branch == run.branch
    if found.branch == deployed and not is_told_pull_request:
        raise UsageError(
            f"'{deployed}' is the branch that is deployed, and no change to it.",
            why="Branch deployments are for what is not merged; stacks/pipeline.yaml names the deployed branch.",
            next_step="open a pull request from another branch; a merge is deployed by `hybrid deploy`.",
        )
    return found


def branch_of(run: CiRun, given: Given, checkout: GitCheckout) -> Change:
    """The branch that is meant, without judgement of it. Raises ``UsageError`` when none is known, or what is said
    cannot be one."""
    told = run if _is_understood(run) else None
    branch = given.branch or (told.branch if told else checkout.branch)
    if branch is None:
        raise UsageError(
            "Which branch this is of is not known.",
            why="A tag is built." if told else "HEAD is detached: no branch is checked out.",
            next_step=f"say it: {_SAID}.",
        )
    branch = branch.removeprefix("refs/heads/")
    if not _BRANCH.fullmatch(branch):
        raise UsageError(f"{branch!r} is no name of a branch.", next_step=f"say another: {_SAID}.")
    is_tolds = told is not None and branch == told.branch
    number = given.pull_request or (told.pull_request if told and is_tolds else None)
    pages = _pages(told, checkout)
    return Change(
        repository=repository_of(run, given, checkout),
        branch=branch,
        pull_request=number,
        url=_address(given.url) or _page(pages, number, told),
        base_branch=told.base_branch if told and is_tolds else None,
        sha=told.sha if told and is_tolds else None,
        pages=pages,
    )


def repository_of(run: CiRun, given: Given, checkout: GitCheckout) -> str:
    """``owner/name``, as Dagster+ knows the repository. Raises ``UsageError``: nothing says it."""
    told = run.repository if _is_understood(run) else None
    name = given.repository or told or checkout.repository
    if name is None or not _REPOSITORY.fullmatch(name):
        raise UsageError(
            "Which repository this is is not known." if name is None else f"{name!r} is no name of a repository.",
            why="Dagster+ knows a branch deployment by its repository and branch.",
            next_step="say it: --repo OWNER/NAME.",
        )
    return name


def refuse_forks(run: CiRun) -> None:
    """Raises ``UsageError`` for a pull request from another repository, whatever somebody said beside it: its code
    would run on the agent, with what the agent may do."""
    if run.is_fork:
        raise UsageError(
            "The pull request comes from another repository, and gets no branch deployment.",
            why="Its code would run on your agent, with the rights of your agent.",
            next_step="read it; to try it, push its branch to this repository and open a pull request from there.",
        )


def refuse_untold(run: CiRun) -> None:
    """Raises ``UsageError`` where nobody said which change is meant and CI does not say it for certain."""
    if run.provider == "none":
        raise UsageError(
            "This is a plain shell, so nothing says which change is meant.",
            why="A guess could be wrong, so none is made.",
            next_step=f"say it: {_SAID}.",
        )
    if not _is_understood(run):
        raise UsageError(
            f"This CI ({run.provider}) is not understood, so nothing says which change is meant.",
            why=f"Understood are {' and '.join(UNDERSTOOD.values())}.",
            next_step=f"say it, from that CI's own variables: {_SAID}.",
        )
    if run.event not in {"pull_request", "push", "manual"}:
        raise UsageError(
            "This run was not started by a pull request, a push or by hand.",
            why=f"{UNDERSTOOD[run.provider]} says: {run.event}. A schedule, a merge queue and the like are no change.",
            next_step=f"run it for pull requests, or say which change is meant: {_SAID}.",
        )


def _is_understood(run: CiRun) -> bool:
    return run.provider in UNDERSTOOD


def _address(url: str | None) -> str | None:
    if url is not None and not _ADDRESS.fullmatch(url):
        raise UsageError(
            "--url is not the address of a page, or holds a user or password.",
            next_step="give one such as https://github.com/OWNER/NAME/pull/7.",
        )
    return url


def _pages(told: CiRun | None, checkout: GitCheckout) -> str | None:
    """The repository's address in the browser: that of the run's page, whose beginning it is."""
    if told is not None and told.run_url and told.repository:
        before, found, _ = told.run_url.partition(f"/{told.repository}/")
        if found:
            return f"{before}/{told.repository}" + ("/-" if told.provider == "gitlab" else "")
    if checkout.remote and checkout.remote.startswith("https://github.com/"):
        return checkout.remote.removesuffix(".git")
    return None


def _page(pages: str | None, number: int | None, told: CiRun | None) -> str | None:
    if pages is None or number is None:
        return None
    return f"{pages}/{'merge_requests' if told is not None and told.provider == 'gitlab' else 'pull'}/{number}"
