"""Holds what lies at a destination against what a manifest says was copied. It writes nothing, nor to the manifest."""

from __future__ import annotations

import hashlib
import random
import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import islice
from typing import Final

from asset_values.decision import is_unchanged
from asset_values.faults import Fault, FaultKind
from asset_values.manifest import Manifest
from asset_values.model import Destination, Entry, Source
from asset_values.pace import backoff
from asset_values.progress import Gauge, Progress
from asset_values.row import Row, State

_ATTEMPTS: Final = 5
_PART: Final = 8 * 1024 * 1024
_TOLD: Final = 1000
_PAGE: Final = 500
_MD5: Final = re.compile(r"[0-9a-f]{32}")


class Found(StrEnum):
    """What is so of one value; the words are what reports show."""

    OK = "ok"
    MISSING = "missing"
    """Nothing is at the destination, though it was copied."""
    DIFFERS = "differs"
    """What we left there has other bytes than were copied."""
    NEWER = "newer"
    """Somebody else has written there since: no fault, and nothing that a copy could be held against."""
    CHANGED_SINCE = "changed since"
    """It is what was copied, but the source has another value by now: copy again."""
    NOT_COPIED = "not copied"
    """It is planned, and was never copied or failed."""
    UNKNOWN = "unknown"
    """It could not be looked at."""


@dataclass(frozen=True, slots=True)
class Finding:
    """``by_size_only``: no checksum of it is known, and the source was not asked."""

    row: Row
    found: Found
    reason: str | None = None
    by_size_only: bool = False
    bytes: int = 0


@dataclass(frozen=True)
class Verification:
    """``counts`` of all that was looked at; ``findings``: the first 1,000 that are not ok; ``by_size_only``: how many
    were compared by size alone; ``bytes``: of the values that were compared."""

    counts: dict[Found, int]
    findings: tuple[Finding, ...]
    by_size_only: int
    bytes: int
    seconds: float
    stopped: bool

    @property
    def looked_at(self) -> int:
        return sum(self.counts.values())

    @property
    def ok(self) -> bool:
        """Whether every value is at the destination as it was copied, or newer. That the source has changed since is
        told, not a fault."""
        bad = (Found.MISSING, Found.DIFFERS, Found.NOT_COPIED, Found.UNKNOWN)
        return not self.stopped and not any(self.counts[found] for found in bad)


class Verifier:
    """Looks at all planned values, or at ``sample`` of them, the same for the same ``seed``. Without ``source`` it is
    not asked whether values have changed there; values that a store copied by itself, whose checksum nobody has taken,
    are then compared by size alone. A large value is read in parts; the manifest may be open for reading only."""

    def __init__(
        self,
        source: Source | None,
        destination: Destination,
        manifest: Manifest,
        sample: int | None = None,
        threads: int = 32,
        *,
        seed: int = 0,
        on_progress: Callable[[Progress], None] | None = None,
        stop: threading.Event | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        self._source = source
        self._destination = destination
        self._manifest = manifest
        self._sample = sample
        self._threads = threads
        self._seed = seed
        self._listener = on_progress
        self._stop = stop or threading.Event()
        self._clock = clock
        self._sleep = sleep or self._stop.wait

    def run(self) -> Verification:
        """Look. What cannot be looked at is among the findings."""
        began = self._clock()
        ids = self._chosen()
        gauge = Gauge(self._listener, 0, len(ids), self._clock)
        counts, findings, by_size = dict.fromkeys(Found, 0), list[Finding](), 0
        for finding in self._findings(ids, gauge):
            counts[finding.found] += 1
            by_size += finding.by_size_only
            gauge.bytes += finding.bytes
            gauge.done += 1
            if finding.found is not Found.OK and len(findings) < _TOLD:
                findings.append(finding)
                gauge.trouble = f"{finding.row.item.label}: {finding.reason}"
        gauge.tell(last=True)
        stopped = self._stop.is_set() and sum(counts.values()) < len(ids)
        return Verification(counts, tuple(findings), by_size, gauge.bytes, self._clock() - began, stopped)

    def _chosen(self) -> list[int]:
        ids = self._manifest.ids([state for state in State if state is not State.ABSENT])
        ids += [row.id for row in self._manifest.rows(states=(State.ABSENT,)) if row.is_failure]
        if self._sample is not None and self._sample < len(ids):
            ids = random.Random(self._seed).sample(ids, self._sample)  # noqa: S311 - a choice, not a secret
        return sorted(ids)

    def _findings(self, ids: list[int], gauge: Gauge) -> Iterator[Finding]:
        """Of each row, a bounded number of them in work."""
        rows = (row for first in range(0, len(ids), _PAGE) for row in self._manifest.by_ids(ids[first : first + _PAGE]))
        with ThreadPoolExecutor(self._threads, "asset-values-verify") as pool:
            waiting: set[Future[Finding]] = set()
            while True:
                if not self._stop.is_set():
                    waiting |= {pool.submit(self._look, row) for row in islice(rows, 4 * self._threads - len(waiting))}
                if not waiting:
                    return
                done, waiting = wait(waiting, timeout=0.2, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)
                gauge.tell()

    def _look(self, row: Row) -> Finding:
        """Never raises a fault: what passes is tried again."""
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return self._compare(row)
            except Fault as fault:
                if not fault.passes or attempt == _ATTEMPTS or self._stop.is_set():
                    return Finding(row, Found.UNKNOWN, str(fault))
                self._sleep(backoff(attempt))
            except Exception as error:
                return Finding(row, Found.UNKNOWN, f"an unexpected {type(error).__name__}")
        raise AssertionError("unreachable")  # pragma: no cover

    def _compare(self, row: Row) -> Finding:
        if not row.done:
            return Finding(row, Found.NOT_COPIED, row.reason or "it was not copied yet")
        there = self._at_destination(row)
        if there is None:
            return Finding(row, Found.MISSING, "nothing is at the destination any more")
        entry, digest = there
        finding = self._judged(row, entry, digest)
        if finding.found is Found.OK and self._has_changed(row):
            finding = replace(finding, found=Found.CHANGED_SINCE, reason="the source has another value by now")
        return finding

    def _at_destination(self, row: Row) -> tuple[Entry, str] | None:
        try:
            return self._destination.digest(row.item.destination_key)
        except Fault as fault:
            if fault.kind is FaultKind.ABSENT:
                return None
            raise

    def _judged(self, row: Row, entry: Entry, digest: str) -> Finding:
        if row.state is State.KEPT:
            return Finding(row, Found.NEWER, row.reason)
        right, by_size = self._is_right(row, entry, digest)
        if right:
            return Finding(row, Found.OK, by_size_only=by_size, bytes=entry.size)
        if entry.version == row.destination_version or entry.copied_from == row.source_version:
            why = f"{entry.size} bytes, not {row.size}" if entry.size != row.size else "other bytes than were copied"
            return Finding(row, Found.DIFFERS, f"the destination has {why}", bytes=entry.size)
        return Finding(row, Found.NEWER, "somebody else has written at the destination since")

    def _is_right(self, row: Row, entry: Entry, digest: str) -> tuple[bool, bool]:
        """Whether these are the bytes that were copied, and whether only their number says so."""
        if row.size is not None and row.size != entry.size:
            return False, False
        if row.sha256 is not None:
            return row.sha256 == digest, False
        if entry.version == row.source_version and _MD5.fullmatch(entry.version):
            return True, False
        expected = self._source_digest(row)
        if expected is not None:
            return expected == digest, False
        return entry.version == row.destination_version or entry.copied_from == row.source_version, True

    def _source_digest(self, row: Row) -> str | None:
        """The SHA-256 of the value that was copied, as long as the source has it."""
        if self._source is None or row.source_version is None:
            return None
        digest = hashlib.sha256()
        try:
            with self._source.open(row.item.source_key) as reading:
                if reading.entry.version != row.source_version:
                    return None
                for part in reading.parts(_PART):
                    digest.update(part)
        except Fault as fault:
            if fault.kind in (FaultKind.ABSENT, FaultKind.CHANGED):
                return None
            raise
        return digest.hexdigest()

    def _has_changed(self, row: Row) -> bool:
        if self._source is None:
            return False
        entry = self._source.head(row.item.source_key)
        return entry is not None and not is_unchanged(row, entry)
