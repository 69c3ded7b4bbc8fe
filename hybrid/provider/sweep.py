"""Processes that no state knows: left when an update was killed before the engine had recorded what was created."""

from __future__ import annotations

import shutil
from pathlib import Path

from hybrid.provider import family
from hybrid.provider.runtime import socket_path
from hybrid.provider.supervisor import Supervisor

_GRACEFUL_SECONDS = 10.0


def sweep(processes: Path) -> list[str]:
    """End what still runs in the folders below ``processes`` and remove them; the names of those that had run.

    For after a destroy: by then the state knows nothing of this stack, and whatever bears a mark of it is a leftover.
    """
    ended = []
    for directory in sorted(path for path in processes.iterdir() if path.is_dir()) if processes.is_dir() else []:
        if family.members(directory):
            Supervisor(directory, socket_path(directory)).stop(_GRACEFUL_SECONDS)
            family.end(family.members(directory), graceful_seconds=_GRACEFUL_SECONDS)
            ended.append(directory.name)
        shutil.rmtree(directory, ignore_errors=True)
    return ended
