"""GitLab, theirs or self-managed, by the REST API, version 4."""

from __future__ import annotations

import contextlib
import functools
import urllib.parse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from hybrid.forge import answers, facts, text
from hybrid.forge.errors import ForgeNotFound, ForgeUnauthorized
from hybrid.forge.forge import Comment, PullRequest, Written
from hybrid.forge.single import Entry, write
from hybrid.forge.transport import PATIENCE, Patience, Request, Transport
from hybrid.forge.verdict import Host
from hybrid.redaction import Token

LONGEST: Final = 1_000_000
"""Characters of a note or a description (docs.gitlab.com/administration/instance_limits)."""

_READ: Final = "read_api"
_API: Final = "api"


class GitLab:
    """One project on GitLab; a ``Forge``. A pull request is a merge request there, its comments are notes.

    A job's own token (``CI_JOB_TOKEN``) reads no notes and writes none: every method but ``pull_request`` and
    ``pull_requests_of`` refuses before anything is asked, and whether those are answered is the instance's decision
    (docs.gitlab.com/ci/jobs/ci_job_token).
    """

    def __init__(self, transport: Transport, *, is_job_token: bool = False) -> None:
        self._transport = transport
        self._is_job_token = is_job_token
        self._root = f"/projects/{urllib.parse.quote(transport.host.repository, safe='')}"

    @classmethod
    def of(
        cls,
        api: str,
        repository: str,
        token: Token,
        environ: Mapping[str, str],
        *,
        is_job_token: bool = False,
        patience: Patience = PATIENCE,
    ) -> GitLab:
        """``api``: https://gitlab.com/api/v4, or that of another host."""
        host = Host("GitLab", api, repository, _permission_advice, _ADVICE)
        # Bearer, not PRIVATE-TOKEN: it is what every client knows to keep from other hosts.
        header = ("JOB-TOKEN", "") if is_job_token else ("Authorization", "Bearer ")
        transport = Transport(host, token, patience, authorization=header, environ=environ)
        return cls(transport, is_job_token=is_job_token)

    def comment(self, number: int, marker: str) -> Comment | None:
        self._refuse_job_token(f"read the notes of merge request {number}")
        found = sorted(self._notes(number, marker), key=lambda each: each.id)
        if not found:
            return None
        return Comment(found[0].id, self._page(number, found[0].id), found[0].body or "", self._me.username)

    def upsert_comment(self, number: int, marker: str, body: str) -> Written:
        self._refuse_job_token(f"comment on merge request {number}")
        whole = text.body_of(marker, body, longest=LONGEST, forge="GitLab")
        return write(_Notes(self, number, marker, whole), sleep=self._transport.sleep)

    def upsert_issue(self, marker: str, title: str, body: str, labels: Sequence[str] = ()) -> Written:
        self._refuse_job_token("open an issue")
        whole = text.body_of(marker, body, longest=LONGEST, forge="GitLab")
        place = _Issues(self, marker, text.title_of(title), whole, tuple(labels))
        return write(place, sleep=self._transport.sleep)

    def close_issue(self, marker: str, words: str) -> str | None:
        self._refuse_job_token("close an issue")
        said = text.measured(text.harmless(words), longest=LONGEST, forge="GitLab")
        standing = sorted(self._issues(marker), key=lambda each: each.iid)
        for index, issue in enumerate(standing):
            doing = f"close issue {issue.iid}"
            if index == 0:
                self._json("POST", f"/issues/{issue.iid}/notes", doing, _API, {"body": said})
            self._json("PUT", f"/issues/{issue.iid}", doing, _API, {"state_event": "close"})
        return standing[0].web_url if standing else None

    def pull_request(self, number: int) -> PullRequest:
        doing = f"read merge request {number}"
        answer = self._json("GET", f"/merge_requests/{int(number)}", doing, _READ)
        return _pull_request(answers.read(answers.GitLabMergeRequest, answer, self._transport.host, doing))

    def pull_requests_of(self, sha: str) -> list[PullRequest]:
        commit = facts.sha(sha)
        if commit is None:
            raise ValueError("a commit is named by all its 40 or 64 digits")
        doing = f"read the merge requests of commit {commit[:12]}"
        path = f"{self._root}/repository/commits/{commit}/merge_requests"
        found = self._transport.pages(Request("GET", path, doing, _READ))
        every = [answers.read(answers.GitLabMergeRequest, each, self._transport.host, doing) for each in found]
        return [_pull_request(each) for each in every if each.state == "merged" and commit in _made_by(each)]

    @functools.cached_property
    def _me(self) -> answers.GitLabUser:
        """The account that the token acts as; of a project's or a group's token its bot."""
        doing = "say whom the token acts as"
        answer = self._transport.json(Request("GET", "/user", doing, _READ))
        return answers.read(answers.GitLabUser, answer, self._transport.host, doing)

    def _refuse_job_token(self, doing: str) -> None:
        if self._is_job_token:
            raise ForgeUnauthorized(
                f"GitLab does not let a job's own token {doing}.",
                why="Only CI_JOB_TOKEN is set, and it has no right to notes and issues.",
                next_step=_ADVICE,
                permission=_API,
            )

    def _page(self, number: int, note: int) -> str:
        """A note's page; the API does not give it."""
        api = self._transport.host.api.removesuffix("/api/v4")
        return f"{api}/{self._transport.host.repository}/-/merge_requests/{number}#note_{note}"

    def _json(self, method: Any, path: str, doing: str, permission: str, json: Any = None) -> Any:
        return self._transport.json(Request(method, f"{self._root}{path}", doing, permission, json=json))

    def _notes(self, number: int, marker: str) -> list[answers.GitLabNote]:
        doing = f"read the notes of merge request {number}"
        params = {"order_by": "created_at", "sort": "asc"}
        path = f"{self._root}/merge_requests/{int(number)}/notes"
        found = self._transport.pages(Request("GET", path, doing, _READ, params))
        every = [answers.read(answers.GitLabNote, each, self._transport.host, doing) for each in found]
        return [
            each
            for each in every
            if not each.system and self._is_by_us(each.author) and text.is_marked(each.body or "", marker)
        ]

    def _issues(self, marker: str) -> list[answers.GitLabIssue]:
        doing = "read the open issues"
        params = {"state": "opened", "author_id": str(self._me.id), "order_by": "created_at", "sort": "asc"}
        found = self._transport.pages(Request("GET", f"{self._root}/issues", doing, _READ, params))
        every = [answers.read(answers.GitLabIssue, each, self._transport.host, doing) for each in found]
        return [
            each for each in every if self._is_by_us(each.author) and text.is_marked(each.description or "", marker)
        ]

    def _is_by_us(self, author: answers.GitLabUser | None) -> bool:
        return author is not None and author.id == self._me.id


@dataclass(frozen=True)
class _Notes:
    """Our note on one merge request, as a ``Place``."""

    forge: GitLab
    number: int
    marker: str
    body: str

    def ours(self) -> list[Entry]:
        return [
            Entry(each.id, self.forge._page(self.number, each.id))
            for each in self.forge._notes(self.number, self.marker)
        ]

    def create(self) -> Entry:
        doing = f"comment on merge request {self.number}"
        answer = self.forge._json("POST", self._path(), doing, _API, {"body": self.body})
        made = answers.read(answers.GitLabNote, answer, self.forge._transport.host, doing)
        return Entry(made.id, self.forge._page(self.number, made.id))

    def update(self, entry: Entry) -> None:
        doing = f"update its comment on merge request {self.number}"
        self.forge._json("PUT", self._path(entry), doing, _API, {"body": self.body})

    def remove(self, entry: Entry) -> None:
        doing = f"remove a second comment on merge request {self.number}"
        with contextlib.suppress(ForgeNotFound):
            self.forge._json("DELETE", self._path(entry), doing, _API)

    def _path(self, entry: Entry | None = None) -> str:
        return f"/merge_requests/{int(self.number)}/notes" + (f"/{entry.id}" if entry else "")


@dataclass(frozen=True)
class _Issues:
    """Our open issue, as a ``Place``. An entry's id is the issue's number."""

    forge: GitLab
    marker: str
    title: str
    body: str
    labels: tuple[str, ...]

    def ours(self) -> list[Entry]:
        return [Entry(each.iid, each.web_url) for each in self.forge._issues(self.marker)]

    def create(self) -> Entry:
        # GitLab separates labels by commas.
        labels = ",".join(label.replace(",", " ") for label in self.labels)
        json = {"title": self.title, "description": self.body, "labels": labels}
        answer = self.forge._json("POST", "/issues", "open an issue", _API, json)
        made = answers.read(answers.GitLabIssue, answer, self.forge._transport.host, "open an issue")
        return Entry(made.iid, made.web_url)

    def update(self, entry: Entry) -> None:
        json = {"title": self.title, "description": self.body}
        self.forge._json("PUT", f"/issues/{entry.id}", f"update issue {entry.id}", _API, json)

    def remove(self, entry: Entry) -> None:
        # An issue is deleted by owners alone.
        with contextlib.suppress(ForgeNotFound):
            self.forge._json("PUT", f"/issues/{entry.id}", f"close issue {entry.id}", _API, {"state_event": "close"})


def _pull_request(found: answers.GitLabMergeRequest) -> PullRequest:
    return PullRequest(
        number=found.iid,
        title=facts.one_line(found.title),
        url=found.web_url,
        state={"merged": "merged", "closed": "closed"}.get(found.state, "open"),  # type: ignore[arg-type]
        head_sha=found.sha or "",
        head_branch=found.source_branch,
        base_branch=found.target_branch,
        is_fork=found.source_project_id != found.target_project_id,
        author=found.author.username if found.author else "",
    )


def _made_by(found: answers.GitLabMergeRequest) -> set[str | None]:
    """The commits that its merge brought to the target branch; of a fast-forward merge its own last one."""
    made = {found.merge_commit_sha, found.squash_commit_sha} - {None}
    return made or {found.sha}


_ADVICE: Final = (
    "make a project access token with the scope `api` and the role Reporter, and give it to the job as a masked "
    "variable GITLAB_TOKEN."
)


def _permission_advice(permission: str) -> str:
    return f"give GITLAB_TOKEN the scope `{permission}` and a role in the project, Reporter or above."
