"""The docker command line and the engine behind it: found, asked, and followed while it works."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import re
import shutil
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from hybrid.errors import HybridError, ToolchainError
from hybrid.redaction import redact

OLDEST: Final = (20, 10)
"""Debian 12's engine. It has BuildKit with secrets and cache mounts; older ones lack one or the other."""

_BUNDLED: Final = (23, 0)  # since then the client has no BuildKit of its own and needs the buildx plugin
_LINES: Final = 30
_ARCHITECTURES: Final = {"x86_64": "amd64", "aarch64": "arm64"}
_POLL: Final = 0.1
_ENDING: Final = 5.0  # seconds for a client to tell the engine to stop, before it is killed


class EngineAbsent(ToolchainError):
    """There is no docker command, or no engine answers it."""


class EngineTooOld(ToolchainError):
    """Client or engine cannot do what is needed."""


class DockerFailed(HybridError):
    """A docker command ended with an error. ``output`` is what it said last, redacted."""

    def __init__(self, what: str, output: str) -> None:
        self.output = output
        super().__init__(what, why=output or None, next_step="look at what docker says, and run the command again.")


@dataclass(frozen=True)
class Answer:
    """How a command ended and what it printed."""

    code: int
    out: str = field(repr=False)
    err: str = field(repr=False)


@dataclass(frozen=True)
class EngineInfo:
    """The engine that answers. ``architecture`` as platforms spell it: amd64, arm64. ``desktop``: Docker Desktop,
    whose containers reach this machine by a name and not by a gateway."""

    version: str
    architecture: str
    desktop: bool


class Docker:
    """One docker client. ``environ`` is the whole environment of its commands."""

    def __init__(self, executable: Path, environ: Mapping[str, str], *, has_buildx: bool = False) -> None:
        self.executable = executable
        self.has_buildx = has_buildx
        self._environ = dict(environ)

    @classmethod
    def find(cls, environ: Mapping[str, str], *, building: bool = False) -> Docker:
        """The first ``docker`` on PATH that an engine answers; with ``building`` one that has BuildKit, too.

        Raises ``EngineAbsent`` when there is none or no engine answers, ``EngineTooOld`` when each lacks something.
        """
        faults: list[HybridError] = []
        for executable in _on_path(environ):
            try:
                return _serving(executable, environ, building=building)
            except (EngineAbsent, EngineTooOld) as fault:
                faults.append(fault)
        # one that is too old says more than one that is not answered: its engine is there
        raise min(faults, key=lambda fault: not isinstance(fault, EngineTooOld), default=_no_client())

    @property
    def environ(self) -> Mapping[str, str]:
        """The environment that its commands run in."""
        return self._environ

    def run(self, *arguments: str, seconds: float = 60.0, check: bool = True) -> Answer:
        """Run ``docker ARGUMENTS`` to its end. Raises ``DockerFailed`` when it takes longer than ``seconds``, and with
        ``check`` when it ends with an error."""
        try:
            done = subprocess.run(
                [str(self.executable), *arguments],
                env=self._environ,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=seconds,
            )
        except subprocess.TimeoutExpired:
            raise DockerFailed(f"`docker {arguments[0]}` did not end in {seconds:g} seconds.", "") from None
        except OSError as error:
            raise _no_client(f"{self.executable}: {error.strerror}") from None
        answer = Answer(done.returncode, done.stdout, done.stderr)
        if check and answer.code != 0:
            raise DockerFailed(f"`docker {arguments[0]}` failed.", last_lines(answer.err or answer.out))
        return answer

    def lines(self, *arguments: str) -> list[str]:
        """The lines that a command prints, without empty ones."""
        return [line for line in self.run(*arguments).out.splitlines() if line.strip()]

    def info(self) -> EngineInfo:
        """Which engine answers. Raises ``EngineAbsent``."""
        answer = self.run("info", "--format", "{{json .}}", check=False)
        said = _object(answer.out)
        if not said.get("ServerVersion"):
            raise _no_engine(answer.err or "; ".join(said.get("ServerErrors") or ()))
        architecture = str(said.get("Architecture", ""))
        return EngineInfo(
            version=str(said["ServerVersion"]),
            architecture=_ARCHITECTURES.get(architecture, architecture),
            desktop="Docker Desktop" in str(said.get("OperatingSystem", "")),
        )

    def follow(self, arguments: Sequence[str], told: Callable[[str], None], check: Callable[[], None]) -> int:
        """Run a command, hand each line that it prints to ``told``, and give its exit code.

        ``check`` is called ten times a second; when it or ``told`` raises, or on Ctrl-C, the command is ended.
        """
        process = subprocess.Popen(
            [str(self.executable), *arguments],
            env=self._environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
        lines: queue.Queue[str | None] = queue.Queue()
        reader = threading.Thread(target=_read, args=(process, lines), daemon=True)
        reader.start()
        try:
            while True:
                check()
                try:
                    line = lines.get(timeout=_POLL)
                except queue.Empty:
                    continue
                if line is None:
                    return process.wait()
                told(line)
        finally:
            _end(process)
            reader.join(_ENDING)
            if process.stdout is not None and not reader.is_alive():
                process.stdout.close()


def last_lines(text: str, count: int = _LINES) -> str:
    """The end of what a command said, redacted."""
    return redact("\n".join(deque(text.strip().splitlines(), count)))


def version_of(text: str) -> tuple[int, int] | None:
    """Major and minor of a version such as ``20.10.24+dfsg1``."""
    found = re.match(r"(\d{1,4})\.(\d{1,4})", text)
    return (int(found[1]), int(found[2])) if found else None


def _on_path(environ: Mapping[str, str]) -> list[Path]:
    found: dict[Path, Path] = {}
    for folder in environ.get("PATH", os.defpath).split(os.pathsep):
        executable = shutil.which("docker", path=folder) if folder else None
        if executable is not None:
            found.setdefault(Path(executable).resolve(), Path(executable))
    return list(found.values())


def _serving(executable: Path, environ: Mapping[str, str], *, building: bool) -> Docker:
    docker = Docker(executable, {**environ, "DOCKER_CLI_HINTS": "false"})
    with ThreadPoolExecutor(max_workers=1) as beside:  # each question is a process
        buildx = beside.submit(docker.run, "buildx", "version", seconds=30, check=False) if building else None
        answer = docker.run("version", "--format", "{{json .}}", seconds=30, check=False)
    said = _object(answer.out)
    server, client = said.get("Server") or {}, said.get("Client") or {}
    if not server.get("Version"):
        raise _no_engine(answer.err or answer.out)
    _refuse_old(executable, "engine", str(server["Version"]))
    if buildx is None:
        return docker
    # without attestations one platform is one manifest, and the digest is that of what was built
    building_environ = {**docker.environ, "DOCKER_BUILDKIT": "1", "BUILDX_NO_DEFAULT_ATTESTATIONS": "1"}
    if buildx.result().code == 0:
        return Docker(executable, building_environ, has_buildx=True)
    version = str(client.get("Version", ""))
    _refuse_old(executable, "client", version)
    if (version_of(version) or _BUNDLED) >= _BUNDLED:
        raise EngineTooOld(
            "This docker client cannot build images.",
            why=f"{executable} is of version {version} and has no buildx plugin, without which it lacks BuildKit.",
            next_step="install Docker's buildx plugin (package docker-buildx-plugin or docker-buildx).",
        )
    return Docker(executable, building_environ)


def _refuse_old(executable: Path, part: str, version: str) -> None:
    if (version_of(version) or (0, 0)) < OLDEST:
        raise EngineTooOld(
            f"The Docker {part} is too old.",
            why=f"{executable} says that its version is '{redact(version)}'; {OLDEST[0]}.{OLDEST[1]} is needed.",
            next_step="install a newer Docker.",
        )


def _no_client(why: str | None = None) -> EngineAbsent:
    return EngineAbsent(
        "There is no docker command.",
        why=why or "No folder on PATH has one.",
        next_step="install Docker: on Debian and Ubuntu `apt-get install docker.io`, elsewhere Docker Desktop.",
    )


def _no_engine(said: str) -> EngineAbsent:
    return EngineAbsent(
        "No Docker engine answers.",
        why=last_lines(said, 5) or None,
        next_step="start Docker, or point DOCKER_HOST or DOCKER_CONTEXT to an engine that runs.",
    )


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _read(process: subprocess.Popen[str], lines: queue.Queue[str | None]) -> None:
    if process.stdout is not None:
        for line in process.stdout:
            lines.put(line.rstrip("\r\n"))
    lines.put(None)


def _end(process: subprocess.Popen[str]) -> None:
    """End the client, if it still runs, and what it started; an interrupt lets it tell the engine to stop, too."""
    if process.poll() is not None:
        return
    os.killpg(process.pid, signal.SIGINT)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_ENDING)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
