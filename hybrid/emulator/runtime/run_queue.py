"""The queue that runs wait in until a limit lets them go, and the daemon that lets them go.

Rests on ``docs`` (Dagster+ queues every run of a deployment under the limits of its settings) and ``client``
(dagster/_core/run_coordinator/queued_run_coordinator.py and its daemon, whose rules these are). ``invented``: that a
submitted run is looked at once, instead of when the daemon's next interval begins.
"""

from __future__ import annotations

import sys
import threading
import time
from threading import Event
from typing import Any, Final

from dagster import DagsterRun, DagsterRunStatus
from dagster._core.run_coordinator import QueuedRunCoordinator, SubmitRunContext
from dagster._core.run_coordinator.queued_run_coordinator import RunQueueConfig
from dagster._core.storage.dagster_run import RunsFilter
from dagster._core.workspace.context import IWorkspaceProcessContext
from dagster._daemon.daemon import DaemonIterator
from dagster._daemon.run_coordinator.queued_run_coordinator_daemon import QueuedRunCoordinatorDaemon
from dagster._utils.error import serializable_error_info_from_exc_info

QUEUED_SECONDS: Final = 1.0
"""How often runs that wait for a limit are looked at: what frees a slot or ends a run tells nobody."""

IDLE_SECONDS: Final = 5.0
"""How often an empty queue is looked at: Dagster's own interval. A submitted run does not wait for it."""

_STEP_SECONDS: Final = 0.5


class RunQueue(QueuedRunCoordinator[Any]):
    """Dagster's own queue, under the limits that the instance's settings have now (``run_queue``, ``concurrency``)."""

    def __init__(self) -> None:
        super().__init__()
        self._submitted = threading.Event()

    def submit_run(self, context: SubmitRunContext) -> DagsterRun:
        run = super().submit_run(context)
        self._submitted.set()
        return run

    def get_run_queue_config(self) -> RunQueueConfig:
        given = self._instance.get_settings("run_queue")
        blocking = given.get("block_op_concurrency_limited_runs", {})
        return RunQueueConfig(
            max_concurrent_runs=given.get("max_concurrent_runs", self._max_concurrent_runs),
            tag_concurrency_limits=given.get("tag_concurrency_limits", []),
            max_user_code_failure_retries=given.get("max_user_code_failure_retries", 0),
            user_code_failure_retry_delay=given.get("user_code_failure_retry_delay", 60),
            should_block_op_concurrency_limited_runs=blocking.get("enabled", True),
            op_concurrency_slot_buffer=blocking.get("op_concurrency_slot_buffer", 0),
            explicitly_enabled_concurrency_run_blocking=blocking.get("enabled", False),
        )

    def wait(self, seconds: float) -> bool:
        """Wait until a run is submitted, up to ``seconds``; whether one was."""
        submitted = self._submitted.wait(seconds)
        self._submitted.clear()
        return submitted


class RunQueueDaemon(QueuedRunCoordinatorDaemon):
    """Dagster's own dequeuer, woken by each submission."""

    def __init__(self, queue: RunQueue) -> None:
        super().__init__(interval_seconds=IDLE_SECONDS)
        self._queue = queue

    def core_loop(
        self, workspace_process_context: IWorkspaceProcessContext[Any], shutdown_event: Event
    ) -> DaemonIterator:
        while not shutdown_event.is_set():
            try:
                yield from self.run_iteration(workspace_process_context)
                waiting = workspace_process_context.instance.get_runs_count(
                    RunsFilter(statuses=[DagsterRunStatus.QUEUED])
                )
            except Exception:  # one run that cannot be launched must not hold up the others
                waiting = 1
                error = serializable_error_info_from_exc_info(sys.exc_info())
                self._logger.error("The run queue could not be worked off:\n%s", error)
                yield error
            until = time.monotonic() + (QUEUED_SECONDS if waiting else IDLE_SECONDS)
            while not self._queue.wait(_STEP_SECONDS) and time.monotonic() < until:
                yield None
            yield None
