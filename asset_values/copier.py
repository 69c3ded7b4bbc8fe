"""Copies what a manifest has planned: many values at once, each decided on by itself, all of it recorded."""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

from asset_values.faults import Fault
from asset_values.feed import tasks
from asset_values.manifest import Manifest
from asset_values.model import Destination, ServerSideCopy, Source
from asset_values.options import CopyOptions
from asset_values.pace import Pace
from asset_values.passage import Passage, Task
from asset_values.progress import Gauge, Progress
from asset_values.row import Counts, Result, Row
from asset_values.trouble import Trouble

__all__ = ["Copier", "CopyOptions", "Outcome"]

_BATCH: Final = 500
_BATCH_SECONDS: Final = 0.25
_AHEAD: Final = 8  # values that wait for each thread: none ever waits for the manifest
_FAILURES_TOLD: Final = 100


@dataclass(frozen=True)
class Outcome:
    """What a run has come to. ``counts`` are of all that is planned, earlier runs included; ``failures`` the first 100
    of them. ``stopped``: by the ``stop`` event; ``given_up``: why no more values were begun, where every one would have
    met the same fault. ``seconds`` and ``bytes`` (through here) are of this run."""

    counts: Counts
    failures: tuple[Row, ...]
    stopped: bool
    given_up: str | None
    seconds: float
    bytes: int

    @property
    def ok(self) -> bool:
        """Whether everything planned is at the destination: nothing failed, and nothing is left."""
        return not (self.stopped or self.given_up or self.counts.failures)


class Copier:
    """One copy, with a manifest that was opened for work. ``on_progress`` is called at most five times a second, by
    the thread that called ``run``. Set ``stop`` and no new value begins; those in work are ended and recorded."""

    def __init__(
        self,
        source: Source,
        destination: Destination,
        manifest: Manifest,
        options: CopyOptions | None = None,
        *,
        on_progress: Callable[[Progress], None] | None = None,
        stop: threading.Event | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        self._source = source
        self._manifest = manifest
        self._options = options or CopyOptions()
        self._listener = on_progress
        self._stop = stop or threading.Event()
        self._ended = threading.Event()  # by the stop, by trouble, or by an error: no new value begins
        self._clock = clock
        sleep = sleep or self._ended.wait
        by_server = isinstance(destination, ServerSideCopy) and _can_copy(destination, source)
        self._by_server = by_server
        self._passage = Passage(
            source,
            destination,
            destination if by_server and isinstance(destination, ServerSideCopy) else None,
            self._options,
            pace=Pace(self._options.threads, self._options.rate, clock=clock, sleep=sleep),
            stop=self._ended,
            sleep=sleep,
            on_part=self._count_part,
        )
        self._work: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
        self._results: deque[Result | None] = deque()
        self._awake = threading.Event()
        self._parts: deque[int] = deque()
        self._trouble = Trouble()

    def run(self) -> Outcome:
        """Copy. Faults of single values are in the outcome; what cannot go on at all ends the run with its reason
        there. An exception that interrupts it (``KeyboardInterrupt``) goes on when what was in work is recorded."""
        began = self._clock()
        counts = self._manifest.counts()
        pending = self._manifest.count_pending(kept=self._options.overwrite_newer)
        self._gauge = Gauge(self._listener, counts.total - pending, counts.total, self._clock)
        threads = [
            threading.Thread(target=self._labour, name=f"asset-values-{number}")
            for number in range(min(self._options.threads, max(1, counts.total)))
        ]
        try:
            for thread in threads:
                thread.start()
            self._conduct(len(threads))
        finally:
            self._ended.set()
            self._dismiss(threads)
        self._gauge.tell(last=True)
        return Outcome(
            self._manifest.counts(),
            tuple(islice(self._manifest.failures(), _FAILURES_TOLD)),
            self._stop.is_set(),
            self._trouble.reason,
            self._clock() - began,
            self._gauge.bytes,
        )

    # The thread that called: feeds, records, tells

    def _conduct(self, threads: int) -> None:
        feed = tasks(self._manifest, self._source, self._options, by_server=self._by_server)
        self._in_work, self._unrecorded = 0, list[Result]()
        self._recorded_at, exhausted = self._clock(), False
        low, full = 2 * threads, _AHEAD * threads
        while True:
            self._gather()
            if not exhausted and self._in_work < full - low:
                exhausted = self._feed(feed, full - self._in_work)
            if self._stop.is_set() or self._trouble.reason is not None:
                return
            if exhausted and not self._in_work:
                return
            self._gauge.tell()
            if not self._results:
                self._awake.wait(0.1)
            self._awake.clear()

    def _feed(self, feed: Iterator[Task], number: int) -> bool:
        """Hand out so many values more; whether there are no others."""
        try:
            taken = list(islice(feed, number))
        except Fault as fault:  # the listing: nothing more can be found out
            self._trouble.reason = str(fault)
            return True
        prefetch = getattr(self._source, "prefetch", None)
        if prefetch is not None and taken:
            prefetch([task.row.item.source_key for task in taken])
        for task in taken:
            self._work.put(task)
        self._in_work += len(taken)
        return len(taken) < number

    def _gather(self, *, last: bool = False) -> None:
        """Take in what has come of values, and record it when it is enough or time."""
        while self._parts:
            self._gauge.bytes += self._parts.popleft()
        while self._results:
            result = self._results.popleft()
            self._in_work -= 1
            if result is not None:
                self._take(result)
        due = len(self._unrecorded) >= _BATCH or self._clock() - self._recorded_at >= _BATCH_SECONDS
        if self._unrecorded and (last or due):
            self._manifest.record(self._unrecorded)
            self._unrecorded = []
            self._recorded_at = self._clock()

    def _take(self, result: Result) -> None:
        self._unrecorded.append(result)
        self._trouble.watch(result)
        if result.is_failure:
            self._gauge.failed += 1
            self._gauge.trouble = f"{result.row.item.label}: {result.reason}"
        elif self._gauge.done + self._gauge.failed < self._gauge.total:
            self._gauge.done += 1
        if result.moved < self._options.large:
            self._gauge.bytes += result.moved

    def _dismiss(self, threads: list[threading.Thread]) -> None:
        """No new value begins; wait for those in work, and record them."""
        for _ in threads:
            self._work.put(None)
        for thread in threads:
            if thread.ident is not None:
                thread.join()
        self._gather(last=True)

    # The other threads

    def _labour(self) -> None:
        low = 2 * self._options.threads
        while (task := self._work.get()) is not None:
            if self._ended.is_set():
                continue
            self._results.append(self._passage.carry(task))
            if not self._awake.is_set() and (self._work.qsize() <= low or len(self._results) >= _BATCH):
                self._awake.set()

    def _count_part(self, size: int) -> None:
        self._parts.append(size)


def _can_copy(destination: ServerSideCopy, source: Source) -> bool:
    try:
        return destination.can_copy_from(source)
    except Fault:
        return False
