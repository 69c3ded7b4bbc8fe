"""What the stand-in keeps."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class FakeComment:
    id: int
    number: int
    author: str | None
    body: str
    edits: int = 0
    editor: str | None = None
    """Who changed it last."""


@dataclass
class FakeIssue:
    number: int
    id: int
    author: str | None
    title: str
    body: str
    labels: list[str] = field(default_factory=list)
    state: str = "open"
    state_reason: str | None = None
    edits: int = 0


@dataclass
class FakePull:
    number: int
    id: int
    title: str
    head_branch: str
    head_sha: str
    base_branch: str = "main"
    head_repository: str | None = None
    author: str | None = "octocat"
    body: str = ""
    state: str = "open"
    merge_commit_sha: str | None = None
    is_merged: bool = False
    contained_in: list[str] = field(default_factory=list)
    """Commits that GitHub lists it for beside its own merge."""
