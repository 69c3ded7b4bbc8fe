"""What the runtime's tests share: an organization, its runtime, and events as run workers send them."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from dagster import DagsterRun, DagsterRunStatus
from dagster._core.events import DagsterEvent
from dagster._core.events.log import EventLogEntry

from hybrid.emulator.organization import Organization
from hybrid.emulator.presigned import Signer
from hybrid.emulator.runtime import Runtime
from hybrid.emulator.runtime.agent_requests import AgentRequests
from hybrid.emulator.runtime.bridge import Bridge
from hybrid.emulator.runtime.compute_logs import UploadedComputeLogs
from hybrid.emulator.runtime.instance import make_instance
from hybrid.emulator.runtime.launcher import AgentRunLauncher
from hybrid.emulator.runtime.loaded import LoadedRuntime
from hybrid.emulator.runtime.storage import Storages, open_storages


@pytest.fixture
def organization(tmp_path: Path) -> Iterator[Organization]:
    found = Organization(tmp_path)
    yield found
    found.close()


@pytest.fixture(scope="session")
def made_storages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fresh storages; making them takes a second, copying them nothing."""
    folder = tmp_path_factory.mktemp("made") / "storage"
    open_storages(folder).dispose()
    return folder


@pytest.fixture
def runtime(tmp_path: Path, organization: Organization, made_storages: Path) -> Iterator[LoadedRuntime]:
    shutil.copytree(made_storages, tmp_path / "deployments" / str(organization.deployment.id) / "storage")
    loaded = Runtime.load(tmp_path, organization, Signer(tmp_path / "presigning-key"))
    yield loaded
    loaded.close()


@pytest.fixture
def storages(tmp_path: Path, made_storages: Path) -> Iterator[Storages]:
    shutil.copytree(made_storages, tmp_path / "storage")
    opened = open_storages(tmp_path / "storage")
    yield opened
    opened.dispose()


@pytest.fixture
def bridge(tmp_path: Path, storages: Storages) -> Bridge:
    """The storage operations over ``storages``; runs are not launched, and no location is loaded."""
    launcher = AgentRunLauncher(cast(AgentRequests, None), lambda _location: None, lambda _run: None)
    instance = make_instance(storages, UploadedComputeLogs(str(tmp_path / "compute_logs")), launcher, {})
    return Bridge(instance, storages, cast(Any, None))


@pytest.fixture
def make_event() -> Callable[..., EventLogEntry]:
    """``make_event(run_id, text="…")`` is a log line; with ``kind`` an event of Dagster's."""

    def make(run_id: str, text: str = "", kind: str | None = None, **details: Any) -> EventLogEntry:
        event = DagsterEvent(kind, "job", message=text, **details) if kind else None
        return EventLogEntry(
            error_info=None,
            level=20,
            user_message=text,
            run_id=run_id,
            timestamp=time.time(),
            step_key=None,
            job_name="job",
            dagster_event=event,
        )

    return make


@pytest.fixture
def add_run() -> Callable[[Storages, str], DagsterRun]:
    """``add_run(storages, run_id)`` stores a run that has not started."""

    def add(storages: Storages, run_id: str) -> DagsterRun:
        return storages.runs.add_run(DagsterRun(job_name="job", run_id=run_id, status=DagsterRunStatus.NOT_STARTED))

    return add
