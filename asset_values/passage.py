"""One value on its way: read, decided on, written, tried again."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from asset_values.decision import UNSEEN, Decision, Unseen, Verb, decide, is_ours
from asset_values.faults import Fault, FaultKind
from asset_values.model import Condition, Destination, Entry, Note, Reading, ServerSideCopy, Source
from asset_values.options import CopyOptions
from asset_values.pace import Budget, Pace, backoff
from asset_values.row import Result, Row, State

_PARTS_IN_MEMORY: Final = 6  # of a large value: what is read ahead, and what is being sent
_PATIENCE: Final = 4  # a store that asks for fewer requests is asked that many times more often than one that fails


@dataclass(frozen=True, slots=True)
class Task:
    """One value to work on. ``entry`` is what a listing of the source said of it; ``recheck``: it is done, and only
    whether it has changed is to be found out."""

    row: Row
    entry: Entry | None = None
    recheck: bool = False


@dataclass(slots=True)
class _Tries:
    """What one value has been through so far."""

    faults: int = 0
    throttled: int = 0
    changed: int = 0

    def exhausted(self, fault: Fault, attempts: int) -> bool:
        """Count a fault; whether it was one too many."""
        if fault.kind is FaultKind.CHANGED:
            self.changed += 1
            return self.changed >= attempts
        if fault.kind is FaultKind.THROTTLED:
            self.throttled += 1
            return self.throttled >= attempts * _PATIENCE
        self.faults += 1
        return self.faults >= attempts


class Passage:
    """Carries values from ``source`` to ``destination``, for many threads. ``server`` is the destination where the
    store itself copies. ``on_part`` is told the bytes of each part of a large value."""

    def __init__(
        self,
        source: Source,
        destination: Destination,
        server: ServerSideCopy | None,
        options: CopyOptions,
        *,
        pace: Pace,
        stop: threading.Event,
        sleep: Callable[[float], object],
        on_part: Callable[[int], None] = lambda size: None,
    ) -> None:
        self._source = source
        self._destination = destination
        self._server = server
        self._options = options
        self._pace = pace
        self._budget = Budget(options.memory)
        self._stop = stop
        self._sleep = sleep
        self._on_part = on_part
        self._occupied = False  # the last write met something that lay there: look before the next

    def carry(self, task: Task) -> Result | None:
        """What came of it, faults included; None when the run was stopped before anything did."""
        tries, look = _Tries(), self._must_look(task.row)
        while (began := self._pace.enter(self._stop)) is not None:
            fault = None
            try:
                return self._once(task, look=look or self._occupied)
            except Fault as error:
                fault = error
            except Exception as error:
                return _failed(task.row, Fault(FaultKind.OTHER, _unexpected(error)))
            finally:
                self._pace.leave(began, throttled=fault is not None and fault.kind is FaultKind.THROTTLED)
            if not fault.passes or tries.exhausted(fault, self._options.attempts):
                return _failed(task.row, fault)
            if fault.kind is FaultKind.CHANGED:
                look = self._occupied = True
            else:
                self._sleep(backoff(max(tries.faults, tries.throttled)))
            task = replace(task, entry=None)
        return None

    def _must_look(self, row: Row) -> bool:
        """Whether it is known that something may lie at the destination."""
        return row.destination_version is not None or self._options.again

    def _once(self, task: Task, *, look: bool) -> Result:
        """Looks at the destination first and at the source after it: what is written is never older than what was
        decided on."""
        if task.recheck:
            task = replace(task, entry=task.entry or self._source.head(task.row.item.source_key))
            if task.entry is None or self._decide(task.row, task.entry, UNSEEN).verb is Verb.SKIP:
                return _unchanged(task.row)  # where it is gone since, the copy stays
        found = self._destination.head(task.row.item.destination_key) if look else UNSEEN
        if task.recheck and task.entry is not None and not isinstance(found, Unseen):
            decision = self._decide(task.row, task.entry, found)
            if decision.condition is None and decision.verb is not Verb.COMPARE:
                return self._settled(task.row, task.entry, found, decision)
        if self._server is not None:
            return self._by_server(self._server, task, found)
        try:
            with self._source.open(task.row.item.source_key) as reading:
                return self._pass(task.row, reading, found)
        except Fault as fault:
            if fault.kind is FaultKind.ABSENT:
                return self._absent(task, fault.reason)
            raise

    def _decide(self, row: Row, source: Entry, found: Entry | Unseen | None, identical: bool | None = None) -> Decision:
        options = self._options
        return decide(
            row, source, found, identical=identical, overwrite_newer=options.overwrite_newer, again=options.again
        )

    # By the store

    def _by_server(self, server: ServerSideCopy, task: Task, found: Entry | Unseen | None) -> Result:
        row = task.row
        entry = task.entry or self._source.head(row.item.source_key)
        if entry is None:
            return self._absent(task, "there is no such value at the source")
        decision = self._decide(row, entry, found)
        if decision.verb is Verb.COMPARE and isinstance(found, Entry):
            with self._source.open(row.item.source_key) as reading, self._budget.taken(2 * self._options.part):
                _same_version(reading.entry, entry)
                decision = self._decide(row, entry, found, self._compared(row, self._hashed(reading), found))
        if decision.condition is None:
            return self._settled(row, entry, found, decision)
        try:
            with _gone_is_changed():  # which end was gone is found out by looking anew
                version = server.copy_from(self._source, entry, row.item.destination_key, decision.condition)
        except Fault as fault:
            if fault.kind is not FaultKind.DENIED:
                raise
            self._server = None  # reading there and writing here may still be allowed, each for itself
            raise Fault(FaultKind.CHANGED, fault.reason, action=fault.action) from fault
        self._occupied = decision.condition.expected is not None
        return _written(row, entry, None, version, 0)

    # Through here

    def _pass(self, row: Row, reading: Reading, found: Entry | Unseen | None) -> Result:
        decision = self._decide(row, reading.entry, found)
        if decision.verb is Verb.LOOK:
            raise Fault(FaultKind.CHANGED, "what lies at the destination has to be looked at first")
        if decision.condition is None and decision.verb is not Verb.COMPARE:
            return self._settled(row, reading.entry, found, decision)
        if reading.entry.size >= self._options.large:
            with self._budget.taken(_PARTS_IN_MEMORY * self._options.part):
                return self._pass_parts(row, reading, found, decision)
        with self._budget.taken(reading.entry.size):
            return self._pass_whole(row, reading, found, decision)

    def _pass_whole(self, row: Row, reading: Reading, found: Entry | Unseen | None, decision: Decision) -> Result:
        entry, data = reading.entry, reading.whole()
        digest = hashlib.sha256(data).hexdigest()
        if decision.verb is Verb.COMPARE and isinstance(found, Entry):
            decision = self._decide(row, entry, found, self._compared(row, digest, found))
        if decision.condition is None:
            return self._settled(row, entry, found, decision, digest)
        note = Note(entry.version, digest)
        with _gone_is_changed():
            version = self._destination.put(row.item.destination_key, data, note, decision.condition)
        self._occupied = decision.condition.expected is not None
        return _written(row, entry, digest, version, len(data))

    def _pass_parts(self, row: Row, reading: Reading, found: Entry | Unseen | None, decision: Decision) -> Result:
        if decision.verb is Verb.COMPARE and isinstance(found, Entry):
            digest = self._hashed(reading)
            decision = self._decide(row, reading.entry, found, self._compared(row, digest, found))
            if decision.condition is None:
                return self._settled(row, reading.entry, found, decision, digest)
            with self._source.open(row.item.source_key) as second:
                _same_version(second.entry, reading.entry)
                return self._put_parts(row, second, decision.condition)
        return self._put_parts(row, reading, decision.condition or Condition())

    def _put_parts(self, row: Row, reading: Reading, condition: Condition) -> Result:
        entry = reading.entry
        parts, note = self._metered(reading.parts(self._options.part)), Note(entry.version)
        key = row.item.destination_key
        with _gone_is_changed():
            version, digest = self._destination.put_parts(key, parts, entry.size, note, condition)
        return _written(row, entry, digest, version, entry.size)

    def _metered(self, parts: Iterator[bytes]) -> Iterator[bytes]:
        for part in parts:
            self._on_part(len(part))
            yield part

    # Neither written

    def _hashed(self, reading: Reading) -> str:
        digest = hashlib.sha256()
        for part in reading.parts(self._options.part):
            digest.update(part)
        return digest.hexdigest()

    def _compared(self, row: Row, digest: str, found: Entry) -> bool:
        """Whether the destination has the bytes with this SHA-256."""
        if found.sha256 is not None:
            return found.sha256 == digest
        with _gone_is_changed():
            entry, theirs = self._destination.digest(row.item.destination_key)
        _same_version(entry, found)
        return theirs == digest

    def _settled(
        self, row: Row, source: Entry, found: Entry | Unseen | None, decision: Decision, digest: str | None = None
    ) -> Result:
        if decision.verb is Verb.SKIP or not isinstance(found, Entry):
            return _unchanged(row, source)
        kept = decision.verb is Verb.KEEP
        digest = digest or (found.sha256 if decision.verb is Verb.SAME else None)
        return Result(
            row,
            State.KEPT if kept else State.SAME,
            source_version=source.version,
            source_modified=source.modified,
            size=source.size,
            sha256=digest,
            destination_version=found.version,
            ours=decision.ours,
            reason="the destination has a newer value" if kept else None,
        )

    def _absent(self, task: Task, reason: str) -> Result:
        """Nothing is at the source. What somebody else wrote at the destination is then the newest there is; so is a
        copy of ours that was never recorded. A copy recorded earlier is of an earlier value."""
        row = task.row
        if task.recheck:
            return _unchanged(row)
        found = self._destination.head(row.item.destination_key)
        if found is None or (is_ours(row, found) and row.destination_version is not None):
            return Result(row, State.ABSENT, reason=reason, fault=FaultKind.ABSENT)
        return Result(
            row,
            State.SAME if is_ours(row, found) else State.KEPT,
            source_version=found.copied_from,
            size=found.size,
            sha256=found.sha256,
            destination_version=found.version,
            ours=is_ours(row, found),
            reason="nothing is at the source any more; the destination has a value",
        )


@contextmanager
def _gone_is_changed() -> Iterator[None]:
    """Where the source was found already, absent means that something was removed meanwhile."""
    try:
        yield
    except Fault as fault:
        if fault.kind is FaultKind.ABSENT:
            raise Fault(FaultKind.CHANGED, "it was removed meanwhile") from fault
        raise


def _same_version(entry: Entry, expected: Entry) -> None:
    if entry.version != expected.version:
        raise Fault(FaultKind.CHANGED, "it was replaced while it was looked at")


def _written(row: Row, source: Entry, digest: str | None, version: str, moved: int) -> Result:
    return Result(
        row,
        State.COPIED,
        source_version=source.version,
        source_modified=source.modified,
        size=source.size,
        sha256=digest,
        destination_version=version,
        ours=True,
        moved=moved,
    )


def _unchanged(row: Row, source: Entry | None = None) -> Result:
    """The row as it is, with the hint of now."""
    return Result(
        row,
        row.state,
        source_version=row.source_version,
        source_modified=source.modified if source else None,
        sha256=row.sha256,
        reason=row.reason,
    )


def _failed(row: Row, fault: Fault) -> Result:
    return Result(row, State.FAILED, reason=str(fault), fault=fault.kind)


def _unexpected(error: Exception) -> str:
    """What kind of error and where, but not its own words, which may hold an address with its signature."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = f" at {Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else ""
    return f"an unexpected {type(error).__name__}{where}"
