"""The words of the room: a value to copy, what a store says of one, and what a store has to be able to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class Item:
    """One value to copy: of an asset (``a/b``, its key's parts joined by slashes) or of one of its partitions (as
    Dagster writes the key; ``blue|2024-01-01`` with several dimensions).

    ``source_key`` and ``destination_key`` are relative to the stores' own places. ``hint`` names the event that stored
    the value last (its time and run), when the plan comes from the event log: as long as it is the same, a source that
    cannot list need not be asked whether the value has changed.
    """

    asset: str
    partition: str | None
    source_key: str
    destination_key: str
    hint: str | None = None

    @property
    def label(self) -> str:
        return self.asset if self.partition is None else f"{self.asset} [{self.partition}]"


@dataclass(frozen=True, slots=True)
class Entry:
    """What a store says of one value. ``size`` in bytes; ``version`` is the ETag, without quotes, or what stands for it
    (a folder has the file's time and size); ``modified`` in seconds since 1970. ``sha256`` (hex) and ``copied_from``
    (the source's version) are what a copy of ours noted beside the value; None: nobody did."""

    key: str
    size: int
    version: str
    modified: float
    sha256: str | None = None
    copied_from: str | None = None


@dataclass(frozen=True, slots=True)
class Condition:
    """Under which a destination may write: ``expected`` None means that nothing lies there yet, else the version that
    lies there now. A write whose condition does not hold writes nothing and raises ``Fault`` (CHANGED)."""

    expected: str | None = None


@dataclass(frozen=True, slots=True)
class Note:
    """What is written beside a value: where it comes from and what it is. ``sha256`` is hex; None where the bytes never
    passed through here (a copy by the server)."""

    copied_from: str
    sha256: str | None = None


class Reading(Protocol):
    """One value, opened. ``entry`` is of exactly the bytes that are read: a value replaced meanwhile raises ``Fault``
    (CHANGED), it is never mixed."""

    @property
    def entry(self) -> Entry: ...

    def whole(self) -> bytes:
        """All its bytes, checked against ``entry.size``."""
        ...

    def parts(self, size: int) -> Iterator[bytes]:
        """Its bytes in order, each of ``size`` bytes but the last. A part that was cut off is read again."""
        ...


class Source(Protocol):
    """Where values are read. All methods may be called from many threads and raise ``Fault``."""

    @property
    def name(self) -> str:
        """What it is, for people and for the manifest: ``s3://bucket/prefix``. No secret in it."""
        ...

    @property
    def can_list(self) -> bool: ...

    def entries(self, prefix: str = "") -> Iterator[Entry]:
        """All values below it, in any order, page by page. Only where ``can_list``."""
        ...

    def head(self, key: str) -> Entry | None:
        """What lies there; None when nothing does."""
        ...

    def open(self, key: str) -> AbstractContextManager[Reading]:
        """Read it: one request for a value of usual size. Raises ``Fault`` (ABSENT) when nothing is there."""
        ...


class Destination(Protocol):
    """Where values are written. Also a place that can be asked what it has; threads and faults as for ``Source``."""

    @property
    def name(self) -> str: ...

    def entries(self, prefix: str = "") -> Iterator[Entry]:
        """As ``Source.entries``; ``sha256`` and ``copied_from`` are None here even where they were noted."""
        ...

    def head(self, key: str) -> Entry | None:
        """What lies there, with its note; None when nothing does."""
        ...

    def put(self, key: str, data: bytes, note: Note, condition: Condition) -> str:
        """Write it whole or not at all; its version afterwards."""
        ...

    def put_parts(
        self, key: str, parts: Iterator[bytes], size: int, note: Note, condition: Condition
    ) -> tuple[str, str]:
        """The same for what is too large to hold; its version and its SHA-256 (hex)."""
        ...

    def digest(self, key: str) -> tuple[Entry, str]:
        """What lies there and the SHA-256 (hex) of its bytes, read or as the store itself keeps it."""
        ...


@runtime_checkable
class ServerSideCopy(Protocol):
    """A destination that can have the store copy from some sources, so that no byte passes through here."""

    def can_copy_from(self, source: Source) -> bool:
        """Whether one of the two ends' credentials reads there and writes here, found out without writing."""
        ...

    def copy_from(self, source: Source, entry: Entry, key: str, condition: Condition) -> str:
        """Copy exactly the version of ``entry``; the version here afterwards. Raises ``Fault``: CHANGED when the source
        is not that version any more or the condition does not hold."""
        ...
