"""``hybrid logs``: what the stack's processes and containers have written."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hybrid.cli.stack import StackName
from hybrid.errors import UsageError
from hybrid.redaction import redact
from hybrid.workspace import PROCESS_LOG, StackFolder, Workspace

if TYPE_CHECKING:
    from hybrid.containers.docker import Docker

# what the agent's launcher writes on its containers (agent/image/hybrid_docker_launcher.py)
_STACK = "io.dagster-hybrid.stack"
_LOCATION = "io.dagster-hybrid.location"
_RUN = "io.dagster-hybrid.run"
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def register(app: typer.Typer) -> None:
    app.command()(logs)


def logs(
    stack: StackName = "local",
    process: Annotated[
        str,
        typer.Argument(help="agent, emulator, or of a stack with containers a code location.", metavar="[PROCESS]"),
    ] = "agent",
    lines: Annotated[int, typer.Option("-n", "--lines", help="How many of the last lines.", min=0)] = 50,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on until Ctrl-C.")] = False,
) -> None:
    """Print the log of one of the stack's processes.

    Code servers of a local stack write into the agent's. In a Docker stack each has a container, and is named by its
    code location; in one on ECS likewise, and `hybrid agent logs` goes further back and has the logs of runs.

    Examples: [bold]hybrid logs local -f[/]  ·  [bold]hybrid logs local emulator -n 200[/]  ·
    [bold]hybrid logs docker hello[/]
    """
    workspace = Workspace.of_this_checkout()
    folder = workspace.of_stack(stack)
    known = _processes(folder)
    if process in known:
        for text in _tail(folder.process(process) / PROCESS_LOG, lines, follow=follow):
            _say(text)
        return
    match _platform(workspace, stack):
        case "docker":
            _container_log(stack, process, known, lines, follow=follow)
        case "ecs":
            from hybrid.cli.agent.logs import logs as of_aws

            of_aws(stack, location=None if process == "agent" else process, lines=lines, follow=follow)
        case _:
            raise _unknown(stack, process, known)


def _processes(folder: StackFolder) -> list[str]:
    return sorted(path.name for path in folder.processes.glob("*") if (path / PROCESS_LOG).exists())


def _unknown(stack: str, process: str, known: list[str]) -> UsageError:
    if not known:
        return UsageError(f"The stack '{stack}' has no process here.", next_step=f"`hybrid up {stack}`.")
    return UsageError(
        f"The stack '{stack}' has no process '{process}'.",
        next_step=f"take one of: {', '.join(known)}.",
    )


def _platform(workspace: Workspace, stack: str) -> str:
    """Where the stack's logs are. Raises ``SettingsError``: there is no such stack."""
    from hybrid.engine.stack import identity

    return identity(workspace, stack).settings.agent.kind


def _container_log(stack: str, process: str, processes: list[str], lines: int, *, follow: bool) -> None:
    """Raises ``EngineAbsent``, and ``UsageError`` when the stack has no such container."""
    from hybrid.containers.docker import Docker, DockerFailed

    docker = Docker.find(os.environ)
    containers = _containers(docker, stack)
    if process not in containers:
        raise _unknown(stack, process, sorted({*processes, *containers}))
    arguments = ["logs", "--tail", str(lines), *(["--follow"] if follow else []), containers[process]]
    if docker.follow(arguments, lambda line: _say(line + "\n"), lambda: None) != 0:
        raise DockerFailed(f"The log of {containers[process]} ended with an error.", "")


def _containers(docker: Docker, stack: str) -> dict[str, str]:
    """The stack's containers by what they are called here, runs left out. Of several code servers of a location, as
    while one replaces another, the newest."""
    columns = "\t".join(["{{.Names}}", *(f'{{{{.Label "{label}"}}}}' for label in (_LOCATION, _RUN))])
    # the newest first
    found = docker.lines("ps", "--all", "--filter", f"label={_STACK}={stack}", "--format", columns)
    containers: dict[str, str] = {}
    for name, location, run in (line.split("\t") for line in found):
        if name == f"hybrid-{stack}-agent":
            containers["agent"] = name
        elif location and not run:
            containers.setdefault(location, name)
    return containers


def _say(text: str) -> None:
    # Dagster's code servers colour what they write, whoever reads it
    shown = text if sys.stdout.isatty() else _COLOUR.sub("", text)
    sys.stdout.write(redact(shown))
    sys.stdout.flush()


def _tail(file: Path, lines: int, *, follow: bool) -> Iterator[str]:
    handle = file.open(encoding="utf-8", errors="replace")
    last = handle.readlines()[-lines:] if lines else []
    handle.seek(0, os.SEEK_END)
    yield from last
    while follow:
        text = handle.read()
        if text:
            yield text
        elif _rotated(handle.fileno(), file):
            handle.close()
            handle = file.open(encoding="utf-8", errors="replace")
        else:
            time.sleep(0.2)


def _rotated(descriptor: int, file: Path) -> bool:
    try:
        return os.fstat(descriptor).st_ino != file.stat().st_ino
    except FileNotFoundError:
        return False
