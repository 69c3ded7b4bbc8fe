"""The stand-ins of the forges as fixtures, for tests of every kind."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.standins.github import FakeGitHub
from tests.standins.gitlab import FakeGitLab


@pytest.fixture
def github() -> Iterator[FakeGitHub]:
    with FakeGitHub() as stand_in:
        yield stand_in


@pytest.fixture
def gitlab() -> Iterator[FakeGitLab]:
    with FakeGitLab() as stand_in:
        yield stand_in
