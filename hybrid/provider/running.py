"""A process as it runs: adopting, starting, watching and stopping it. Callers hold the folder's lock."""

from __future__ import annotations

import errno
import os
import socket
import sys
import time
from typing import Final

import psutil

from hybrid.errors import HybridError
from hybrid.provider import family, process_folder, systemd
from hybrid.provider.health import is_hung
from hybrid.provider.process_folder import Record
from hybrid.provider.process_spec import ProcessSpec
from hybrid.provider.resource import Call
from hybrid.provider.runtime import socket_path
from hybrid.provider.supervisor import Status, Supervisor

_ALIVE_STATES: Final = frozenset({"STARTING", "RUNNING", "BACKOFF"})


_SUPERVISOR_SECONDS: Final = 30.0
_POLL: Final = 0.05


class NotStartedError(HybridError):
    """The program ends as soon as it is started."""


class Running:
    """The process of ``spec`` on this machine."""

    def __init__(self, spec: ProcessSpec, call: Call) -> None:
        self.spec = spec
        self.call = call
        self._socket = socket_path(spec.directory)
        self._supervisor = Supervisor(spec.directory, self._socket)

    def status(self) -> Status | None:
        """The supervisor's word, or None when no supervisor lives."""
        status = self._supervisor.status()
        if status is not None or self._supervisor.find() is None:
            return status
        # the supervisor lives but its socket is lost, say to a cleaner of /tmp: the program itself is what counts
        program = family.program(self.spec.directory)
        return Status("RUNNING", program.pid) if program is not None else None

    def adopted(self) -> Record | None:
        """The record of what runs, when that is what the spec asks for and it is not hung."""
        record = Record.load(self.spec.directory)
        if record is None or not record.describes(self.spec) or process_folder.changed_files(self.spec) is not None:
            return None
        status = self._supervisor.status()
        if status is None or status.state not in _ALIVE_STATES:
            return None
        # before it has ever been ready its slowness is its start, which is waited for
        return None if record.ready and is_hung(self.spec.readiness_url) else record

    def restarted(self) -> Record:
        """Stop what stands here, and start what the spec asks for. Returns as soon as it is started."""
        self.stop()
        if self.spec.port is not None:
            _refuse_taken_port(self.spec.name, self.spec.port)
        record = Record.new(self.spec)
        process_folder.write(self.spec, record, self.spec.supervisor_configuration(sys.executable, self._socket))
        environment = self.spec.supervisor_environment(os.environ)
        if self.spec.survives_reboot:
            systemd.activate(self.spec, environment)
            self._await_supervisor()
            self.call.report.info("systemd starts it with your login; `loginctl enable-linger` makes that the boot")
        else:
            self._supervisor.start(environment)
        return record

    def _await_supervisor(self) -> None:
        deadline = time.monotonic() + _SUPERVISOR_SECONDS
        while self._supervisor.status() is None:
            if time.monotonic() > deadline:
                raise HybridError(
                    f"systemd started {self.spec.name}, but its supervisor does not answer.",
                    next_step=f"`systemctl --user status {systemd.unit_name(self.spec)}` says more.",
                )
            self.call.wait(_POLL)

    def stop(self) -> None:
        """Stop supervisor and program, an orphaned program too, and leftovers that would disturb the next start."""
        systemd.deactivate(self.spec)
        self._supervisor.stop(self.spec.stop_timeout)
        orphan = family.program(self.spec.directory)
        if orphan is not None:
            family.end([orphan], graceful_seconds=self.spec.stop_timeout)
        family.end(family.leftovers(self.spec.directory, self.spec.leftover_commands), graceful_seconds=2.0)


def _refuse_taken_port(name: str, port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise HybridError(
                    f"Port {port}, which {name} is to use, cannot be had.",
                    why=error.strerror,
                    next_step="choose another port in the stack file.",
                ) from None
            raise HybridError(
                f"Port {port}, which {name} is to use, is taken.",
                why=_holder(port),
                next_step="stop that program, or choose another port in the stack file.",
            ) from None


def _holder(port: int) -> str:
    for process in psutil.process_iter():
        try:
            for connection in process.net_connections(kind="tcp"):
                if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port:
                    return f"{' '.join(process.cmdline())[:200]} (pid {process.pid}) listens on it."
        except psutil.Error:
            continue  # ended meanwhile, or another user's
    return "A program of another user listens on it."
