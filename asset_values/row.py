"""What the manifest says of one value, and what working on it has come to."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from asset_values.faults import FaultKind
from asset_values.model import Item


class State(StrEnum):
    """Where a value stands; the words are what reports and manifests show."""

    PLANNED = "planned"
    """Not worked on yet."""
    COPIED = "copied"
    """Written by us."""
    SAME = "same"
    """Found at the destination with the same bytes."""
    ABSENT = "absent"
    """Nothing is at the source, nor at the destination."""
    KEPT = "kept"
    """The destination has a newer value that somebody else wrote; it was left alone."""
    FAILED = "failed"


DONE = (State.COPIED, State.SAME, State.KEPT)


@dataclass(frozen=True, slots=True)
class Identity:
    """Of which copy a manifest is the memory. ``source`` and ``destination`` are the stores' names."""

    organization: str
    deployment: str
    source: str
    destination: str


@dataclass(frozen=True, slots=True)
class Row:
    """One value in the manifest.

    ``source_version`` and ``source_modified`` are of the value that was worked on last, ``size`` (bytes) and
    ``sha256`` (hex; None where the bytes never passed through here) too. ``destination_version`` is what was left or
    found there; ``ours`` says that it was our copy. ``done_hint`` is the item's hint as it was then. ``recorded`` is
    in seconds since 1970. ``planned``: whether the latest plan has it.
    """

    id: int
    item: Item
    state: State
    planned: bool
    done_hint: str | None = None
    source_version: str | None = None
    source_modified: float | None = None
    size: int | None = None
    sha256: str | None = None
    destination_version: str | None = None
    ours: bool = False
    reason: str | None = None
    fault: FaultKind | None = None
    recorded: float | None = None

    @property
    def done(self) -> bool:
        return self.state in DONE

    @property
    def is_failure(self) -> bool:
        """A value that should be at the destination and is not. An absent value is one only where the event log said
        that it had been stored (``Item.hint``); a plan by names alone may well name what was never stored."""
        return self.state is State.FAILED or (self.state is State.ABSENT and self.item.hint is not None)


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one value, to be recorded. What is None here stays in the manifest as it was: a failure does not
    take away what is known of the copy before it. ``moved``: bytes that passed through here; ``size``: of the value."""

    row: Row
    state: State
    source_version: str | None = None
    source_modified: float | None = None
    size: int | None = None
    sha256: str | None = None
    destination_version: str | None = None
    ours: bool = False
    reason: str | None = None
    fault: FaultKind | None = None
    moved: int = 0

    @property
    def is_failure(self) -> bool:
        return self.state is State.FAILED or (self.state is State.ABSENT and self.row.item.hint is not None)


@dataclass(frozen=True, slots=True)
class Counts:
    """Values and bytes of each state; ``bytes`` counts those whose size is known."""

    values: dict[State, int]
    bytes: dict[State, int]
    failures: int

    @property
    def total(self) -> int:
        return sum(self.values.values())

    @property
    def done(self) -> int:
        return sum(self.values[state] for state in DONE)


@dataclass(frozen=True, slots=True)
class PlanChange:
    """What a plan has changed: values planned now, how many of them are new, how many were planned before and are not
    any more, and how many have to be worked on."""

    planned: int
    added: int
    dropped: int
    pending: int
