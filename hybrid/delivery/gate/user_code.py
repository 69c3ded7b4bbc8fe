"""Running a location's own code: in its own interpreter, with a bounded time, a bounded output and few variables."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hybrid.delivery.virtualenv import Wait
from hybrid.redaction import redact

_KEPT_BYTES: Final = 256 * 1024
_CHUNK: Final = 64 * 1024
_POLL: Final = 0.05
_INHERITED: Final = ("HOME", "LANG")
"""Beside PATH: no token, and no setting of the person's shell, reaches the code."""


@dataclass(frozen=True)
class Ended:
    """How the code ended; ``code`` is None when its time was over, negative for a signal."""

    code: int | None
    output: str
    """The end of what it wrote on both channels, redacted."""

    def last_lines(self, count: int = 30) -> str:
        return "\n".join(self.output.strip().splitlines()[-count:])


def variables(python: Path, given: Mapping[str, str]) -> dict[str, str]:
    """The environment of the code: PATH with the interpreter's scripts first, HOME, LANG, and what is ``given``."""
    kept = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    path = os.pathsep.join([str(python.parent), os.environ.get("PATH", os.defpath)])
    return {**kept, "PATH": path, **given}


def run(
    command: Sequence[str], *, folder: Path, environment: Mapping[str, str], seconds: float, wait: Wait = time.sleep
) -> Ended:
    """Run ``command`` in ``folder`` to its end, for ``seconds`` at most, or until ``wait`` raises. Whatever it started
    in its own process group ends with it."""
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    tail = _Tail(process)
    deadline = time.monotonic() + seconds
    try:
        while process.poll() is None and time.monotonic() < deadline:
            wait(_POLL)
        code = process.poll()
    finally:
        _end(process)
    return Ended(code, redact(tail.text()))


def _end(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)  # also children that outlive it and hold its output open
    process.wait()


class _Tail:
    """Reads a process's output and keeps the last of it: code that writes without end fills no memory."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._kept = bytearray()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        with self._process.stdout or io.BytesIO() as stream:
            while chunk := os.read(stream.fileno(), _CHUNK):
                self._kept += chunk
                del self._kept[:-_KEPT_BYTES]

    def text(self) -> str:
        self._thread.join(timeout=2.0)  # a process that left the group may hold the stream open for ever
        return bytes(self._kept).decode("utf-8", errors="replace")
