"""The docker command line that is used, and how it is asked."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.containers.home import ContainersError


def run(docker: str, environ: Mapping[str, str], *arguments: str, seconds: float = 60, said: str = "") -> str:
    """What ``docker arguments`` prints; ``said`` is its input. Raises ContainersError with what it complained of."""
    done = subprocess.run(
        [docker, *arguments],
        env=dict(environ),
        input=said,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    if done.returncode:
        raise ContainersError(f"docker {' '.join(arguments)} failed: {done.stderr.strip()}")
    return done.stdout.strip()


def answers(docker: str, environ: Mapping[str, str]) -> str | None:
    """The version of the engine that ``docker`` reaches, or None."""
    try:
        return run(docker, environ, "version", "--format", "{{.Server.Version}}", seconds=20) or None
    except (ContainersError, OSError, subprocess.TimeoutExpired):
        return None


def on_path(environ: Mapping[str, str]) -> Iterator[str]:
    """Every docker command on PATH, then in the system's folders; each once."""
    seen = set()
    for folder in [*environ.get("PATH", "").split(os.pathsep), "/usr/local/bin", "/usr/bin"]:
        command = Path(folder) / "docker"
        if folder and os.access(command, os.X_OK) and command.is_file():
            real = command.resolve()
            if real not in seen:
                seen.add(real)
                yield str(command)


def builds(docker: str, environ: Mapping[str, str]) -> bool:
    """Whether this client has BuildKit: by its plugin buildx, or inside it as up to version 22."""
    try:
        run(docker, environ, "buildx", "version", seconds=20)
    except (ContainersError, OSError, subprocess.TimeoutExpired):
        pass
    else:
        return True
    try:
        version = run(docker, environ, "--version").partition("version ")[2]
        major = int(version.partition(".")[0])
    except (ContainersError, OSError, ValueError, subprocess.TimeoutExpired):
        return False
    return major < 23


def building(environ: Mapping[str, str]) -> str:
    """The first docker on PATH that has BuildKit and gets an answer from the engine of ``environ``."""
    for docker in on_path(environ):
        if builds(docker, environ) and answers(docker, environ):
            return str(Path(docker).resolve())
    raise ContainersError("No docker command here has BuildKit: install docker-buildx-plugin, or Debian's docker.io.")
