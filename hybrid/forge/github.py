"""GitHub, and GitHub Enterprise Server, by the REST API."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from hybrid.forge import answers, facts, text
from hybrid.forge.errors import ForgeNotFound, ForgeRejected, ForgeUnauthorized
from hybrid.forge.forge import Comment, PullRequest, Written
from hybrid.forge.single import Entry, write
from hybrid.forge.transport import PATIENCE, Patience, Request, Transport
from hybrid.forge.verdict import Host
from hybrid.redaction import Token, redact

LONGEST: Final = 65_536
"""Characters of a comment or an issue; GitHub answers more with 422."""
ACTIONS_BOT: Final = "github-actions[bot]"
"""Who the token of a workflow's job acts as."""

_READ: Final = "pull-requests: read"
_WRITE: Final = "pull-requests: write"
_ISSUES: Final = "issues: write"
_ANY: Final = "metadata: read"
_EDITOR: Final = (
    "query($id: ID!) { node(id: $id) { ... on IssueComment { lastEditedAt editor { __typename login } } } }"
)
_HEADERS: Final = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}


class GitHub:
    """One repository on GitHub; a ``Forge``."""

    def __init__(self, transport: Transport, *, in_actions: bool) -> None:
        self._transport = transport
        self._in_actions = in_actions
        self._root = f"/repos/{transport.host.repository}"

    @classmethod
    def of(
        cls, api: str, repository: str, token: Token, environ: Mapping[str, str], *, patience: Patience = PATIENCE
    ) -> GitHub:
        """``api``: https://api.github.com, or https://HOST/api/v3."""
        host = Host("GitHub", api, repository, _permission_advice, _IF_NOT_TAKEN)
        transport = Transport(host, token, patience, headers=_HEADERS, environ=environ)
        return cls(transport, in_actions=environ.get("GITHUB_ACTIONS") == "true")

    def comment(self, number: int, marker: str) -> Comment | None:
        found = sorted(self._comments(number, marker), key=lambda each: each.id)
        if not found:
            return None
        oldest = found[0]
        return Comment(oldest.id, oldest.html_url, oldest.body or "", self._me, self._edited_by(oldest))

    def upsert_comment(self, number: int, marker: str, body: str) -> Written:
        whole = text.body_of(marker, body, longest=LONGEST, forge="GitHub")
        return write(_Comments(self, number, marker, whole), sleep=self._transport.sleep)

    def upsert_issue(self, marker: str, title: str, body: str, labels: Sequence[str] = ()) -> Written:
        whole = text.body_of(marker, body, longest=LONGEST, forge="GitHub")
        place = _Issues(self, marker, text.title_of(title), whole, tuple(labels))
        return write(place, sleep=self._transport.sleep)

    def close_issue(self, marker: str, words: str) -> str | None:
        said = text.measured(text.harmless(words), longest=LONGEST, forge="GitHub")
        standing = sorted(self._issues(marker), key=lambda each: each.number or 0)
        for index, issue in enumerate(standing):
            doing = f"close issue {issue.number}"
            if index == 0:
                self._json("POST", f"/issues/{issue.number}/comments", doing, _ISSUES, {"body": said})
            reason = "completed" if index == 0 else "not_planned"
            self._json("PATCH", f"/issues/{issue.number}", doing, _ISSUES, {"state": "closed", "state_reason": reason})
        return standing[0].html_url if standing else None

    def pull_request(self, number: int) -> PullRequest:
        doing = f"read pull request {number}"
        answer = self._json("GET", f"/pulls/{int(number)}", doing, _READ)
        return _pull_request(answers.read(answers.GitHubPull, answer, self._transport.host, doing))

    def pull_requests_of(self, sha: str) -> list[PullRequest]:
        commit = facts.sha(sha)
        if commit is None:
            raise ValueError("a commit is named by all its 40 or 64 digits")
        doing = f"read the pull requests of commit {commit[:12]}"
        found = self._transport.pages(Request("GET", f"{self._root}/commits/{commit}/pulls", doing, _READ))
        pulls = [answers.read(answers.GitHubPull, each, self._transport.host, doing) for each in found]
        # GitHub also lists those that merely contain the commit, such as one that carries main on to a release branch.
        return [_pull_request(pull) for pull in pulls if pull.merged_at and pull.merge_commit_sha == commit]

    @functools.cached_property
    def _me(self) -> str:
        """The login that the token acts as.

        ``GET /user`` is refused to the tokens of apps, of which a workflow's is one; GraphQL's ``viewer`` tells theirs.
        """
        doing, host = "say whom the token acts as", self._transport.host
        try:
            answer = self._transport.json(Request("GET", "/user", doing, _ANY))
            return answers.read(answers.GitHubAccount, answer, host, doing).login
        except ForgeUnauthorized as error:
            if error.permission is None:
                raise
            why = error.why
        viewer = self._viewer(doing)
        if viewer:
            return viewer
        if self._in_actions:
            return ACTIONS_BOT
        raise ForgeUnauthorized(
            "It cannot be told whom the token acts as, and so which comments are ours.",
            why=why,
            next_step=_IF_NOT_TAKEN,
            permission=_ANY,
        )

    def _viewer(self, doing: str) -> str | None:
        try:
            login = facts.part(self._ask("query { viewer { login } }", {}, doing, _ANY), "data", "viewer", "login")
        except (ForgeUnauthorized, ForgeNotFound):
            return None
        if not isinstance(login, str):
            return None
        return login if login.endswith("[bot]") else f"{login}[bot]"

    def _edited_by(self, comment: answers.GitHubText) -> str | None:
        """Whoever changed it last and is not us. REST does not tell."""
        doing = "say who changed a comment last"
        answer = self._ask(_EDITOR, {"id": comment.node_id}, doing, _READ)
        node = facts.part(answer, "data", "node")
        if node is None:
            raise ForgeRejected(
                f"GitHub does not say who changed comment {comment.id} last, so nothing can rest on its words.",
                why=facts.one_line(redact(str(facts.part(answer, "errors") or "")), 300) or None,
                next_step="look whether the comment is still there, and whether the token may ask GraphQL.",
            )
        edit = answers.read(answers.GitHubEdit, node, self._transport.host, doing)
        if edit.editor is None:
            return "an account that is gone" if edit.last_edited_at else None
        login = edit.editor.rest_login
        return None if login.lower() == self._me.lower() else login

    def _ask(self, query: str, variables: Mapping[str, str], doing: str, permission: str) -> Any:
        """A question in GraphQL, whose address is https://HOST/api/graphql at an Enterprise Server."""
        url = f"{self._transport.host.api.removesuffix('/v3')}/graphql"
        json = {"query": query, "variables": dict(variables)}
        return self._transport.json(Request("POST", url, doing, permission, json=json, is_query=True))

    def _json(self, method: Any, path: str, doing: str, permission: str, json: Any = None) -> Any:
        return self._transport.json(Request(method, f"{self._root}{path}", doing, permission, json=json))

    def _is_ours(self, found: answers.GitHubText, marker: str) -> bool:
        is_by_us = found.user is not None and found.user.login.lower() == self._me.lower()
        return is_by_us and text.is_marked(found.body or "", marker)

    def _comments(self, number: int, marker: str) -> list[answers.GitHubText]:
        doing = f"read the comments of pull request {number}"
        found = self._transport.pages(Request("GET", f"{self._root}/issues/{int(number)}/comments", doing, _READ))
        every = [answers.read(answers.GitHubText, each, self._transport.host, doing) for each in found]
        return [each for each in every if self._is_ours(each, marker)]

    def _issues(self, marker: str) -> list[answers.GitHubText]:
        doing = "read the open issues"
        params = {"state": "open", "creator": self._me, "sort": "created", "direction": "asc"}
        found = self._transport.pages(Request("GET", f"{self._root}/issues", doing, "issues: read", params))
        every = [answers.read(answers.GitHubText, each, self._transport.host, doing) for each in found]
        return [
            each
            for each in every
            if each.number is not None and each.pull_request is None and self._is_ours(each, marker)
        ]


@dataclass(frozen=True)
class _Comments:
    """Our comment on one pull request, as a ``Place``."""

    forge: GitHub
    number: int
    marker: str
    body: str

    def ours(self) -> list[Entry]:
        return [Entry(each.id, each.html_url) for each in self.forge._comments(self.number, self.marker)]

    def create(self) -> Entry:
        doing = f"comment on pull request {self.number}"
        answer = self.forge._json("POST", f"/issues/{int(self.number)}/comments", doing, _WRITE, {"body": self.body})
        made = answers.read(answers.GitHubText, answer, self.forge._transport.host, doing)
        return Entry(made.id, made.html_url)

    def update(self, entry: Entry) -> None:
        doing = f"update its comment on pull request {self.number}"
        self.forge._json("PATCH", f"/issues/comments/{entry.id}", doing, _WRITE, {"body": self.body})

    def remove(self, entry: Entry) -> None:
        doing = f"remove a second comment on pull request {self.number}"
        with contextlib.suppress(ForgeNotFound):
            self.forge._json("DELETE", f"/issues/comments/{entry.id}", doing, _WRITE)


@dataclass(frozen=True)
class _Issues:
    """Our open issue, as a ``Place``. An entry's id is the issue's number."""

    forge: GitHub
    marker: str
    title: str
    body: str
    labels: tuple[str, ...]

    def ours(self) -> list[Entry]:
        return [Entry(each.number or 0, each.html_url) for each in self.forge._issues(self.marker)]

    def create(self) -> Entry:
        json = {"title": self.title, "body": self.body, "labels": list(self.labels)}
        answer = self.forge._json("POST", "/issues", "open an issue", _ISSUES, json)
        made = answers.read(answers.GitHubText, answer, self.forge._transport.host, "open an issue")
        return Entry(made.number or 0, made.html_url)

    def update(self, entry: Entry) -> None:
        json = {"title": self.title, "body": self.body}
        self.forge._json("PATCH", f"/issues/{entry.id}", f"update issue {entry.id}", _ISSUES, json)

    def remove(self, entry: Entry) -> None:
        # An issue cannot be deleted with ordinary rights.
        json = {"state": "closed", "state_reason": "not_planned"}
        with contextlib.suppress(ForgeNotFound):
            self.forge._json("PATCH", f"/issues/{entry.id}", f"close issue {entry.id}", _ISSUES, json)


def _pull_request(pull: answers.GitHubPull) -> PullRequest:
    origin, home = pull.head.repo, pull.base.repo
    return PullRequest(
        number=pull.number,
        title=facts.one_line(pull.title),
        url=pull.html_url,
        state="merged" if pull.merged_at else pull.state,
        head_sha=pull.head.sha,
        head_branch=pull.head.ref,
        base_branch=pull.base.ref,
        is_fork=origin is None or home is None or origin.full_name != home.full_name,
        author=pull.user.login if pull.user else "",
    )


_IF_NOT_TAKEN: Final = (
    "give another: in a workflow `env: GITHUB_TOKEN: ${{ github.token }}`, which lapses when its job ends; by hand, "
    "`export GITHUB_TOKEN=$(gh auth token)`."
)


def _permission_advice(permission: str) -> str:
    return (
        f"give the workflow's job `permissions: {permission}`, or another token that permission; on a pull request "
        "from a fork a workflow's token only reads, whatever the workflow says."
    )
