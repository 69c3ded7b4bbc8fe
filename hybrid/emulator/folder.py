"""The data folder, held by one process at a time.

Rests on: ``invented``.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from hybrid.emulator.errors import DataFolderError

_LOCK_FILE: Final = "lock"
_OWNER_ONLY: Final = 0o700


class DataFolder:
    """``with DataFolder(path):`` makes the folder if need be and holds it.

    The lock is the system's own (flock): it ends with the process, however that ends. Raises ``DataFolderError``.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    def __enter__(self) -> Self:
        try:
            self.path.mkdir(mode=_OWNER_ONLY, parents=True, exist_ok=True)
            descriptor = os.open(self.path / _LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise self._unusable(error) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        except BlockingIOError as error:
            holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(descriptor)
            raise DataFolderError(
                f"{self.path} is in use by another embedded Dagster+, process {holder}.",
                next_step=f"end it (`kill {holder}`), or give another data folder.",
            ) from error
        except OSError as error:
            os.close(descriptor)
            raise self._unusable(error) from error
        self._descriptor = descriptor
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _unusable(self, error: OSError) -> DataFolderError:
        return DataFolderError(
            f"The data folder {self.path} cannot be used: {error.strerror}.",
            next_step="give a folder that can be written and has room, with --data.",
        )
