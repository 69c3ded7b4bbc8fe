"""Logs of the processes that a stack has on this machine: the embedded Dagster+, and a local agent."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from hybrid.errors import UsageError
from hybrid.workspace import PROCESS_LOG, StackFolder


def process_names(folder: StackFolder) -> list[str]:
    """Those that have written something, sorted."""
    return sorted(path.name for path in folder.processes.glob("*") if (path / PROCESS_LOG).exists())


def process_log(folder: StackFolder, process: str, lines: int, *, follow: bool) -> Iterator[str]:
    """The last ``lines``, and with ``follow`` what is added, until the caller ends it; texts with their ends of
    lines."""
    return _tail(folder.process(process) / PROCESS_LOG, lines, follow=follow)


def unknown(stack: str, name: str, known: Sequence[str]) -> UsageError:
    """Of a log that the stack has none of; ``known`` are those that it has."""
    if not known:
        return UsageError(f"The stack '{stack}' has no process here.", next_step=f"`hybrid up {stack}`.")
    return UsageError(
        f"The stack '{stack}' has no process '{name}'.",
        next_step=f"take one of: {', '.join(known)}.",
    )


def no_log_of_runs(stack: str, page: str, run: str) -> UsageError:
    """Where runs write nowhere that can be read when they are over."""
    return UsageError(
        f"Runs of the stack '{stack}' have no log of their own here.",
        why="What their steps print is in Dagster+; what their processes say is in the agent's log.",
        next_step=f"`hybrid agent logs {stack}`, or the run's page: {page}/runs/{run}",
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
