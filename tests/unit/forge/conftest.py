"""The forge's door, and a stand-in behind it. Nothing waits: pauses are written down."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from hybrid.forge.github import GitHub
from hybrid.forge.gitlab import GitLab
from hybrid.forge.transport import Patience
from hybrid.redaction import Token
from tests.standins.github import FakeGitHub
from tests.standins.gitlab import FakeGitLab

MARKER = "<!-- hybrid-review -->"


@dataclass
class Pauses:
    """What would have been waited, in seconds."""

    seconds: list[float] = field(default_factory=list)

    def patience(self, answer_seconds: float = 20.0) -> Patience:
        return Patience(answer_seconds=answer_seconds, sleep=self.seconds.append)


@pytest.fixture
def pauses() -> Pauses:
    return Pauses()


@pytest.fixture
def door(github: FakeGitHub, pauses: Pauses) -> GitHub:
    """To the stand-in, as in a job of a workflow; pull request 12 is open."""
    github.add_pull_request(12)
    token = Token(github.token)
    return GitHub.of(github.url, github.repository, token, github.environ, patience=pauses.patience())


@pytest.fixture
def another_door(github: FakeGitHub, pauses: Pauses) -> Callable[[], GitHub]:
    """Other runs' doors to the same stand-in."""

    def make() -> GitHub:
        token = Token(github.token)
        return GitHub.of(github.url, github.repository, token, github.environ, patience=pauses.patience())

    return make


@pytest.fixture
def gitlab_door(gitlab: FakeGitLab, pauses: Pauses) -> GitLab:
    gitlab.add_pull_request(12)
    token = Token(gitlab.token)
    return GitLab.of(gitlab.url, gitlab.repository, token, gitlab.environ, patience=pauses.patience())
