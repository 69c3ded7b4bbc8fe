"""A store in memory that is source and destination at once, with faults on order."""

from __future__ import annotations

import hashlib
import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from asset_values.faults import Fault, FaultKind
from asset_values.model import Condition, Entry, Note, Source


@dataclass(frozen=True)
class Stored:
    """What lies at a key. ``writer``: ``ours`` when it came through the destination's methods, else who wrote it."""

    data: bytes
    entry: Entry
    writer: str


@dataclass
class Clock:
    """Seconds that pass only when told: one at every write, so that no two writes are at the same time."""

    now: float = 1_000.0

    def tick(self) -> float:
        self.now += 1
        return self.now


@dataclass
class MemoryStore:
    """``notes`` and versions that are hashes of the bytes: as S3; without: as a folder, whose versions are times.

    ``before`` is called with the operation (``open``, ``head``, ``put``, ``digest``, ``copy``, ``entries``) and the key
    before each, and may raise; ``after`` after each that wrote. ``lists``: whether it can list.
    """

    name: str = "memory"
    lists: bool = True
    notes: bool = True
    copies: bool = False
    clock: Clock = field(default_factory=Clock)
    stored: dict[str, Stored] = field(default_factory=dict)
    calls: list[tuple[str, str]] = field(default_factory=list)
    before: Callable[[str, str], None] = lambda operation, key: None
    after: Callable[[str, str], None] = lambda operation, key: None
    on_replace: Callable[[Stored, Note, bytes], None] = lambda old, note, data: None
    remember_calls: bool = True
    lock: threading.RLock = field(default_factory=threading.RLock)
    in_memory: int = 0
    most_in_memory: int = 0

    # What others do

    def write(self, key: str, data: bytes, writer: str = "foreign") -> Entry:
        """As somebody else would, without condition and without note."""
        with self.lock:
            return self._store(key, data, None, writer)

    def delete(self, key: str) -> None:
        with self.lock:
            self.stored.pop(key, None)

    def data(self, key: str) -> bytes | None:
        stored = self.stored.get(key)
        return None if stored is None else stored.data

    # Source

    @property
    def can_list(self) -> bool:
        return self.lists

    def entries(self, prefix: str = "") -> Iterator[Entry]:
        self._called("entries", prefix)
        assert self.lists, "a store that cannot list was asked to"
        for key in list(self.stored):
            if key.startswith(prefix) and (stored := self.stored.get(key)) is not None:
                yield replace(stored.entry, sha256=None, copied_from=None)

    def head(self, key: str) -> Entry | None:
        self._called("head", key)
        stored = self.stored.get(key)
        return None if stored is None else stored.entry

    @contextmanager
    def open(self, key: str) -> Iterator[MemoryReading]:
        self._called("open", key)
        stored = self.stored.get(key)
        if stored is None:
            raise Fault(FaultKind.ABSENT, f"nothing at {key}")
        yield MemoryReading(self, key, stored)

    # Destination

    def put(self, key: str, data: bytes, note: Note, condition: Condition) -> str:
        self._called("put", key)
        return self._put("put", key, data, note, condition)

    def put_parts(
        self, key: str, parts: Iterator[bytes], size: int, note: Note, condition: Condition
    ) -> tuple[str, str]:
        self._called("put_parts", key)
        data = b"".join(parts)
        assert len(data) == size, "the parts are not of the size that was told"
        return self._put("put_parts", key, data, note, condition), hashlib.sha256(data).hexdigest()

    def digest(self, key: str) -> tuple[Entry, str]:
        self._called("digest", key)
        stored = self.stored.get(key)
        if stored is None:
            raise Fault(FaultKind.ABSENT, f"nothing at {key}")
        return stored.entry, hashlib.sha256(stored.data).hexdigest()

    # Inside

    def _put(self, operation: str, key: str, data: bytes, note: Note, condition: Condition) -> str:
        with self.lock:
            old = self.stored.get(key)
            if (None if old is None else old.entry.version) != condition.expected:
                raise Fault(FaultKind.CHANGED, "the condition does not hold")
            if old is not None:
                self.on_replace(old, note, data)
            version = self._store(key, data, note, "ours").version
        self.after(operation, key)
        return version

    def _store(self, key: str, data: bytes, note: Note | None, writer: str) -> Entry:
        modified = self.clock.tick()
        version = hashlib.md5(data, usedforsecurity=False).hexdigest() if self.notes else f"{modified}-{len(data)}"
        noted = note if self.notes else None
        entry = Entry(
            key,
            len(data),
            version,
            modified,
            noted.sha256 if noted else None,
            noted.copied_from if noted else None,
        )
        self.stored[key] = Stored(data, entry, writer)
        return entry

    def _called(self, operation: str, key: str) -> None:
        if self.remember_calls:
            self.calls.append((operation, key))
        self.before(operation, key)


class CopyingStore(MemoryStore):
    """A destination that copies by itself from other memory stores."""

    def can_copy_from(self, source: Source) -> bool:
        return isinstance(source, MemoryStore)

    def copy_from(self, source: Source, entry: Entry, key: str, condition: Condition) -> str:
        assert isinstance(source, MemoryStore)
        self._called("copy", key)
        stored = source.stored.get(entry.key)
        if stored is None:
            raise Fault(FaultKind.ABSENT, f"nothing at {entry.key}")
        if stored.entry.version != entry.version:
            raise Fault(FaultKind.CHANGED, "the source is not that version any more")
        return self._put("copy", key, stored.data, Note(entry.version), condition)


@dataclass
class MemoryReading:
    store: MemoryStore
    key: str
    stored: Stored

    @property
    def entry(self) -> Entry:
        return self.stored.entry

    def whole(self) -> bytes:
        self.store.before("whole", self.key)
        self._hold(len(self.stored.data))
        return self.stored.data

    def parts(self, size: int) -> Iterator[bytes]:
        for first in itertools.count(0, size):
            if first >= len(self.stored.data):
                return
            self.store.before("part", self.key)
            now = self.store.stored.get(self.key)
            if now is None or now.entry.version != self.entry.version:
                raise Fault(FaultKind.CHANGED, "it was replaced while it was read")
            yield self.stored.data[first : first + size]

    def _hold(self, size: int) -> None:
        with self.store.lock:
            self.store.in_memory += size
            self.store.most_in_memory = max(self.store.most_in_memory, self.store.in_memory)
