"""Dagster's process launcher, with run workers that are missed when they die.

The stock one cannot tell (``run_worker_monitoring_supported`` is false in its heartbeats), so that a run whose worker
the system killed, for memory for instance, would stay STARTED for ever. This one says which workers are gone, in the
heartbeats and by the words that Dagster's launchers for Docker, ECS and Kubernetes use; Dagster+ then ends the run.

It is imported by the agent alone, from its ``dagster.yaml``. Rests on the sources of dagster-cloud 1.13.27:
workspace/user_code_launcher/process.py, execution/cloud_run_launcher/process.py, execution/monitoring.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import dagster_cloud.workspace.user_code_launcher  # noqa: F401 - first, or its run launcher imports in a circle
import psutil
from dagster import DagsterInstance, Field, StringSource
from dagster._core.launcher import WorkerStatus
from dagster._core.launcher.base import LaunchRunContext
from dagster._core.storage.dagster_run import ACTIVE_RUN_STATUSES, RunsFilter
from dagster._serdes import ConfigurableClassData
from dagster_cloud.execution.cloud_run_launcher.process import PID_TAG, CloudProcessRunLauncher
from dagster_cloud.execution.monitoring import CloudRunWorkerStatus, CloudRunWorkerStatuses
from dagster_cloud.workspace.user_code_launcher.process import ProcessUserCodeLauncher as StockLauncher

GONE: Final = (
    "The run's worker, process {pid} of the agent's machine, is gone without having ended the run. It crashed or was "
    "killed, most often because memory ran out; the system's log tells which."
)
_log = logging.getLogger("dagster_cloud.user_code_launcher")


class RunWorkers:
    """The run workers that were started on this machine, one file each in ``folder``: they outlive their agent."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def started(self, run_id: str, pid: int) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        unfinished = self._folder / f".{run_id}"
        unfinished.write_text(str(pid), encoding="ascii")
        unfinished.replace(self._folder / run_id)

    def known(self) -> dict[str, int]:
        """Each run's worker, by the run's id: its process id."""
        found = {}
        for file in self._folder.glob("[!.]*"):
            with contextlib.suppress(OSError, ValueError):  # a file that somebody spoiled must not stop heartbeats
                found[file.name] = int(file.read_text(encoding="ascii"))
        return found

    def forget(self, run_ids: Iterable[str]) -> None:
        for run_id in run_ids:
            (self._folder / run_id).unlink(missing_ok=True)


def is_working(pid: int, run_id: str) -> bool:
    """Whether process ``pid`` is that run's worker and alive: its arguments name the run, and ids are used again."""
    try:
        return any(run_id in word for word in psutil.Process(pid).cmdline())
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return False
    except psutil.AccessDenied:
        return True


class WatchedRunLauncher(CloudProcessRunLauncher):
    """Starts run workers and notes them down."""

    def __init__(self, workers: RunWorkers) -> None:
        self._workers = workers
        super().__init__()  # type: ignore[no-untyped-call]

    def launch_run(self, context: LaunchRunContext) -> None:
        super().launch_run(context)
        run = self._instance.get_run_by_id(context.dagster_run.run_id)
        if run is not None and PID_TAG in run.tags:
            self._workers.started(run.run_id, int(run.tags[PID_TAG]))


class ProcessUserCodeLauncher(StockLauncher):
    """Named as the stock one: agents tell Dagster+ their kind by this name, and it may know no other."""

    def __init__(
        self, run_workers_folder: str, inst_data: ConfigurableClassData | None = None, **configured: Any
    ) -> None:
        self._workers = RunWorkers(Path(run_workers_folder))
        super().__init__(inst_data=inst_data, **configured)

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        folder = Field(StringSource, description="Where the run workers that were started are noted down.")
        return {**super().config_type(), "run_workers_folder": folder}

    def run_launcher(self) -> CloudProcessRunLauncher:
        if self._run_launcher is None:
            self._run_launcher = WatchedRunLauncher(self._workers)
            self._run_launcher.register_instance(self._instance)
        return self._run_launcher

    def get_cloud_run_worker_statuses(self, deployment_names: Iterable[str]) -> Mapping[str, CloudRunWorkerStatuses]:
        """What the heartbeat says of the runs that were started here: looked at now, since that takes no time.

        Nothing is said of runs that another agent started. The stock monitoring thread, which would look a while
        before, is not used: it fails on runs without isolation, which this launcher's code servers do not report.
        """
        names = list(deployment_names)
        # Workers first, runs after: one that ended its run is gone only after that was stored.
        workers = {run_id: (pid, is_working(pid, run_id)) for run_id, pid in self._workers.known().items()}
        active = {name: self._active_runs(name) if workers else set() for name in names}
        if all(runs is not None for runs in active.values()):
            ended = {run_id for run_id, (_, works) in workers.items() if not works}
            self._workers.forget(ended.difference(*(runs or () for runs in active.values())))
        return {
            name: CloudRunWorkerStatuses(
                [_status(run_id, *workers[run_id]) for run_id in sorted(active[name] or ()) if run_id in workers],
                run_worker_monitoring_supported=True,
                run_worker_monitoring_thread_alive=True,
            )
            for name in names
        }

    def _active_runs(self, deployment: str) -> set[str] | None:
        """Runs of the deployment that have begun and not ended; None when Dagster+ did not say."""
        try:
            with DagsterInstance.from_ref(self._instance.ref_for_deployment(deployment)) as instance:
                return {run.run_id for run in instance.get_runs(RunsFilter(statuses=ACTIVE_RUN_STATUSES))}
        except Exception:  # whatever it is, the heartbeat has to go out
            _log.exception("The run workers of the deployment %s could not be looked after.", deployment)
            return None


def _status(run_id: str, pid: int, works: bool) -> CloudRunWorkerStatus:
    if works:
        return CloudRunWorkerStatus(run_id, WorkerStatus.RUNNING)
    return CloudRunWorkerStatus(run_id, WorkerStatus.FAILED, GONE.format(pid=pid))
