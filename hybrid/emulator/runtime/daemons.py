"""Dagster's own daemons in threads: what is turned on in the UI ticks, and runs that hang are ended.

Rests on ``docs``: Dagster+ runs them for its deployments. How they behave is Dagster's own code.
"""

from __future__ import annotations

import logging
import threading
from typing import Any, Final
from uuid import uuid4

from dagster._core.workspace.context import IWorkspaceProcessContext
from dagster._time import get_current_datetime
from dagster_shared.error import SerializableErrorInfo

HEARTBEAT_SECONDS: Final = 30
ERRORS_SHOWN_SECONDS: Final = 300
RESTART_SECONDS: Final = 5.0
STOP_SECONDS: Final = 5.0
"""A daemon that waits for an agent's answer stops when the organization's requests are closed, or with the process."""

_log = logging.getLogger(__name__)


class Daemons:
    """The daemons that the workspace's instance requires. They start with ``start`` and stop with ``close``.

    Their own ``run_daemon_loop`` is not used: it also uploads telemetry that other Dagster processes of this person
    have left behind (dagster/_core/telemetry_upload.py), whatever this instance's settings say.
    """

    def __init__(self, workspace: IWorkspaceProcessContext[Any]) -> None:
        self._workspace = workspace
        self._stopping = threading.Event()
        self._identity = str(uuid4())
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        # Not with the module: daemons bring in much that nothing else needs.
        from dagster._daemon.controller import create_daemon_of_type

        logging.getLogger("dagster.daemon").setLevel(logging.WARNING)
        for kind in self._workspace.instance.get_required_daemon_types():
            daemon = create_daemon_of_type(kind, self._workspace.instance)
            thread = threading.Thread(target=self._run, args=(daemon,), name=f"dagster-{kind.lower()}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def close(self) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join(STOP_SECONDS)
            if thread.is_alive():
                _log.warning("%s is still at work and ends with the process.", thread.name)

    def _run(self, daemon: Any) -> None:
        """Drive the daemon's endless loop; after a failure begin it anew. Its errors show in the UI."""
        while not self._stopping.is_set():
            try:
                for outcome in daemon.core_loop(self._workspace, self._stopping):
                    if isinstance(outcome, SerializableErrorInfo):
                        daemon._errors.appendleft((outcome, get_current_datetime()))
                    if self._stopping.is_set():
                        return
                    self._beat(daemon)
            except Exception:  # what a daemon's loop raises is Dagster's or user code's; the daemon has to go on
                _log.exception("%s failed and begins anew.", threading.current_thread().name)
                self._stopping.wait(RESTART_SECONDS)

    def _beat(self, daemon: Any) -> None:
        daemon._check_add_heartbeat(self._workspace.instance, self._identity, HEARTBEAT_SECONDS, ERRORS_SHOWN_SECONDS)
