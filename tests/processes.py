"""Processes of this machine, as tests ask for them."""

from __future__ import annotations

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
