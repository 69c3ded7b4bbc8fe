"""What is asked of a forge, whichever it is: comments and issues that are written once and updated in place, and pull
requests.

A **marker** is an HTML comment such as ``<!-- hybrid-review -->``: readers do not see it, and by it a later run finds
what an earlier one wrote. Ours is what begins with the marker and was written by the account that the token acts as.
What somebody else wrote is neither edited nor trusted, whatever it contains; nor is a text of ours that holds a marker
further down, where the words of a pull request may stand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from hybrid.forge.ci import CiRun

PullRequestState = Literal["open", "closed", "merged"]


@dataclass(frozen=True)
class Comment:
    """A comment of ours on a pull request."""

    id: int
    url: str
    """Its page."""
    body: str
    """Markdown, as it stands there; the marker is its beginning."""
    author: str
    """The account that wrote it, such as ``github-actions[bot]``."""
    edited_by: str | None = None
    """Who changed it last, when that was somebody else: then its words are theirs, and nothing is to rest on them. At
    GitHub everybody who may push can change a comment of ours. GitLab does not tell (there maintainers can)."""


@dataclass(frozen=True)
class Written:
    """What became of a text that was to stand there."""

    url: str
    """Its page."""
    created: bool
    """Whether it is new. False: it was there and says the new words now."""


@dataclass(frozen=True)
class PullRequest:
    """A pull request; GitLab's merge request."""

    number: int
    title: str
    """Somebody's words, on one line and without control characters; not made safe for Markdown."""
    url: str
    state: PullRequestState
    head_sha: str
    """The commit that would be merged, or was."""
    head_branch: str
    base_branch: str
    is_fork: bool
    """Its commits come from another repository, or from one that is gone."""
    author: str
    """Empty when the account is gone."""


class Forge(Protocol):
    """One repository where it is hosted. Every method raises a ``ForgeError`` (``hybrid/forge/errors.py``)."""

    def comment(self, number: int, marker: str) -> Comment | None:
        """Our comment with that marker on a pull request, the oldest if there are several; all pages are looked at."""
        ...

    def upsert_comment(self, number: int, marker: str, body: str) -> Written:
        """Our one comment with that marker says ``body`` (Markdown). The marker is put before it if it is not there.

        Safe to repeat and to run twice at once: of several comments of ours the oldest stays. Raises
        ``ForgeRejected`` for more characters than the forge takes: GitHub 65,536, GitLab 1,000,000.
        """
        ...

    def upsert_issue(self, marker: str, title: str, body: str, labels: Sequence[str] = ()) -> Written:
        """Our one open issue with that marker says ``title`` and ``body``; without an open one a new one is opened.

        ``labels`` are those of a new one: what people did to the labels of one that stands is left.
        """
        ...

    def close_issue(self, marker: str, words: str) -> str | None:
        """Says ``words`` (Markdown) in our open issue with that marker and closes it. The issue's page; None: there
        was none open."""
        ...

    def pull_request(self, number: int) -> PullRequest:
        """Raises ``ForgeNotFound`` when there is none of that number."""
        ...

    def pull_requests_of(self, sha: str) -> list[PullRequest]:
        """The pull requests whose merge made this commit on the base branch: its merge commit, its squashed commit, or
        the last commit of a rebase or fast-forward merge. Usually one; none for a commit that was pushed."""
        ...


def forge_of(run: CiRun, environ: Mapping[str, str]) -> Forge:
    """The forge that hosts ``run.repository``.

    GitHub: token from ``GITHUB_TOKEN`` or ``GH_TOKEN``, address from ``GITHUB_API_URL`` (https://api.github.com unless
    given). GitLab: ``GITLAB_TOKEN`` (scope ``api``) or ``CI_JOB_TOKEN`` (which cannot write), ``CI_API_V4_URL``
    (https://gitlab.com/api/v4 unless given). Outside of their CIs ``GITHUB_REPOSITORY`` or ``CI_PROJECT_PATH`` in
    ``environ`` says which, so that CI's work can be done by hand. Nothing is asked yet.

    Raises ``SettingsError``: it cannot be told which forge or repository, there is no token, or the address is none
    that a token may be sent to (https, or this machine).
    """
    from hybrid.forge.connection import connect

    return connect(run, environ)
