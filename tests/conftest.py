"""What tests of every kind share."""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from hybrid import redaction

pytest_plugins = [
    "tests.ci_notes",
    "tests.made_once",
    "tests.containers.fixtures",
    "tests.aws.fixtures",
    "tests.ecs.fixtures",
    "tests.kubernetes.fixtures",
    "tests.azure.fixtures",
    "tests.standins.forge_fixtures",
]

_LOOP = pytest.StashKey[asyncio.AbstractEventLoop]()


def pytest_configure() -> None:
    """Where the tests run in a shell's background, which has its processes ignore Ctrl-C, those that tests start would
    inherit that. And no example of a test is too slow."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    # no test is one of speed: what hypothesis takes for slow is a machine with other work
    settings.register_profile(
        "patient", deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.differing_executors]
    )
    settings.load_profile("patient")


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


@pytest.fixture(scope="session")
def environments(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for locations' environments, one for all workers of a run. That of a location without requirements of
    its own is there: to make it takes 9 s of CPU."""
    from hybrid.delivery.virtualenv import VirtualEnvironmentSpec
    from tests.emulated.checkout import LEAST_REQUIREMENTS

    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "environments"
    shared.mkdir(exist_ok=True)
    with (shared / ".making").open("w") as making:
        fcntl.flock(making, fcntl.LOCK_EX)
        VirtualEnvironmentSpec(shared, LEAST_REQUIREMENTS).ensure(lambda text: None, time.sleep)
    return shared


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    loop = config.stash.get(_LOOP, None)
    if loop is not None:
        loop.close()
