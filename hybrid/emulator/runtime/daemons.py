"""Dagster's own daemons in threads: what is turned on in the UI ticks, queued runs go, and runs that hang are ended.

Rests on ``docs``: Dagster+ runs them for its deployments. How they behave is Dagster's own code.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from typing import Any, Final
from uuid import uuid4

from dagster._core.workspace.context import IWorkspaceProcessContext
from dagster._time import get_current_datetime
from dagster_shared.error import SerializableErrorInfo

HEARTBEAT_SECONDS: Final = 30
ERRORS_SHOWN_SECONDS: Final = 300
RESTART_SECONDS: Final = 5.0
BACKFILL_SECONDS: Final = 5.0
"""How often backfills go on by a step; Dagster's own 30 s make one of two partitions last a minute (``invented``)."""

STOP_SECONDS: Final = 5.0
"""A daemon that waits for an agent's answer stops when the organization's requests are closed, or with the process."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Running:
    thread: threading.Thread
    stopping: threading.Event


class _BackfillPause(threading.Event):
    """The event that the daemon's loop waits on between two steps, for a time that is a constant of Dagster's."""

    def wait(self, timeout: float | None = None) -> bool:
        return super().wait(BACKFILL_SECONDS if timeout is None else min(timeout, BACKFILL_SECONDS))


class Daemons:
    """The daemons that the workspace's instance requires. They start with ``start`` and stop with ``close``.

    Their own ``run_daemon_loop`` is not used: it also uploads telemetry that other Dagster processes of this person
    have left behind (dagster/_core/telemetry_upload.py), whatever this instance's settings say.
    """

    def __init__(self, workspace: IWorkspaceProcessContext[Any]) -> None:
        self._workspace = workspace
        self._identity = str(uuid4())
        self._lock = threading.Lock()
        self._running: dict[str, _Running] = {}

    def start(self) -> None:
        logging.getLogger("dagster.daemon").setLevel(logging.WARNING)
        # It warns, once a deployment, that it has seen no run yet.
        logging.getLogger("dagster.daemon.EventLogConsumerDaemon").setLevel(logging.ERROR)
        self.follow()

    def follow(self) -> None:
        """Start and stop daemons as the instance's settings now require."""
        with self._lock:
            required = set(self._workspace.instance.get_required_daemon_types())
            for kind in set(self._running) - required:
                self._running.pop(kind).stopping.set()
            for kind in sorted(required - set(self._running)):
                self._running[kind] = self._begin(kind)

    def close(self) -> None:
        with self._lock:
            for running in self._running.values():
                running.stopping.set()
            for running in self._running.values():
                running.thread.join(STOP_SECONDS)
                if running.thread.is_alive():
                    _log.warning("%s is still at work and ends with the process.", running.thread.name)
            self._running.clear()

    def _begin(self, kind: str) -> _Running:
        stopping = _BackfillPause() if kind == "BACKFILL" else threading.Event()
        arguments = (_daemon(kind, self._workspace.instance), stopping)
        thread = threading.Thread(target=self._run, args=arguments, name=f"dagster-{kind.lower()}", daemon=True)
        thread.start()
        return _Running(thread, stopping)

    def _run(self, daemon: Any, stopping: threading.Event) -> None:
        """Drive the daemon's endless loop; after a failure begin it anew. Its errors show in the UI."""
        while not stopping.is_set():
            try:
                for outcome in daemon.core_loop(self._workspace, stopping):
                    if isinstance(outcome, SerializableErrorInfo):
                        daemon._errors.appendleft((outcome, get_current_datetime()))
                    if stopping.is_set():
                        return
                    self._beat(daemon)
            except Exception:  # what a daemon's loop raises is Dagster's or user code's; the daemon has to go on
                _log.exception("%s failed and begins anew.", threading.current_thread().name)
                stopping.wait(RESTART_SECONDS)

    def _beat(self, daemon: Any) -> None:
        daemon._check_add_heartbeat(self._workspace.instance, self._identity, HEARTBEAT_SECONDS, ERRORS_SHOWN_SECONDS)


def _daemon(kind: str, instance: Any) -> Any:
    # Not with the module: daemons bring in much that nothing else needs.
    from dagster._daemon.controller import create_daemon_of_type

    from hybrid.emulator.runtime.run_queue import RunQueue, RunQueueDaemon

    if kind == RunQueueDaemon.daemon_type() and isinstance(instance.run_coordinator, RunQueue):
        return RunQueueDaemon(instance.run_coordinator)
    return create_daemon_of_type(kind, instance)
