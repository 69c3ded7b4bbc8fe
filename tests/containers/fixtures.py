"""Fixtures around the engine and the registry: ``pytest_plugins = ["tests.containers.fixtures"]``.

What a session of tests stood up is taken away at its end, by the last session that uses it; what stood before, or was
stood up by ``python -m tests.containers up``, stays.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import pytest

from tests.containers import client, engine, stand
from tests.containers.home import Home

_USER: Final = "HYBRID_TEST_CONTAINERS_USER"
"""The process id of the session's controller, for its workers."""
_HELD: Final = pytest.StashKey[ExitStack]()
_STANDIN: Final = Path(__file__).resolve().parents[1] / "standins" / "docker"


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        os.environ[_USER] = str(os.getpid())


def pytest_report_header(config: pytest.Config) -> list[str]:
    environ = dict(os.environ)
    version = stand.official_docker_plugin(environ)
    plugin = f"official {version}" if version else "STAND-IN (tests/standins/docker)"
    return [f"containers: {_told(Home.of(environ), environ)}", f"docker plugin of Pulumi: {plugin}"]


def pytest_sessionfinish(session: pytest.Session) -> None:
    if not hasattr(session.config, "workerinput"):
        environ = dict(os.environ)
        stand.leave(Home.of(environ), environ, os.getpid())


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None, object, object]:
    """Tests that look at the whole engine run alone, the others beside each other: in all workers and sessions.

    A module keeps its share of the engine until its last test: an agent that lives as long as the module starts and
    removes containers between its tests, too.
    """
    use = _use(item)
    if use is None:
        return (yield)
    if item.config.stash.get(_HELD, None) is None:
        item.config.stash[_HELD] = held = ExitStack()
        held.enter_context(Home.of(dict(os.environ)).engine_used(alone=use == "alone"))
    try:
        return (yield)
    finally:
        if not _goes_on(item, nextitem, use):
            item.config.stash[_HELD].close()
            del item.config.stash[_HELD]


def _use(item: pytest.Item) -> str | None:
    names = getattr(item, "fixturenames", ())
    return None if "containers" not in names else "alone" if "clean_engine" in names else "beside others"


def _goes_on(item: pytest.Item, nextitem: pytest.Item | None, use: str) -> bool:
    return nextitem is not None and nextitem.path == item.path and _use(nextitem) in (use, None)


@pytest.fixture(scope="session")
def containers() -> stand.Containers:
    """A Docker engine, a registry and a base image: those that stand, else stood up now."""
    environ = dict(os.environ)
    return stand.up(Home.of(environ), environ, user=int(environ[_USER]))


@pytest.fixture
def clean_engine(containers: stand.Containers) -> Iterator[stand.Containers]:
    """``containers``, with the assertion that after the test containers, networks and volumes are as before."""
    before = contents(containers)
    yield containers
    after = contents(containers)
    assert after == before, f"the test left {_more(after, before)} and took {_more(before, after)}"


@pytest.fixture(scope="session")
def docker_plugin_path() -> str:
    """The folder to put before PATH so that Pulumi finds a docker plugin; empty where Pulumi has its own."""
    return "" if stand.official_docker_plugin(dict(os.environ)) else str(_STANDIN)


def contents(containers: stand.Containers) -> dict[str, set[str]]:
    """The names of all containers, networks and volumes of the engine."""
    asked: dict[str, list[str]] = {
        "containers": ["ps", "--all", "--format", "{{.Names}}"],
        "networks": ["network", "ls", "--format", "{{.Name}}"],
        "volumes": ["volume", "ls", "--format", "{{.Name}}"],
    }
    return {what: set(containers.run(*arguments).split()) for what, arguments in asked.items()}


def _more(these: dict[str, set[str]], those: dict[str, set[str]]) -> dict[str, Any]:
    return {what: sorted(names - those[what]) for what, names in these.items() if names - those[what]}


def _told(home: Home, environ: dict[str, str]) -> str:
    found = next((name for name in client.on_path(environ) if client.answers(name, environ)), None)
    standing = stand.standing(home, environ)
    if standing is not None:
        way = "started for tests" if standing.started else "found"
        return f"engine {standing.engine}, {way}; registry {standing.registry}"
    if found is not None and (running := engine.find(home, environ)):
        return f"engine {running.version}, found; no registry yet"
    return "no engine answers; tests that need one start Debian's, installed if it is missing"
