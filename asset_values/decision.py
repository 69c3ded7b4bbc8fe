"""What to do with one value, from what is known of both ends: pure.

The rule that nothing may break: a value that somebody else wrote at the destination at or after the source's own is
never overwritten unless told. Whose a value is, its note says; a foreign write takes the note away. Where a store keeps
no notes (a folder), the version that we left says it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final

from asset_values.model import Condition, Entry
from asset_values.row import Row, State

_CONTENT_HASH: Final = re.compile(r"[0-9a-f]{32}(-\d+)?")
_MD5: Final = re.compile(r"[0-9a-f]{32}")


class Unseen(Enum):
    """Said in place of an entry: nobody has looked yet."""

    UNSEEN = "unseen"


UNSEEN: Final = Unseen.UNSEEN


class Verb(Enum):
    SKIP = "skip"
    """Everything is as we left it."""
    LOOK = "look"
    """It depends on what lies at the destination: look, and decide again."""
    COMPARE = "compare"
    """It depends on whether both ends have the same bytes: find out, and decide again."""
    WRITE = "write"
    """Write, under the condition."""
    SAME = "same"
    """The destination has these very bytes."""
    KEEP = "keep"
    """The destination has a newer value of somebody else."""


@dataclass(frozen=True, slots=True)
class Decision:
    """``condition`` goes with WRITE. ``ours``, with SAME: what lies there is our own copy, not somebody else's."""

    verb: Verb
    condition: Condition | None = None
    ours: bool = False


def decide(
    row: Row,
    source: Entry,
    destination: Entry | Unseen | None,
    *,
    identical: bool | None = None,
    overwrite_newer: bool = False,
    again: bool = False,
) -> Decision:
    """What to do with the value of ``row``. ``source`` is what was read, ``destination`` what lies there (None:
    nothing), looked at before ``source`` was; ``identical`` is what a comparison of the bytes has said."""
    settled = is_unchanged(row, source) and not (row.state is State.KEPT and overwrite_newer)
    if isinstance(destination, Unseen):
        return _unlooked(row, settled=settled, again=again)
    if destination is None:
        return Decision(Verb.WRITE, Condition())
    if settled and destination.version == row.destination_version:
        return Decision(Verb.SKIP)
    if destination.copied_from == source.version and destination.size == source.size:
        return Decision(Verb.SAME, ours=True)
    if is_ours(row, destination):
        return Decision(Verb.WRITE, Condition(destination.version))
    if identical is None:
        identical = same_bytes(source, destination)
    if identical is None:
        return Decision(Verb.COMPARE)
    if identical:
        return Decision(Verb.SAME)
    if is_newer(destination, source) and not overwrite_newer:
        return Decision(Verb.KEEP)
    return Decision(Verb.WRITE, Condition(destination.version))


def is_unchanged(row: Row, source: Entry) -> bool:
    """Whether the source still has the value that was worked on. The same bytes stored anew are a new value, though
    their version may be the same: somebody's value at the destination may lie between the two in time. Times of less
    than a second apart are the same one, told with and without fractions."""
    if not row.done or row.source_version != source.version:
        return False
    return row.source_modified is None or abs(row.source_modified - source.modified) < 1


def _unlooked(row: Row, *, settled: bool, again: bool) -> Decision:
    if settled and not again:
        return Decision(Verb.SKIP)
    if settled or row.destination_version is not None:
        return Decision(Verb.LOOK)
    return Decision(Verb.WRITE, Condition())


def is_ours(row: Row, destination: Entry) -> bool:
    """Whether what lies there is a copy of ours that nobody has replaced. A version that is a hash of the bytes says
    nothing about it: somebody else may have written the same bytes again, later, and meant it."""
    if destination.copied_from is not None:
        return True
    left = row.ours and row.destination_version == destination.version
    return left and not _CONTENT_HASH.fullmatch(destination.version)


def is_newer(destination: Entry, source: Entry) -> bool:
    """Whether the destination's value may have been written at or after the source's. A time of whole seconds (S3's)
    stands for any moment of that second. Both stores' clocks are taken to agree."""
    latest = destination.modified + (0.999999 if destination.modified % 1 == 0 else 0.0)
    return latest >= source.modified


def same_bytes(source: Entry, destination: Entry) -> bool | None:
    """Whether both have the same bytes, as far as that can be told without reading them; None: it cannot. ETags tell
    it only when both are an MD5 (of objects in parts and of encrypted ones they are none, and then never equal)."""
    if source.size != destination.size:
        return False
    if source.sha256 is not None and destination.sha256 is not None:
        return source.sha256 == destination.sha256
    if _MD5.fullmatch(source.version) and source.version == destination.version:
        return True
    return True if source.size == 0 else None
