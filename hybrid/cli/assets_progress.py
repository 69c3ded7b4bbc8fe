"""Progress of `hybrid assets`: a moving line on a terminal, else a line every few seconds; and what Ctrl-C does."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.status import Status
from rich.text import Text

from hybrid.assets.text import duration, size
from hybrid.redaction import redact

if TYPE_CHECKING:
    from asset_values.progress import Progress

_EVERY_SECONDS: Final = 5.0


class AssetsProgress:
    """Hears of questions to Dagster+ (``asked``) and of values copied or verified (``moved``)."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._status: Status | None = None
        self._said_at = time.monotonic()

    def __enter__(self) -> AssetsProgress:
        if self._console.is_terminal:
            self._status = self._console.status("asking Dagster+")
            self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Nothing moves any more: somebody is asked, or it is over."""
        if self._status is not None:
            self._status.stop()
            self._status = None

    def asked(self, what: str, done: int, total: int) -> None:
        self._say(f"{what}: {done} of {total}" if total else f"{what}: {done}")

    def moved(self, progress: Progress) -> None:
        self._say(progress_line(progress))

    def _say(self, line: str) -> None:
        if self._status is not None:
            self._status.update(Text(redact(line)))
        elif not self._console.is_terminal and time.monotonic() - self._said_at >= _EVERY_SECONDS:
            self._said_at = time.monotonic()
            self._console.print(Text(redact(line)))


def progress_line(progress: Progress) -> str:
    """One line: how many, how fast, how long still, and the latest failure."""
    parts = [f"{progress.done} of {progress.total} values", size(progress.bytes)]
    if progress.rate > 0:
        parts.append(f"{progress.rate:.0f} values/s")
    if progress.eta:
        parts.append(f"{duration(progress.eta)} left")
    if progress.failed:
        parts.append(f"{progress.failed} failed (last: {progress.trouble})")
    return ", ".join(parts)


@contextmanager
def stoppable() -> Iterator[threading.Event]:
    """An event that the first Ctrl-C (or SIGTERM) sets; a second one is a ``KeyboardInterrupt`` as ever."""
    stop = threading.Event()

    def asked(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    former = {number: signal.signal(number, asked) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


@contextmanager
def interruptible() -> Iterator[None]:
    """SIGTERM is a Ctrl-C here, so that what was made for a while is taken away."""

    def asked(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    former = signal.signal(signal.SIGTERM, asked)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, former)
