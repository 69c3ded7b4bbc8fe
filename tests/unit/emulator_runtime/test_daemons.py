"""Which of Dagster's daemons run: those that the instance's settings require, also after these change."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from dagster import DagsterInstance
from dagster._core.workspace.context import IWorkspaceProcessContext

from hybrid.emulator.runtime import daemons as module
from hybrid.emulator.runtime.agent_requests import AgentRequests
from hybrid.emulator.runtime.compute_logs import UploadedComputeLogs
from hybrid.emulator.runtime.daemons import Daemons
from hybrid.emulator.runtime.instance import apply_settings, make_instance
from hybrid.emulator.runtime.launcher import AgentRunLauncher
from hybrid.emulator.runtime.storage import Storages

pytestmark = pytest.mark.unit


class Silent:
    """A daemon that does nothing until it is told to stop, and counts its beginnings."""

    _errors: Any = SimpleNamespace(appendleft=lambda _error: None)

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.begun = threading.Event()

    def core_loop(self, _workspace: Any, stopping: threading.Event) -> Iterator[None]:
        if self.failures:
            self.failures -= 1
            raise ValueError("this daemon fails by design")
        self.begun.set()
        while not stopping.wait(0.01):
            yield None

    def _check_add_heartbeat(self, *_arguments: Any) -> None: ...


@pytest.fixture
def instance(tmp_path: Path, storages: Storages) -> DagsterInstance:
    launcher = AgentRunLauncher(cast(AgentRequests, None), lambda _location: None, lambda _run: None)
    return make_instance(storages, UploadedComputeLogs(str(tmp_path / "compute_logs")), launcher, {})


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> dict[str, Silent]:
    """The daemons made so far, by kind; they do nothing."""
    found: dict[str, Silent] = {}

    def make(kind: str, _instance: Any) -> Silent:
        return found.setdefault(kind, Silent(failures=1 if kind == "SENSOR" else 0))

    monkeypatch.setattr(module, "_daemon", make)
    monkeypatch.setattr(module, "RESTART_SECONDS", 0.01)
    return found


@pytest.fixture
def daemons(instance: DagsterInstance, made: dict[str, Silent]) -> Iterator[Daemons]:
    started = Daemons(cast(IWorkspaceProcessContext[Any], SimpleNamespace(instance=instance)))
    started.start()
    yield started
    started.close()


def running() -> set[str]:
    return {thread.name for thread in threading.enumerate() if thread.name.startswith("dagster-")}


@pytest.mark.usefixtures("daemons")
def test_runs_are_queued_monitored_and_retried_from_the_start(made: dict[str, Silent]) -> None:
    assert {"QUEUED_RUN_COORDINATOR", "MONITORING", "EVENT_LOG_CONSUMER", "BACKFILL", "SCHEDULER"} <= set(made)


def test_daemons_come_and_go_with_the_settings(instance: DagsterInstance, daemons: Daemons) -> None:
    leaving = next(thread for thread in threading.enumerate() if thread.name == "dagster-event_log_consumer")
    apply_settings(instance, {"run_retries": {"enabled": False}})
    daemons.follow()
    leaving.join(10)
    assert not leaving.is_alive(), "who does not want retries has no daemon for them"
    apply_settings(instance, {})
    daemons.follow()
    assert "dagster-event_log_consumer" in running()


def test_nothing_changes_when_the_requirements_have_not(daemons: Daemons) -> None:
    before = {thread.ident for thread in threading.enumerate()}
    daemons.follow()
    assert {thread.ident for thread in threading.enumerate()} == before


@pytest.mark.usefixtures("daemons")
def test_a_daemon_that_fails_begins_anew(made: dict[str, Silent]) -> None:
    assert made["SENSOR"].begun.wait(10), "the others' work must not end with one error"


def test_close_ends_all(daemons: Daemons) -> None:
    daemons.close()
    assert running() == set()
