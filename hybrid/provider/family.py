"""The processes that belong to one supervised process: all that bear its mark in their environment.

The mark, ``HYBRID_PROCESS=<folder>``, is inherited by whatever the program starts, so what outlives a killed
supervisor or a killed program is still found. Imports only psutil: ``launch`` runs at each start.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Final

import psutil

MARKER: Final = "HYBRID_PROCESS"
_PROGRAM: Final = "program.pid"
_POLL: Final = 0.02
_KILL_SECONDS: Final = 5.0


def members(directory: Path) -> list[psutil.Process]:
    """All live processes of this user that bear the mark of ``directory``, the supervisor among them."""
    user = os.getuid()
    found = []
    for process in psutil.process_iter():
        try:
            if process.uids().real == user and process.environ().get(MARKER) == str(directory) and alive(process):
                found.append(process)
        except psutil.Error:
            continue  # ended meanwhile, or not ours to look at
    return found


def leftovers(directory: Path, commands: Collection[str], but: Collection[int] = ()) -> list[psutil.Process]:
    """Members whose command line contains one of ``commands``, except the pids ``but``."""
    if not commands:
        return []
    return [
        process
        for process in members(directory)
        if process.pid not in but and any(text in " ".join(command_line(process)) for text in commands)
    ]


def end(processes: Iterable[psutil.Process], *, graceful_seconds: float) -> None:
    """Ask them to end, wait, then kill what is left."""
    asked = [process for process in processes if send(process, signal.SIGTERM)]
    for process in _outlasting(asked, graceful_seconds):
        send(process, signal.SIGKILL)
    _outlasting(asked, _KILL_SECONDS)


def _outlasting(processes: list[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Those still alive after ``seconds``; returns as soon as there is none.

    Not ``psutil.wait_procs``: that waits for pids to vanish, which zombies of others never do.
    """
    deadline = time.monotonic() + seconds
    while (left := [process for process in processes if alive(process)]) and time.monotonic() < deadline:
        time.sleep(_POLL)
    return left


def send(process: psutil.Process, number: signal.Signals) -> bool:
    """Send a signal; False when it ended meanwhile."""
    try:
        process.send_signal(number)
    except psutil.Error:
        return False
    return True


def alive(process: psutil.Process) -> bool:
    """Whether it runs. A zombie does not: where nobody reaps orphans it stays in the table for ever."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def command_line(process: psutil.Process) -> list[str]:
    """Its arguments; empty when it is gone."""
    try:
        return list(process.cmdline())
    except psutil.Error:
        return []


def record_program(directory: Path) -> None:
    """Note this process as the program of ``directory``; exec keeps both pid and start time."""
    me = psutil.Process()
    temporary = directory / f".{_PROGRAM}.{me.pid}"
    temporary.write_text(f"{me.pid} {me.create_time()}", encoding="ascii")
    temporary.replace(directory / _PROGRAM)


def program(directory: Path) -> psutil.Process | None:
    """The recorded program if it still runs; a pid that was given to another process meanwhile does not count."""
    try:
        pid, started = (directory / _PROGRAM).read_text(encoding="ascii").split()
        process = psutil.Process(int(pid))
        same = abs(process.create_time() - float(started)) < 0.5
    except (OSError, ValueError, psutil.Error):
        return None
    return process if same and alive(process) else None
