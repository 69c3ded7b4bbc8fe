"""Containers of the stand-in: processes of this machine in a mount namespace of their own, where `management.azure.com`
and the names of apps lead to loopback addresses."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

INGRESS: Final = 80
"""Where an internal http2 ingress answers, for all apps."""
_SHELL: Final = (
    'set -e; mount --bind "$STANDIN_HOSTS" /etc/hosts; mount --bind "$STANDIN_SCRATCH" /tmp/dagster; '
    'cd "$STANDIN_SCRATCH"; unset STANDIN_HOSTS STANDIN_SCRATCH; exec "$@"'
)


class Container:
    """One process with its log, and for an app the forwarder of its ingress."""

    def __init__(
        self,
        folder: Path,
        spec: Mapping[str, Any],
        *,
        hosts: Path,
        environment: Mapping[str, str],
        secrets: Mapping[str, str],
        address: str = "",
        port: int = 0,
    ) -> None:
        folder.mkdir(parents=True)
        Path("/tmp/dagster").mkdir(exist_ok=True)  # what the agent's own folder is bound to, in the namespace
        self.log = folder / "log"
        self._grace = 20.0
        variables = {
            "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
            "HOME": str(folder),
            **environment,
            **{each["name"]: _value(each, secrets) for each in spec.get("env") or ()},
            "STANDIN_HOSTS": str(hosts),
            "STANDIN_SCRATCH": str(folder),
        }
        if address:
            variables["DAGSTER_CLI_API_GRPC_HOST"] = address  # as if it had the machine's address for itself
        command = [*(spec.get("command") or ()), *(spec.get("args") or ())]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                ["unshare", "--mount", "/bin/sh", "-c", _SHELL, "container", *_alone(command, address)],
                env=variables,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._ingress = Forwarder((address, INGRESS), (address, port)) if address else None

    @property
    def exit_code(self) -> int | None:
        return self._process.poll()

    @property
    def text(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    def end(self, grace: float | None = None) -> None:
        """SIGTERM, then SIGKILL for all of the container."""
        if self._ingress is not None:
            self._ingress.close()
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(self._grace if grace is None else grace)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


def _value(variable: Mapping[str, Any], secrets: Mapping[str, str]) -> str:
    return secrets[variable["secretRef"]] if "secretRef" in variable else str(variable.get("value") or "")


def _alone(command: Sequence[str], address: str) -> list[str]:
    """A code server listens on all addresses of its container, of which this one has one."""
    return [address if part == "0.0.0.0" and address else part for part in command]


class Forwarder:
    """Bytes from one address to another: the ingress of an app, without HTTP's part of it."""

    def __init__(self, listen: tuple[str, int], to: tuple[str, int]) -> None:
        self._to = to
        self._listener = socket.create_server(listen)
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                caller, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(self._to, timeout=5)
                server.settimeout(None)
            except OSError:
                caller.close()
                continue
            for one, other in ((caller, server), (server, caller)):
                threading.Thread(target=_pump, args=(one, other), daemon=True).start()


def _pump(source: socket.socket, to: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            to.sendall(data)
    for each in (source, to):
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
