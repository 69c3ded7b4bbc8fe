"""The questions to a real organization: refused before anything runs when it is not said which, and by what token."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hybrid.errors import HybridError
from tests.live.plus.organization import Reader, Settings, settings

_HERE = Path(__file__).parent


@pytest.hookimpl(trylast=True)  # after `-m`: whoever does not ask for live tests needs no token
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if not any(item.path.is_relative_to(_HERE) and item.get_closest_marker("live") for item in items):
        return
    try:
        settings()
    except HybridError as error:
        raise pytest.UsageError(f"{error.sentence()} Nothing was asked of anybody.") from None


@pytest.fixture(scope="session")
def live() -> Settings:
    return settings()


@pytest.fixture(scope="session")
def reader(live: Settings) -> Iterator[Reader]:
    """With the user's token."""
    opened = Reader(live.endpoint, live.token)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def agents_reader(live: Settings) -> Iterator[Reader]:
    """With an agent's token, if there is one."""
    if live.agent_token is None:
        pytest.skip("no agent token: HYBRID_LIVE_AGENT_TOKEN_FILE names a file that holds one")
    opened = Reader(live.endpoint, live.agent_token)
    yield opened
    opened.close()
