"""``hybrid logs``: what the stack's processes have written."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from hybrid.cli.stack import StackName
from hybrid.errors import UsageError
from hybrid.redaction import redact
from hybrid.workspace import PROCESS_LOG, StackFolder, Workspace


def register(app: typer.Typer) -> None:
    app.command()(logs)


def logs(
    stack: StackName = "local",
    process: Annotated[str, typer.Argument(help="agent or emulator.", metavar="[PROCESS]")] = "agent",
    lines: Annotated[int, typer.Option("-n", "--lines", help="How many of the last lines.", min=0)] = 50,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on until Ctrl-C.")] = False,
) -> None:
    """Print the log of one of the stack's processes; code servers write into the agent's.

    Examples: [bold]hybrid logs local -f[/]  ·  [bold]hybrid logs local emulator -n 200[/]
    """
    file = _log_file(Workspace.of_this_checkout().of_stack(stack), stack, process)
    for text in _tail(file, lines, follow=follow):
        sys.stdout.write(redact(text))
        sys.stdout.flush()


def _log_file(folder: StackFolder, stack: str, process: str) -> Path:
    known = sorted(path.name for path in folder.processes.glob("*") if (path / PROCESS_LOG).exists())
    if process in known:
        return folder.process(process) / PROCESS_LOG
    if not known:
        raise UsageError(f"The stack '{stack}' has no process here.", next_step=f"`hybrid up {stack}`.")
    raise UsageError(
        f"The stack '{stack}' has no process '{process}'.",
        next_step=f"take one of: {', '.join(known)}.",
    )


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
