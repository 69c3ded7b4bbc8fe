"""Where sockets and locks of supervised processes lie: a short private folder, the same whatever shell asks.

A unix socket's path may have at most 104 bytes (macOS, sys/un.h), which a checkout's folder easily passes.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import stat
from pathlib import Path
from types import TracebackType
from typing import Final

from hybrid.errors import HybridError
from hybrid.provider.resource import Call

_POLL: Final = 0.05  # seconds between tries for a lock that another update holds


def folder() -> Path:
    """The folder, mode 0700 and ours. Not under TMPDIR, which differs between logins of the same person."""
    path = Path(f"/tmp/dagster-hybrid-{os.getuid()}")  # noqa: S108 - owner and mode are checked below
    path.mkdir(mode=0o700, exist_ok=True)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise HybridError(
            f"{path} cannot be used for sockets.",
            why="It must be a folder of yours with mode 0700; somebody else made it, or opened it to others.",
            next_step=f"look at it, then remove it (rm -r {path}) and run the command again.",
        )
    return path


def socket_path(directory: Path) -> Path:
    """The supervisor's socket for the process of ``directory``."""
    return folder() / f"{_short(directory)}.sock"


class DirectoryLock:
    """Held while a process's folder is worked on: two updates, or two plugins, never start the same process twice."""

    def __init__(self, directory: Path, call: Call) -> None:
        self._path = folder() / f"{_short(directory)}.lock"
        self._directory = directory
        self._call = call
        self._descriptor = -1

    def __enter__(self) -> DirectoryLock:
        while not self._taken():
            self._call.report.status(f"waiting for another update of {self._directory.name}")
            self._call.wait(_POLL)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        os.close(self._descriptor)

    def remove(self) -> None:
        """Take the lock's file away with the process that it guarded; others that wait for it notice."""
        self._path.unlink(missing_ok=True)

    def _taken(self) -> bool:
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # the file may have been removed, and made anew by others, between open and lock
            if os.path.samestat(os.fstat(descriptor), self._path.stat()):
                self._descriptor = descriptor
                return True
        except (BlockingIOError, FileNotFoundError):
            pass
        os.close(descriptor)
        return False


def _short(directory: Path) -> str:
    return hashlib.sha256(os.fsencode(directory)).hexdigest()[:16]
