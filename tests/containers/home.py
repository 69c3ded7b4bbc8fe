"""The folder in which everything that was stood up lives, its lock and its notes."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import psutil

FOLDER_VARIABLE: Final = "HYBRID_TEST_CONTAINERS"
"""Names another folder than the one in the user's cache: an engine and a registry apart from the shared ones."""

_LONGEST_SOCKET: Final = 104  # bytes of a socket's path that every system takes (macOS; Linux takes 108)


class ContainersError(Exception):
    """What stands in the way, with what to do about it."""


class Home:
    """The folder, mode 0700: it holds a password."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if len(os.fsencode(self.socket)) > _LONGEST_SOCKET:
            raise ContainersError(f"{self.socket} is too long for a socket: set {FOLDER_VARIABLE} to a shorter folder.")

    @classmethod
    def of(cls, environ: dict[str, str]) -> Home:
        """The folder that ``environ`` names; by default one in the user's cache."""
        if given := environ.get(FOLDER_VARIABLE):
            return cls(Path(given).resolve())
        cache = environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
        return cls(Path(cache) / "dagster-hybrid" / "containers")

    @property
    def socket(self) -> Path:
        return self.path / "docker.sock"

    @property
    def docker_config(self) -> Path:
        return self.path / "login"

    @property
    def users(self) -> Path:
        return self.path / "users"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Alone in the folder, among all processes of this machine."""
        with self._flocked("lock", fcntl.LOCK_EX):
            yield

    @contextmanager
    def engine_used(self, *, alone: bool) -> Iterator[None]:
        """A test uses the engine: beside others, or ``alone`` because it looks at everything the engine has.

        Who waits to be alone holds the gate, so that those who come later cannot keep it waiting for ever.
        """
        with ExitStack() as held:
            with self._flocked("engine-gate", fcntl.LOCK_EX):
                held.enter_context(self._flocked("engine-use", fcntl.LOCK_EX if alone else fcntl.LOCK_SH))
            yield

    @contextmanager
    def _flocked(self, name: str, how: int) -> Iterator[None]:
        self.users.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path.chmod(0o700)
        with (self.path / name).open("w") as lock:
            fcntl.flock(lock, how)
            yield

    def notes(self) -> dict[str, Any]:
        """What the last `up` wrote; empty when nothing stands, or a cut write left half a file."""
        try:
            notes = json.loads((self.path / "notes.json").read_text())
        except (OSError, ValueError):
            return {}
        return notes if isinstance(notes, dict) else {}

    def note(self, notes: dict[str, Any] | None) -> None:
        """Replace the notes; None removes them."""
        if notes is None:
            (self.path / "notes.json").unlink(missing_ok=True)
        else:
            write(self.path / "notes.json", json.dumps(notes, indent=2))

    def join(self, process: int) -> None:
        """``process`` uses what stands: a session of tests that ends earlier leaves it standing."""
        (self.users / str(process)).touch()

    def has(self, process: int) -> bool:
        return (self.users / str(process)).exists()

    def leave(self, process: int) -> None:
        (self.users / str(process)).unlink(missing_ok=True)

    def others(self) -> list[int]:
        """The living processes that use what stands. Marks of dead ones are removed."""
        living = []
        for mark in list(self.users.iterdir()):
            if mark.name.isdigit() and psutil.pid_exists(int(mark.name)):
                living.append(int(mark.name))
            else:
                mark.unlink(missing_ok=True)
        return living


def write(path: Path, text: str) -> None:
    """Write atomically, mode 0600."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    part.replace(path)


def process_of(pid_file: Path, mark: str) -> psutil.Process | None:
    """The living process of ``pid_file``, if ``mark`` is among its arguments: numbers are given again."""
    try:
        process = psutil.Process(int(pid_file.read_text()))
        arguments = process.cmdline()
    except (OSError, ValueError, psutil.Error):
        return None
    return process if any(mark in argument for argument in arguments) else None


def end(process: psutil.Process, seconds: float) -> None:
    """Ask a process to end, and make it end."""
    try:
        process.terminate()
        process.wait(seconds)
    except psutil.TimeoutExpired:
        process.kill()
        process.wait(seconds)
    except psutil.NoSuchProcess:
        return
