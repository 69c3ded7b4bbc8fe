"""Why a value could not be read or written, in one vocabulary for all stores."""

from __future__ import annotations

from enum import StrEnum


class FaultKind(StrEnum):
    """What kind of fault it is; the words are what reports and manifests show."""

    ABSENT = "absent"
    """There is no value with that key."""
    CHANGED = "changed"
    """The value was replaced while it was read, or what was to be replaced is not what it was: decide anew."""
    DENIED = "denied"
    """The credentials may not do it; ``action`` is the permission that is missing."""
    EXPIRED = "expired"
    """The credentials were good and are not any more, and new ones could not be had."""
    THROTTLED = "throttled"
    """The store asks for fewer requests (SlowDown, 503, 429)."""
    UNREACHABLE = "unreachable"
    """No answer, a cut connection, a server's own error."""
    FULL = "full"
    """The destination has no room, or a quota is used up."""
    MISPLACED = "misplaced"
    """The bucket is not there, or in another region than told."""
    UNUSABLE = "unusable"
    """The key cannot be one at that store: too long, or leading out of a folder."""
    CORRUPT = "corrupt"
    """What arrived is not what was sent: other length or checksum."""
    OTHER = "other"


_PASSING = {FaultKind.CHANGED, FaultKind.THROTTLED, FaultKind.UNREACHABLE, FaultKind.CORRUPT}
_HOPELESS = {FaultKind.DENIED, FaultKind.EXPIRED, FaultKind.FULL, FaultKind.MISPLACED}


class Fault(Exception):
    """One request that failed. ``reason`` is one line for people, without any secret or signed address;
    ``action`` is the permission that is missing (``s3:PutObject``), where that is known."""

    def __init__(self, kind: FaultKind, reason: str, *, action: str | None = None) -> None:
        self.kind = kind
        self.reason = reason
        self.action = action
        super().__init__(f"{reason} (needs {action})" if action else reason)

    @property
    def passes(self) -> bool:
        """Whether the same request may well succeed a moment later."""
        return self.kind in _PASSING

    @property
    def concerns_all(self) -> bool:
        """Whether every other value would meet the same fault, so that going on is of no use."""
        return self.kind in _HOPELESS
