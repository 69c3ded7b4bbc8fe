"""Processes of this machine, as tests ask for them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import psutil


def runs(number: int) -> bool:
    """Whether there is a process of that number which does anything: not one that has ended and waits for its parent.
    It may end while it is asked for."""
    try:
        return bool(psutil.Process(number).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def arguments(process: psutil.Process) -> list[str]:
    """Its command line; none where it has ended, or is another user's."""
    try:
        return list(process.cmdline())
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return []


def end(process: subprocess.Popen[bytes] | None, seconds: float) -> None:
    """Ask a process to end, and kill it when it has not after ``seconds``. One that has ended, or none, is left."""
    if process is None or process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def whole_lines(file: Path) -> list[str]:
    """The lines of a file that another process writes, but for one that is not whole yet; none without a file."""
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    return text[: text.rfind("\n") + 1].splitlines()
