"""What tests of every kind share."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator

import hypothesis
import pytest

from hybrid import redaction

pytest_plugins = [
    "tests.containers.fixtures",
    "tests.aws.fixtures",
    "tests.ecs.fixtures",
    "tests.kubernetes.fixtures",
    "tests.standins.forge_fixtures",
]

_LOOP = pytest.StashKey[asyncio.AbstractEventLoop]()


def pytest_configure() -> None:
    """Where the tests run in a shell's background, which has its processes ignore Ctrl-C, those that tests start would
    inherit that. And no example of a test is too slow."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    # examples take as long as they take: on a busy machine one of a few milliseconds takes a second
    hypothesis.settings.register_profile("unhurried", deadline=None)
    hypothesis.settings.load_profile("unhurried")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Gives the main thread an event loop before any fixture: Pulumi's outputs take the thread's own, and whatever
    called ``asyncio.run`` before, in a test of another module on the same worker, has taken that away."""
    stash = item.config.stash
    loop = stash.get(_LOOP, None)
    if loop is None or loop.is_closed():
        loop = stash[_LOOP] = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)


def pytest_collection_finish() -> None:
    """What modules of tests made into secrets as they were imported is one of their own tests, not of all."""
    with redaction._lock:
        redaction._registered.clear()
        redaction._known = None


@pytest.fixture(autouse=True)
def secrets_of_the_test_alone() -> Iterator[None]:
    """A secret is remembered by its process, for good. In tests it is a word like any other, which the next test on the
    same worker may print."""
    with redaction._lock:
        before, known = set(redaction._registered), redaction._known
    yield
    with redaction._lock:
        redaction._registered.clear()
        redaction._registered.update(before)
        redaction._known = known


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    loop = config.stash.get(_LOOP, None)
    if loop is not None:
        loop.close()
