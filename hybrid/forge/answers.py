"""The parts of GitHub's and GitLab's answers that are read, and nothing else of them.

Shapes: docs.github.com/rest (issues/comments, issues/issues, pulls/pulls, commits/commits), docs.gitlab.com/api (notes,
issues, merge_requests, commits, users).
"""

from __future__ import annotations

from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hybrid.forge.verdict import Host, strange

T = TypeVar("T", bound="Shape")


class Shape(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class GitHubAccount(Shape):
    login: str


class GitHubText(Shape):
    """A comment, or an issue."""

    id: int
    node_id: str = ""
    """Its name in GraphQL."""
    number: int | None = None
    html_url: str
    body: str | None = None
    user: GitHubAccount | None = None
    """Null when the account is gone."""
    pull_request: Any = None
    """Among issues: GitHub lists pull requests too, and this tells them."""


class GitHubRepository(Shape):
    full_name: str


class GitHubActor(Shape):
    """An account in GraphQL, where apps are called without ``[bot]``."""

    kind: str = Field(alias="__typename")
    login: str

    @property
    def rest_login(self) -> str:
        is_short = self.kind == "Bot" and not self.login.endswith("[bot]")
        return f"{self.login}[bot]" if is_short else self.login


class GitHubEdit(Shape):
    """Who changed a comment last, from GraphQL's ``IssueComment``."""

    editor: GitHubActor | None = None
    """Null: nobody, or an account that is gone."""
    last_edited_at: str | None = Field(default=None, alias="lastEditedAt")


class GitHubEnd(Shape):
    ref: str
    sha: str
    repo: GitHubRepository | None = None
    """Null when the fork is gone."""


class GitHubPull(Shape):
    number: int
    title: str
    html_url: str
    state: Literal["open", "closed"]
    merged_at: str | None = None
    merge_commit_sha: str | None = None
    user: GitHubAccount | None = None
    head: GitHubEnd
    base: GitHubEnd


class GitLabUser(Shape):
    id: int
    username: str


class GitLabNote(Shape):
    id: int
    body: str | None = None
    system: bool = False
    """Written by GitLab itself, such as "added 1 commit"."""
    author: GitLabUser | None = None


class GitLabIssue(Shape):
    iid: int
    web_url: str
    description: str | None = None
    author: GitLabUser | None = None


class GitLabMergeRequest(Shape):
    iid: int
    title: str
    web_url: str
    state: Literal["opened", "closed", "merged", "locked"]
    """``locked``: it is being merged."""
    sha: str | None = None
    merge_commit_sha: str | None = None
    squash_commit_sha: str | None = None
    source_branch: str
    target_branch: str
    source_project_id: int | None = None
    target_project_id: int
    author: GitLabUser | None = None


def read(shape: type[T], value: Any, host: Host, doing: str) -> T:
    """``value`` as ``shape``. Raises ``ForgeRejected``: what answered is no such API."""
    try:
        return shape.model_validate(value)
    except ValidationError:
        pass
    raise strange(host, doing)
