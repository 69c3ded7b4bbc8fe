"""Containers of the stand-in: those of apps and of executions of jobs, on the Docker engine of the tests."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Protocol

from docker.errors import APIError

from tests.containers.lab_engine import LabEngine, LabNetwork, exit_code, explained

NETWORK: Final = LabNetwork("azure-lab", "172.29.78.0/24", "172.29.78.1", "io.dagster-hybrid.azure-lab")
APP_LABEL: Final = f"{NETWORK.label}.of"
"""The name of the app or the job."""
INGRESS: Final = 80
"""Where an internal http2 ingress answers, for all apps."""
_GRACE: Final = 30
"""Seconds after SIGTERM, where the template says none:
https://learn.microsoft.com/azure/container-apps/application-lifecycle-management"""
_GI: Final = 2**30
_NANO: Final = 10**9


class Container(Protocol):
    """What an app's revision or a job's execution runs as."""

    @property
    def starting(self) -> bool: ...

    @property
    def fault(self) -> str:
        """Why it could not be started; empty: it could, or will."""

    @property
    def exit_code(self) -> int | None:
        """None while it starts and while it runs."""

    def lines(self) -> list[tuple[datetime, str]]:
        """What it has printed, and when."""

    def end(self, grace: float | None = None) -> None:
        """SIGTERM, then SIGKILL after so many seconds. Returns when it is over."""


@dataclass(frozen=True)
class Wanted:
    """A container that is to be. ``spec`` is one of ``template.containers``."""

    name: str
    of: str
    """The app or the job."""
    spec: Mapping[str, Any]
    environment: Mapping[str, str]
    """All of it, with the values of secrets."""
    names: Sequence[str] = ()
    """By which others in the network find it."""
    port: int | None = None
    """Where it answers what comes to its ingress."""
    grace: int | None = None
    hosts: Mapping[str, str] = field(default_factory=dict)
    binds: Sequence[str] = ()


class Engine(LabEngine):
    """The Docker engine with the containers of an environment."""

    def run(self, wanted: Wanted) -> str:
        """Create and start it, with its ingress; its id."""
        spec, size = wanted.spec, wanted.spec.get("resources") or {}
        host = self._api.create_host_config(
            network_mode=NETWORK.name,
            mem_limit=int(float(str(size["memory"]).removesuffix("Gi")) * _GI),
            nano_cpus=int(min(float(size["cpu"]), os.cpu_count() or 1) * _NANO),
            extra_hosts=dict(wanted.hosts),
            binds=list(wanted.binds),
        )
        made = self._api.create_container(
            image=spec["image"],
            name=wanted.name,
            hostname=wanted.name[:63].rstrip("-"),
            entrypoint=list(spec.get("command") or ()) or None,
            command=list(spec.get("args") or ()) or None,
            environment=dict(wanted.environment),
            labels={NETWORK.label: "1", APP_LABEL: wanted.of},
            networking_config=self.joined(*wanted.names),
            host_config=host,
        )
        self._api.start(made["Id"])
        if wanted.port:
            self._let_in(str(made["Id"]), wanted.port)
        return str(made["Id"])

    def _let_in(self, container: str, port: int) -> None:
        """What comes to the ingress's port goes to the container's own, without HTTP's part of it."""
        state = self.state(container)
        if state is None or exit_code(state) is not None:
            return  # it has ended at once
        rule = ["-t", "nat", "-A", "PREROUTING", "-p", "tcp", "--dport", str(INGRESS), "-j", "REDIRECT"]
        words = ["nsenter", f"--net=/proc/{state['Pid']}/ns/net", "iptables", *rule, "--to-ports", str(port)]
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=30)
        if done.returncode != 0 and exit_code(self.state(container)) is None:
            raise RuntimeError(f"no ingress: {done.stderr}")


class DockerContainer:
    """One that is pulled and started as soon as it is made, in a thread of its own. ``login``: for the registry."""

    def __init__(self, wanted: Wanted, environ: Mapping[str, str], login: Mapping[str, str] | None) -> None:
        self._wanted, self._environ, self._login = wanted, environ, login
        self._id = ""
        self._fault = ""
        self._ended = threading.Event()
        self._up = threading.Thread(target=self._start, daemon=True, name=wanted.name)
        self._up.start()

    @property
    def starting(self) -> bool:
        return self._up.is_alive()

    @property
    def fault(self) -> str:
        return self._fault

    @property
    def exit_code(self) -> int | None:
        if self.starting:
            return None
        return exit_code(self._engine().state(self._id)) if self._id else 1

    def lines(self) -> list[tuple[datetime, str]]:
        if not self._id:
            return []
        text = b"".join(self._engine().output(self._id, follow=False, timestamps=True)).decode(errors="replace")
        return [_stamped(line) for line in text.splitlines() if line]

    def end(self, grace: float | None = None) -> None:
        self._ended.set()
        self._up.join()
        if self._id:
            given = _GRACE if self._wanted.grace is None else self._wanted.grace
            self._engine().stop(self._id, int(given if grace is None else grace))

    def _engine(self) -> Engine:
        return Engine(NETWORK, self._environ)

    def _start(self) -> None:
        try:
            engine = self._engine()
            self._fault = engine.pull_fault(str(self._wanted.spec["image"]), self._login or {})
            if self._fault or self._ended.is_set():
                return
            self._id = engine.run(self._wanted)
        except APIError as error:
            self._fault = explained(error)
        except Exception as error:
            self._fault = f"fault in the stand-in: {error!r}"


def _stamped(line: str) -> tuple[datetime, str]:
    when, _, text = line.partition(" ")
    return datetime.fromisoformat(f"{when[:19]}.{when[20:].rstrip('Z')[:6].ljust(6, '0')}").replace(tzinfo=UTC), text


def bind_of(path: Path, inside: str) -> str:
    return f"{path}:{inside}:ro"
