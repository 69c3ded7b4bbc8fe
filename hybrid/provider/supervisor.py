"""One supervisord per process: started so that it outlives whoever started it, asked and stopped over its socket.

It restarts the program when that ends, rotates its log and stops it. Source of the calls and states:
https://supervisord.org/api.html and supervisor/process.py of supervisor 4.3.
"""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, cast

import psutil

from hybrid.errors import HybridError
from hybrid.provider import family

State = Literal["STOPPED", "STARTING", "RUNNING", "BACKOFF", "STOPPING", "EXITED", "FATAL", "UNKNOWN"]

CONFIGURATION: Final = "supervisord.conf"
OWN_FILES: Final = (CONFIGURATION, "supervisord.log", "supervisord.log.1", "supervisord.pid")
_CALL_SECONDS: Final = 5.0
_START_SECONDS: Final = 30.0  # it takes 0.2 s; a machine under load needs more
_POKE: Final = 0.05  # seconds between looks at a supervisor that stops


@dataclass(frozen=True)
class Status:
    """How the program is doing; ``pid`` is 0 while it does not run."""

    state: State
    pid: int


class Supervisor:
    """The supervisord of one process folder. ``socket`` is the path that its configuration names."""

    def __init__(self, directory: Path, socket: Path) -> None:
        self._directory = directory
        self._socket = socket

    def find(self) -> psutil.Process | None:
        """The live supervisord of this folder."""
        try:
            process = psutil.Process(int((self._directory / "supervisord.pid").read_text(encoding="ascii")))
        except (OSError, ValueError, psutil.Error):
            process = None
        if process is not None and self._is_mine(process):
            return process
        # without its pid file it is still ours: it bears the mark
        return next((member for member in family.members(self._directory) if self._is_mine(member)), None)

    def start(self, environment: Mapping[str, str]) -> None:
        """Start it as a daemon of its own session. Returns when its socket answers."""
        command = [sys.executable, "-P", "-m", "supervisor.supervisord", "-c", str(self._configuration)]
        started = subprocess.run(
            command,
            cwd=self._directory,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            timeout=_START_SECONDS,
            check=False,
        )
        if started.returncode != 0:
            raise HybridError(
                "The process supervisor did not start.",
                why=started.stdout.strip()[-2000:] or f"supervisord ended with code {started.returncode}.",
                next_step=f"check that {self._directory} can be written and the disk is not full.",
            )

    def status(self) -> Status | None:
        """What it says about the program, or None when nobody answers on its socket."""
        try:
            answer = self._call("supervisor.getProcessInfo", "process")
        except (OSError, http.client.HTTPException, xmlrpc.client.Error):
            return None
        return Status(state=cast(State, answer["statename"]), pid=int(answer["pid"]))

    def stop(self, graceful_seconds: float) -> None:
        """Stop program and supervisor; both are killed when they do not end in time. No error when none runs."""
        process = self.find()
        if process is None:
            return
        try:
            self._call("supervisor.shutdown")
        except (OSError, http.client.HTTPException, xmlrpc.client.Error):
            family.send(process, signal.SIGTERM)
        deadline = time.monotonic() + graceful_seconds + _CALL_SECONDS
        while family.alive(process):
            if time.monotonic() > deadline:
                family.send(process, signal.SIGKILL)
            self.status()  # an idle supervisord looks at its signals and children once a second; a call wakes it
            time.sleep(_POKE)
        self._socket.unlink(missing_ok=True)

    @property
    def _configuration(self) -> Path:
        return self._directory / CONFIGURATION

    def _is_mine(self, process: psutil.Process) -> bool:
        arguments = family.command_line(process)
        return str(self._configuration) in arguments and "supervisor.supervisord" in arguments and family.alive(process)

    def _call(self, method: str, *arguments: str) -> Any:
        connection = _UnixConnection(self._socket)
        try:
            body = xmlrpc.client.dumps(arguments, method)
            connection.request("POST", "/RPC2", body, {"Content-Type": "text/xml"})
            answer = connection.getresponse().read()
        finally:
            connection.close()
        return xmlrpc.client.loads(answer)[0][0]


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=_CALL_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(os.fspath(self._path))
