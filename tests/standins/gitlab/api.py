"""A stand-in for GitLab's REST API, as far as merge requests, notes and issues of one project go.

Below /projects/ID it answers to: merge_requests/N, its notes and notes/ID, issues, issues/N and its notes, and
repository/commits/SHA/merge_requests; beside it to GET /user. Notes obey quick actions as GitLab does: ``orders`` has
what was obeyed (lib/gitlab/quick_actions/extractor.rb: a line that begins with a slash, after carriage returns are
dropped).
"""

from __future__ import annotations

import itertools
import re
import urllib.parse
from dataclasses import dataclass, field
from typing import Any

from tests.standins.rest import Call, Reply, RestStandIn

LONGEST_BODY = 1_000_000
_ORDER = re.compile(r"^/(merge|close|approve|assign|label)\b.*$", re.MULTILINE)


@dataclass
class FakeNote:
    id: int
    iid: int
    author_id: int
    body: str
    is_system: bool = False
    edits: int = 0


@dataclass
class FakeGitLabIssue:
    iid: int
    author_id: int
    title: str
    description: str
    labels: str = ""
    state: str = "opened"
    notes: list[str] = field(default_factory=list)
    edits: int = 0


@dataclass
class FakeMergeRequest:
    iid: int
    title: str
    source_branch: str
    sha: str | None
    source_project_id: int | None
    state: str = "opened"
    merge_commit_sha: str | None = None
    squash_commit_sha: str | None = None


class FakeGitLab(RestStandIn):
    """``token`` acts as user 42. ``job_token`` is known, and refused everywhere: a job's token reads no notes."""

    name = "GitLab"
    base = "/api/v4"
    me = 42
    project_id = 7

    def __init__(
        self,
        repository: str = "acme/platform/data",
        *,
        token: str = "glpat-" + "standin0" * 3,
        job_token: str = "glcbt-" + "standin1" * 3,
    ) -> None:
        super().__init__()
        self.repository = repository
        self.token = token
        self.job_token = job_token
        self.issues: list[FakeGitLabIssue] = []
        self.merge_requests: dict[int, FakeMergeRequest] = {}
        self.orders: list[str] = []
        self._notes: dict[int, FakeNote] = {}
        self._ids = itertools.count(501)

    @property
    def environ(self) -> dict[str, str]:
        """What a job would have of it, with a project's token."""
        return {
            "CI": "true",
            "GITLAB_CI": "true",
            "CI_API_V4_URL": self.url,
            "CI_PROJECT_PATH": self.repository,
            "CI_JOB_TOKEN": self.job_token,
            "GITLAB_TOKEN": self.token,
        }

    @property
    def writes(self) -> list[str]:
        return [call.line for call in self.calls if call.method != "GET"]

    def comments(self, iid: int) -> list[FakeNote]:
        with self._lock:
            return sorted((each for each in self._notes.values() if each.iid == iid), key=lambda each: each.id)

    def add_comment(self, iid: int, body: str, author_id: int = 13, *, is_system: bool = False) -> FakeNote:
        with self._lock:
            note = FakeNote(next(self._ids), iid, author_id, body, is_system)
            self._notes[note.id] = note
            return note

    def delete_comment(self, identifier: int) -> None:
        with self._lock:
            del self._notes[identifier]

    def add_pull_request(
        self,
        iid: int,
        *,
        title: str = "A change",
        source_branch: str = "feature/x",
        sha: str | None = "a" * 40,
        source_project_id: int | None = project_id,
    ) -> FakeMergeRequest:
        with self._lock:
            made = FakeMergeRequest(iid, title, source_branch, sha, source_project_id)
            self.merge_requests[iid] = made
            return made

    def answer(self, call: Call) -> Reply:
        if call.headers.get("job-token") == self.job_token:
            return Reply(404, {"message": "404 Not found"})
        if call.headers.get("authorization") != f"Bearer {self.token}":
            return Reply(401, {"message": "401 Unauthorized"})
        if call.path == "/user":
            return Reply(200, {"id": self.me, "username": "project_7_bot"})
        below = call.path.removeprefix(f"/projects/{urllib.parse.quote(self.repository, safe='')}")
        if below == call.path:
            return Reply(404, {"message": "404 Project Not Found"})
        for method, pattern, handler in self._routes():
            match = re.fullmatch(pattern, below)
            if match and method == call.method:
                return handler(call, *match.groups())
        return Reply(404, {"error": "404 Not Found"})

    def _routes(self) -> tuple[tuple[str, str, Any], ...]:
        return (
            ("GET", r"/merge_requests/(\d+)", self._get_merge_request),
            ("GET", r"/merge_requests/(\d+)/notes", self._list_notes),
            ("POST", r"/merge_requests/(\d+)/notes", self._create_note),
            ("PUT", r"/merge_requests/\d+/notes/(\d+)", self._edit_note),
            ("DELETE", r"/merge_requests/\d+/notes/(\d+)", self._drop_note),
            ("GET", r"/issues", self._list_issues),
            ("POST", r"/issues", self._create_issue),
            ("PUT", r"/issues/(\d+)", self._edit_issue),
            ("POST", r"/issues/(\d+)/notes", self._note_on_issue),
            ("GET", r"/repository/commits/([0-9a-f]{40})/merge_requests", self._merge_requests_of),
        )

    def _obeyed(self, body: str) -> str:
        seen = body.replace("\r", "")
        self.orders += [match[0] for match in _ORDER.finditer(seen)]
        return _ORDER.sub("", seen)

    def _get_merge_request(self, call: Call, iid: str) -> Reply:
        found = self.merge_requests.get(int(iid))
        return Reply(200, self._merge_request(found)) if found else Reply(404, {"message": "404 Not found"})

    def _list_notes(self, call: Call, iid: str) -> Reply:
        if int(iid) not in self.merge_requests:
            return Reply(404, {"message": "404 Not found"})
        notes = self.comments(int(iid))
        if call.query.get("sort", "desc") == "desc":
            notes.reverse()
        return self.page(call, [self._note(each) for each in notes])

    def _create_note(self, call: Call, iid: str) -> Reply:
        if int(iid) not in self.merge_requests:
            return Reply(404, {"message": "404 Not found"})
        refused = _refused(call.body["body"])
        return refused or Reply(201, self._note(self.add_comment(int(iid), self._obeyed(call.body["body"]), self.me)))

    def _edit_note(self, call: Call, identifier: str) -> Reply:
        note = self._notes.get(int(identifier))
        if note is None:
            return Reply(404, {"message": "404 Note Not Found"})
        if note.author_id != self.me:
            return Reply(403, {"message": "403 Forbidden"})
        note.body, note.edits = self._obeyed(call.body["body"]), note.edits + 1
        return Reply(200, self._note(note))

    def _drop_note(self, call: Call, identifier: str) -> Reply:
        if self._notes.pop(int(identifier), None) is None:
            return Reply(404, {"message": "404 Note Not Found"})
        return Reply(204)

    def _list_issues(self, call: Call) -> Reply:
        author = call.query.get("author_id")
        shown = [
            self._issue(each)
            for each in self.issues
            if call.query.get("state", "all") in ("all", each.state) and author in (None, str(each.author_id))
        ]
        if call.query.get("sort", "desc") == "desc":
            shown.reverse()
        return self.page(call, shown)

    def _create_issue(self, call: Call) -> Reply:
        given = call.body
        made = FakeGitLabIssue(
            len(self.issues) + 1, self.me, given["title"], self._obeyed(given["description"]), given.get("labels", "")
        )
        self.issues.append(made)
        return Reply(201, self._issue(made))

    def _edit_issue(self, call: Call, iid: str) -> Reply:
        issue = next((each for each in self.issues if each.iid == int(iid)), None)
        if issue is None:
            return Reply(404, {"message": "404 Issue Not Found"})
        issue.title = call.body.get("title", issue.title)
        issue.description = self._obeyed(call.body.get("description", issue.description))
        issue.state = "closed" if call.body.get("state_event") == "close" else issue.state
        issue.edits += 1
        return Reply(200, self._issue(issue))

    def _note_on_issue(self, call: Call, iid: str) -> Reply:
        issue = next(each for each in self.issues if each.iid == int(iid))
        issue.notes.append(self._obeyed(call.body["body"]))
        return Reply(201, {"id": next(self._ids), "body": call.body["body"], "author": self._user(self.me)})

    def _merge_requests_of(self, call: Call, sha: str) -> Reply:
        every = self.merge_requests.values()
        found = [each for each in every if sha in {each.merge_commit_sha, each.squash_commit_sha, each.sha}]
        return self.page(call, [self._merge_request(each) for each in found])

    def _user(self, identifier: int) -> dict[str, Any]:
        return {"id": identifier, "username": "project_7_bot" if identifier == self.me else f"user-{identifier}"}

    def _note(self, note: FakeNote) -> dict[str, Any]:
        return {"id": note.id, "body": note.body, "system": note.is_system, "author": self._user(note.author_id)}

    def _issue(self, issue: FakeGitLabIssue) -> dict[str, Any]:
        return {
            "iid": issue.iid,
            "web_url": f"{self.site}/{self.repository}/-/issues/{issue.iid}",
            "title": issue.title,
            "description": issue.description,
            "state": issue.state,
            "author": self._user(issue.author_id),
        }

    def _merge_request(self, found: FakeMergeRequest) -> dict[str, Any]:
        return {
            "iid": found.iid,
            "title": found.title,
            "web_url": f"{self.site}/{self.repository}/-/merge_requests/{found.iid}",
            "state": found.state,
            "sha": found.sha,
            "merge_commit_sha": found.merge_commit_sha,
            "squash_commit_sha": found.squash_commit_sha,
            "source_branch": found.source_branch,
            "target_branch": "main",
            "source_project_id": found.source_project_id,
            "target_project_id": self.project_id,
            "author": self._user(13),
        }


def _refused(body: str) -> Reply | None:
    if len(body) > LONGEST_BODY:
        return Reply(400, {"message": {"note": [f"is too long (maximum is {LONGEST_BODY} characters)"]}})
    return None
