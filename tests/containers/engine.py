"""The Docker engine: one that is there, or Debian's started with a data root, socket and process file of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from tests.containers import client
from tests.containers.home import ContainersError, Home, end, process_of
from tests.containers.packages import need, which
from tests.processes import arguments

_START_SECONDS: Final = 60.0
_STOP_SECONDS: Final = 40.0  # dockerd gives its containers 15 s
_OWN_NETWORK: Final = ("unshare", "--net")
_LOOK: Final = 0.05


@dataclass(frozen=True)
class Engine:
    """An engine that answers at ``host``."""

    host: str
    version: str
    started: bool
    """Whether it is ours to stop."""


def find(home: Home, environ: Mapping[str, str]) -> Engine | None:
    """The engine that answers already: DOCKER_HOST's, the current context's, else the one started here before."""
    ours = f"unix://{home.socket}"
    for docker in client.on_path(environ):
        version = client.answers(docker, environ)
        if version:
            host = environ.get("DOCKER_HOST") or _context_host(docker, environ)
            return Engine(host, version, started=host == ours)
    for docker in client.on_path(environ):
        version = client.answers(docker, {**environ, "DOCKER_HOST": ours}) if home.socket.exists() else None
        if version:
            return Engine(ours, version, started=True)
    return None


def start(home: Home, environ: Mapping[str, str], *, apart: bool = False) -> Engine:
    """Start Debian's engine. Installs it when it is missing.

    ``apart``: in a network namespace of its own, beside an engine that runs. In the same one it would take that one's
    bridge: an engine without a bridge removes `docker0`, whose ever it is.
    """
    need(["dockerd", "docker", "iptables"], environ)
    if os.geteuid() != 0:
        raise ContainersError("No Docker engine answers, and only root may start one: start Docker and try again.")
    stop(home)  # what a killed engine left
    settings = home.path / "daemon.json"
    settings.write_text(json.dumps(_settings(home), indent=2))
    path = os.pathsep.join([environ.get("PATH", ""), "/usr/sbin", "/sbin"])
    with (home.path / "dockerd.log").open("ab") as log:
        process = subprocess.Popen(
            [*_OWN_NETWORK[: 2 * apart], which("dockerd", environ) or "dockerd", "--config-file", str(settings)],
            env={**environ, "PATH": path},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            start_new_session=True,
        )
    return _answering(home, environ, process)


def _answering(home: Home, environ: Mapping[str, str], process: subprocess.Popen[bytes]) -> Engine:
    until = time.monotonic() + _START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        if found := find(home, {**environ, "DOCKER_HOST": f"unix://{home.socket}"}):
            return found
        time.sleep(_LOOK)
    stop(home)
    said = "\n".join((home.path / "dockerd.log").read_text(errors="replace").splitlines()[-15:])
    raise ContainersError(f"dockerd does not start; the end of {home.path / 'dockerd.log'}:\n{said}")


def stop(home: Home) -> None:
    """End the engine that was started here, also what one that was killed left: its processes and mounts."""
    pid_file = home.path / "dockerd.pid"
    if running := process_of(pid_file, str(home.path / "daemon.json")):
        end(running, _STOP_SECONDS)
    for process in _of_this_engine(home):
        end(process, _STOP_SECONDS)
    for mount in _mounts(home):
        subprocess.run(["umount", "--lazy", mount], check=False, capture_output=True)
    for left in (pid_file, home.socket):
        left.unlink(missing_ok=True)
    shutil.rmtree(home.path / "run", ignore_errors=True)


def _settings(home: Home) -> dict[str, object]:
    return {
        "data-root": str(home.path / "data"),
        "exec-root": str(home.path / "run"),
        "pidfile": str(home.path / "dockerd.pid"),
        "hosts": [f"unix://{home.socket}"],
    }


def _of_this_engine(home: Home) -> list[psutil.Process]:
    """containerd, its shims and their containers' first processes, of a dockerd that is gone."""
    mark = str(home.path / "run")
    shims = [found for found in psutil.process_iter() if _names(found, mark)]
    inside = [child for shim in shims for child in _children(shim)]
    return [*shims, *inside]


def _names(process: psutil.Process, mark: str) -> bool:
    words = arguments(process)
    return bool(words) and Path(words[0]).name.startswith("containerd") and any(mark in word for word in words)


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.Error:
        return []


def _mounts(home: Home) -> list[str]:
    """What is mounted under our folder, the deepest first."""
    try:
        lines = Path("/proc/self/mounts").read_text().splitlines()
    except OSError:
        return []
    places = [line.split()[1] for line in lines]
    return sorted((place for place in places if place.startswith(f"{home.path}/")), reverse=True)


def _context_host(docker: str, environ: Mapping[str, str]) -> str:
    return client.run(docker, environ, "context", "inspect", "--format", "{{.Endpoints.docker.Host}}")
