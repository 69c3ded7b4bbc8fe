"""Which run workers the agent's launcher calls gone. Processes and files are real; Dagster+'s runs are the test's."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from dagster._core.launcher import WorkerStatus

from agent.process_launcher import ProcessUserCodeLauncher, RunWorkers, is_working

pytestmark = pytest.mark.unit


def worker(run_id: str) -> subprocess.Popen[bytes]:
    """A process as a run worker is one: its arguments name the run."""
    return subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()", run_id], stdin=subprocess.PIPE)


@pytest.fixture
def working() -> Iterator[subprocess.Popen[bytes]]:
    process = worker("alive")
    yield process
    process.kill()
    process.communicate()


def killed(run_id: str) -> int:
    process = worker(run_id)
    process.kill()
    process.communicate()
    return process.pid


class Launcher(ProcessUserCodeLauncher):
    """With the runs that Dagster+ calls active; None: it does not answer."""

    active: set[str] | None = None

    def _active_runs(self, deployment: str) -> set[str] | None:
        return self.active


@pytest.fixture
def launcher(tmp_path: Path) -> Launcher:
    return Launcher(run_workers_folder=str(tmp_path / "run_workers"))


@pytest.fixture
def workers(tmp_path: Path, working: subprocess.Popen[bytes]) -> RunWorkers:
    """One that works, one that was killed."""
    noted = RunWorkers(tmp_path / "run_workers")
    noted.started("alive", working.pid)
    noted.started("killed", killed("killed"))
    return noted


def said(launcher: Launcher) -> dict[str, Any]:
    statuses = launcher.get_cloud_run_worker_statuses(["prod"])["prod"]
    assert statuses.run_worker_monitoring_supported
    return {status.run_id: status for status in statuses.statuses}


def test_a_killed_worker_of_a_run_in_progress_has_failed(launcher: Launcher, workers: RunWorkers) -> None:
    launcher.active = {"alive", "killed", "of another agent"}
    found = said(launcher)
    assert {run: status.status_type for run, status in found.items()} == {
        "alive": WorkerStatus.RUNNING,
        "killed": WorkerStatus.FAILED,
    }, "nothing is said of a run that was not started here"
    assert str(workers.known()["killed"]) in found["killed"].message, "the process is named"


def test_a_process_that_only_has_the_worker_s_number_is_not_it(working: subprocess.Popen[bytes]) -> None:
    assert is_working(working.pid, "alive")
    assert not is_working(working.pid, "another run"), "the system gives numbers out again"


def test_a_worker_that_nobody_has_waited_for_is_gone() -> None:
    process = worker("zombie")
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # dead, and still in the system's table
    assert psutil.Process(process.pid).status() == psutil.STATUS_ZOMBIE
    assert not is_working(process.pid, "zombie"), "its agent collects dead children only now and then"
    process.communicate()


def test_workers_of_runs_that_have_ended_are_forgotten(launcher: Launcher, workers: RunWorkers) -> None:
    launcher.active = {"alive"}
    assert set(said(launcher)) == {"alive"}
    assert set(workers.known()) == {"alive"}


def test_nothing_is_said_or_forgotten_while_dagster_plus_does_not_answer(
    launcher: Launcher, workers: RunWorkers
) -> None:
    launcher.active = None
    assert said(launcher) == {}
    assert set(workers.known()) == {"alive", "killed"}


def test_a_note_that_was_spoiled_is_passed_over(launcher: Launcher, workers: RunWorkers, tmp_path: Path) -> None:
    (tmp_path / "run_workers" / "killed").write_text("not a number")
    launcher.active = {"alive", "killed"}
    assert set(said(launcher)) == {"alive"}, "heartbeats must go out whatever lies in the folder"
    assert set(workers.known()) == {"alive"}


def test_an_agent_that_has_started_no_run_asks_nothing(launcher: Launcher) -> None:
    assert said(launcher) == {}
