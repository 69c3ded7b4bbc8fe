"""One update of a stack at a time, and no dead update in the way of the next.

``UpdateLock`` is held by a running ``hybrid up`` or ``down``; the kernel frees it when the process dies, however it
dies. What a killed update left (a Pulumi CLI that goes on alone, Pulumi's own lock file) is ended and cleared by the
next one. A lock that a living process holds is never touched.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType

import psutil

from hybrid.errors import StackBusyError

_GRACE_SECONDS = 20.0  # Pulumi cancels its providers and saves state on SIGINT


class UpdateLock:
    """Held while a stack is updated. ``StackBusyError`` on entry when another process holds it."""

    def __init__(self, folder: Path, stack: str) -> None:
        self._path = folder / "update.lock"
        self._record = folder / "update.json"
        self._stack = stack
        self._descriptor: int | None = None

    def __enter__(self) -> UpdateLock:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip() or "unknown"
            os.close(descriptor)
            raise StackBusyError(
                f"Another `hybrid` command is updating the stack '{self._stack}' (pid {holder}).",
                next_step="wait for it to end, then run the command again.",
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._descriptor = descriptor
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._descriptor is not None:
            self._record.unlink(missing_ok=True)
            os.close(self._descriptor)
            self._descriptor = None

    def record_child(self, pid: int) -> None:
        """Remember the CLI that works for this update, so that the next one can end it should we be killed."""
        started = psutil.Process(pid).create_time()
        self._record.write_text(json.dumps({"pid": pid, "started": started}), encoding="utf-8")

    def end_orphan(self, report: Callable[[str], None]) -> None:
        """End the CLI of an update whose own process was killed."""
        try:
            record = json.loads(self._record.read_text(encoding="utf-8"))
            orphan = psutil.Process(int(record["pid"]))
            if abs(orphan.create_time() - float(record["started"])) > 0.01:
                return
        except (OSError, ValueError, KeyError, TypeError, psutil.NoSuchProcess):
            return
        report(f"An earlier update was killed; ending what it left running (pid {orphan.pid}).")
        family = [orphan, *orphan.children(recursive=True)]
        orphan.send_signal(signal.SIGINT)
        _, alive = psutil.wait_procs([orphan], timeout=_GRACE_SECONDS)
        if alive:
            for process in family:
                if process.is_running():
                    process.kill()
            psutil.wait_procs(family, timeout=_GRACE_SECONDS)


def half_written_notes(state: Path) -> list[Path]:
    """Empty ``.attrs`` files of Pulumi's file backend, by which it finds no state: "failed to load checkpoint: EOF".

    Its library notes a file's type and sum beside it, not in one step (gocloud.dev/blob/fileblob/attrs.go): an engine
    that is killed there leaves nothing in the note, and the state whole. A state without a note is read.
    """
    found = []
    for file in state.rglob("*.attrs"):
        with suppress(FileNotFoundError):
            if file.stat().st_size == 0:
                found.append(file)
    return found


def dead_engine_locks(folder: Path) -> list[Path]:
    """Lock files of Pulumi's file backend whose process on this machine is gone.

    Raises ``StackBusyError`` when one belongs to a process that lives, or to another machine.
    """
    dead = []
    for file in sorted(folder.glob("*.json")) if folder.is_dir() else []:
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
            pid, host = int(content["pid"]), str(content["hostname"])
        except FileNotFoundError:
            continue  # its process has just ended and taken it away
        except (ValueError, KeyError, TypeError):
            dead.append(file)  # cut off while it was written: nobody works under it
            continue
        if host == socket.gethostname() and not psutil.pid_exists(pid):
            dead.append(file)
            continue
        raise StackBusyError(
            f"Pulumi (pid {pid} on {host}) is updating this stack.",
            next_step="wait for it to end; if you know that it is gone, `pulumi cancel` frees the stack.",
        )
    return dead
