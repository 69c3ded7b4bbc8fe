"""A stand-in for GitHub's REST API, as far as pull requests, comments and issues of one repository go.

It answers to: GET /user, POST /graphql (``viewer``, and who edited a comment); below /repos/R: GET and POST issues, GET
and PATCH issues/N, GET and POST issues/N/comments, PATCH and DELETE issues/comments/ID, GET pulls/N, GET
commits/SHA/pulls. Limits, shapes of errors and the refusals to the token of a workflow are GitHub's
(docs.github.com/rest).
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from typing import Any

from tests.standins.github.records import FakeComment, FakeIssue, FakePull
from tests.standins.rest import Call, Reply, RestStandIn

LONGEST_BODY = 65_536
LONGEST_TITLE = 256
_DOCUMENTATION = "https://docs.github.com/rest"


class FakeGitHub(RestStandIn):
    """``token`` acts as ``login``. An account that ends with ``[bot]`` is an app: ``GET /user`` is refused to it, as to
    the token of a workflow, and GraphQL tells whose it is (unless ``tells_viewer`` is false).

    ``base`` is ``/api/v3`` for an Enterprise Server, whose GraphQL is at ``/api/graphql``.

    ``permissions`` are those of the token, by GitHub's words in workflows.
    """

    name = "GitHub"

    def __init__(
        self,
        repository: str = "acme/data",
        *,
        token: str = "ghs_" + "standin0" * 4,
        login: str = "github-actions[bot]",
        tells_viewer: bool = True,
        base: str = "",
    ) -> None:
        super().__init__()
        self.base = base
        self.repository = repository
        self.token = token
        self.login = login
        self.tells_viewer = tells_viewer
        self.permissions = {"issues": "write", "pull-requests": "write"}
        self.issues: list[FakeIssue] = []
        self.pulls: dict[int, FakePull] = {}
        self._comments: dict[int, FakeComment] = {}
        self._ids = itertools.count(9001)
        self._numbers = itertools.count(1)

    @property
    def environ(self) -> dict[str, str]:
        """What a job of a workflow would have of it."""
        return {
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_API_URL": self.url,
            "GITHUB_SERVER_URL": self.site,
            "GITHUB_REPOSITORY": self.repository,
            "GITHUB_TOKEN": self.token,
        }

    @property
    def writes(self) -> list[str]:
        """Methods and paths of the calls that changed something, or would have."""
        return [call.line for call in self.calls if call.method != "GET" and call.path != self._graphql_path]

    @property
    def _graphql_path(self) -> str:
        return f"{self.base.removesuffix('/v3')}/graphql"

    def comments(self, number: int) -> list[FakeComment]:
        """Of a pull request or an issue, the oldest first."""
        with self._lock:
            return sorted((each for each in self._comments.values() if each.number == number), key=lambda each: each.id)

    def add_comment(self, number: int, body: str, author: str | None = "somebody") -> FakeComment:
        """As if written by ``author``; None: the account is gone."""
        with self._lock:
            comment = FakeComment(next(self._ids), number, author, body)
            self._comments[comment.id] = comment
            return comment

    def edit_comment(self, identifier: int, body: str, editor: str | None) -> None:
        """As if changed by ``editor``, which everybody who may push can do; None: by an account that is gone since."""
        with self._lock:
            comment = self._comments[identifier]
            comment.body, comment.editor, comment.edits = body, editor, comment.edits + 1

    def delete_comment(self, identifier: int) -> None:
        with self._lock:
            del self._comments[identifier]

    def add_issue(
        self, title: str, body: str, author: str | None = "somebody", labels: Sequence[str] = (), state: str = "open"
    ) -> FakeIssue:
        with self._lock:
            issue = FakeIssue(self._next_number(), next(self._ids), author, title, body, list(labels), state)
            self.issues.append(issue)
            return issue

    def add_pull_request(
        self,
        number: int | None = None,
        *,
        title: str = "A change",
        head_branch: str = "feature/x",
        head_sha: str = "a" * 40,
        base_branch: str = "main",
        head_repository: str | None = "",
        author: str | None = "octocat",
    ) -> FakePull:
        """``head_repository``: another one is a fork, None a fork that was deleted."""
        with self._lock:
            number = self._next_number() if number is None else number
            origin = self.repository if head_repository == "" else head_repository
            pull = FakePull(number, next(self._ids), title, head_branch, head_sha, base_branch, origin, author)
            self.pulls[number] = pull
            return pull

    def push(self, number: int, sha: str) -> None:
        with self._lock:
            self.pulls[number].head_sha = sha

    def merge(self, number: int, sha: str) -> None:
        with self._lock:
            pull = self.pulls[number]
            pull.state, pull.is_merged, pull.merge_commit_sha = "closed", True, sha

    def close(self, number: int) -> None:
        with self._lock:
            self.pulls[number].state = "closed"

    def answer(self, call: Call) -> Reply:
        if call.headers.get("authorization") != f"Bearer {self.token}":
            return _said(401, "Bad credentials")
        if not call.headers.get("user-agent"):
            return _said(
                403, "Request forbidden by administrative rules. Please make sure your request has a User-Agent"
            )
        if call.path == "/user":
            is_app = self.login.endswith("[bot]")
            return _not_accessible() if is_app else Reply(200, {"login": self.login, "id": 1, "type": "User"})
        if call.path == self._graphql_path and call.method == "POST":
            return self._graphql(call)
        below = call.path.removeprefix(f"/repos/{self.repository}")
        if below == call.path:
            return _said(404, "Not Found")
        for method, pattern, handler in self._routes():
            match = re.fullmatch(pattern, below)
            if match and method == call.method:
                return handler(call, *match.groups())
        return _said(404, "Not Found")

    def _routes(self) -> tuple[tuple[str, str, Any], ...]:
        return (
            ("GET", r"/issues/(\d+)/comments", self._list_comments),
            ("POST", r"/issues/(\d+)/comments", self._create_comment),
            ("PATCH", r"/issues/comments/(\d+)", self._edit_comment),
            ("DELETE", r"/issues/comments/(\d+)", self._drop_comment),
            ("GET", r"/issues", self._list_issues),
            ("POST", r"/issues", self._create_issue),
            ("GET", r"/issues/(\d+)", self._get_issue),
            ("PATCH", r"/issues/(\d+)", self._edit_issue),
            ("GET", r"/pulls/(\d+)", self._get_pull),
            ("GET", r"/commits/([0-9a-f]{40})/pulls", self._pulls_of),
        )

    def _graphql(self, call: Call) -> Reply:
        query = call.body["query"]
        if "viewer" in query and self.tells_viewer:
            return Reply(200, {"data": {"viewer": {"login": self.login}}})
        if "IssueComment" in query:
            return self._edit(call.body["variables"]["id"])
        return Reply(200, {"data": None, "errors": [{"message": "Resource not accessible by integration"}]})

    def _edit(self, node: str) -> Reply:
        comment = next((each for each in self._comments.values() if _node(each) == node), None)
        if comment is None:
            error = {"type": "NOT_FOUND", "message": "Could not resolve to a node with the global id"}
            return Reply(200, {"data": {"node": None}, "errors": [error]})
        editor = comment.editor
        # GraphQL calls apps without their suffix.
        actor = editor and {
            "__typename": "Bot" if editor.endswith("[bot]") else "User",
            "login": editor.removesuffix("[bot]"),
        }
        edited_at = "2026-01-01T00:00:00Z" if comment.edits else None
        return Reply(200, {"data": {"node": {"lastEditedAt": edited_at, "editor": actor}}})

    def _list_comments(self, call: Call, number: str) -> Reply:
        if not self._stands(int(number)):
            return _said(404, "Not Found")
        return self.page(call, [self._comment(each) for each in self.comments(int(number))])

    def _create_comment(self, call: Call, number: str) -> Reply:
        is_pull = int(number) in self.pulls
        if not self._may("pull-requests" if is_pull else "issues"):
            return _not_accessible()
        if not self._stands(int(number)):
            return _said(404, "Not Found")
        refused = _refused_body(call.body, "IssueComment")
        return refused or Reply(201, self._comment(self.add_comment(int(number), call.body["body"], self.login)))

    def _edit_comment(self, call: Call, identifier: str) -> Reply:
        comment = self._comments.get(int(identifier))
        if comment is None:
            return _said(404, "Not Found")
        if not self._may("pull-requests" if comment.number in self.pulls else "issues"):
            return _not_accessible()
        refused = _refused_body(call.body, "IssueComment")
        if refused:
            return refused
        self.edit_comment(comment.id, call.body["body"], self.login)
        return Reply(200, self._comment(comment))

    def _drop_comment(self, call: Call, identifier: str) -> Reply:
        if int(identifier) not in self._comments:
            return _said(404, "Not Found")
        del self._comments[int(identifier)]
        return Reply(204)

    def _list_issues(self, call: Call) -> Reply:
        state, creator = call.query.get("state", "open"), call.query.get("creator")
        every = [*map(self._issue, self.issues), *map(self._pull_as_issue, self.pulls.values())]
        shown = [
            each
            for each in every
            if state in ("all", each["state"])
            and (creator is None or (each["user"] or {}).get("login", "").lower() == creator.lower())
        ]
        # The youngest first, unless asked otherwise.
        shown.sort(key=lambda each: each["number"], reverse=call.query.get("direction", "desc") == "desc")
        return self.page(call, shown)

    def _create_issue(self, call: Call) -> Reply:
        if not self._may("issues"):
            return _not_accessible()
        refused = _refused_title(call.body) or _refused_body(call.body, "Issue")
        if refused:
            return refused
        issue = self.add_issue(call.body["title"], call.body["body"], self.login, call.body.get("labels", ()))
        return Reply(201, self._issue(issue))

    def _get_issue(self, call: Call, number: str) -> Reply:
        found = self._found_issue(int(number))
        return Reply(200, self._issue(found)) if found else _said(404, "Not Found")

    def _edit_issue(self, call: Call, number: str) -> Reply:
        issue = self._found_issue(int(number))
        if issue is None:
            return _said(404, "Not Found")
        if not self._may("issues"):
            return _not_accessible()
        given = call.body
        refused = ("title" in given and _refused_title(given)) or ("body" in given and _refused_body(given, "Issue"))
        if refused:
            return refused
        for key in ("title", "body", "state", "state_reason", "labels"):
            if key in given:
                setattr(issue, key, given[key])
        issue.edits += 1
        return Reply(200, self._issue(issue))

    def _get_pull(self, call: Call, number: str) -> Reply:
        pull = self.pulls.get(int(number))
        return Reply(200, self._pull(pull)) if pull else _said(404, "Not Found")

    def _pulls_of(self, call: Call, sha: str) -> Reply:
        found = [
            each
            for each in self.pulls.values()
            if sha in {each.merge_commit_sha, each.head_sha} or sha in each.contained_in
        ]
        return self.page(call, [self._pull(each) for each in found])

    def _stands(self, number: int) -> bool:
        return number in self.pulls or self._found_issue(number) is not None

    def _found_issue(self, number: int) -> FakeIssue | None:
        return next((each for each in self.issues if each.number == number), None)

    def _may(self, permission: str) -> bool:
        return self.permissions.get(permission) == "write"

    def _next_number(self) -> int:
        taken = {*self.pulls, *(each.number for each in self.issues)}
        return next(number for number in self._numbers if number not in taken)

    def _comment(self, comment: FakeComment) -> dict[str, Any]:
        kind = "pull" if comment.number in self.pulls else "issues"
        page = f"{self.site}/{self.repository}/{kind}/{comment.number}#issuecomment-{comment.id}"
        shown = {"id": comment.id, "node_id": _node(comment), "html_url": page, "body": comment.body}
        return {**shown, "user": _user(comment.author)}

    def _issue(self, issue: FakeIssue) -> dict[str, Any]:
        return {
            "id": issue.id,
            "number": issue.number,
            "html_url": f"{self.site}/{self.repository}/issues/{issue.number}",
            "title": issue.title,
            "body": issue.body,
            "state": issue.state,
            "state_reason": issue.state_reason,
            "labels": [{"name": name} for name in issue.labels],
            "user": _user(issue.author),
        }

    def _pull_as_issue(self, pull: FakePull) -> dict[str, Any]:
        shown = self._pull(pull)
        kept = {key: shown[key] for key in ("id", "number", "html_url", "title", "state", "user", "body")}
        return {**kept, "pull_request": {"url": f"{self.url}/repos/{self.repository}/pulls/{pull.number}"}}

    def _pull(self, pull: FakePull) -> dict[str, Any]:
        origin = pull.head_repository
        return {
            "id": pull.id,
            "number": pull.number,
            "html_url": f"{self.site}/{self.repository}/pull/{pull.number}",
            "title": pull.title,
            "body": pull.body,
            "state": pull.state,
            "merged_at": "2026-01-01T00:00:00Z" if pull.is_merged else None,
            # Of an open one it is a merge that was tried.
            "merge_commit_sha": pull.merge_commit_sha or "e" * 40,
            "user": _user(pull.author),
            "head": {
                "ref": pull.head_branch,
                "sha": pull.head_sha,
                "repo": {"full_name": origin} if origin else None,
            },
            "base": {"ref": pull.base_branch, "sha": "b" * 40, "repo": {"full_name": self.repository}},
        }


def _node(comment: FakeComment) -> str:
    return f"IC_{comment.id}"


def _user(login: str | None) -> dict[str, Any] | None:
    return None if login is None else {"login": login, "type": "Bot" if login.endswith("[bot]") else "User"}


def _said(status: int, message: str, **more: Any) -> Reply:
    return Reply(status, {"message": message, **more, "documentation_url": _DOCUMENTATION, "status": str(status)})


def _not_accessible() -> Reply:
    return _said(403, "Resource not accessible by integration")


def _refused_body(given: Any, resource: str) -> Reply | None:
    body = given.get("body") if isinstance(given, dict) else None
    if not isinstance(body, str) or not body.strip():
        return _invalid(resource, "body", "body cannot be blank")
    if len(body) > LONGEST_BODY:
        return _invalid(resource, "body", f"body is too long (maximum is {LONGEST_BODY} characters)")
    return None


def _refused_title(given: Any) -> Reply | None:
    title = given.get("title") if isinstance(given, dict) else None
    if not isinstance(title, str) or not title.strip():
        return _invalid("Issue", "title", "title can't be blank")
    if len(title) > LONGEST_TITLE:
        return _invalid("Issue", "title", f"title is too long (maximum is {LONGEST_TITLE} characters)")
    return None


def _invalid(resource: str, name: str, message: str) -> Reply:
    error = {"resource": resource, "code": "custom", "field": name, "message": message}
    return _said(422, "Validation Failed", errors=[error])
