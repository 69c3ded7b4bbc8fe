"""The journal of a switch: what was begun, done and taken back, on disk before the next thing begins.

A file of JSON lines that only grows. Its first line says which organization, deployment, stack and plan it belongs to;
each further line is one event of one step. A line that a kill has cut off is as if it had not been written.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from hybrid.errors import StackBusyError, UsageError
from hybrid.redaction import redact, without_tokens

VERSION: Final = 1


class Event(StrEnum):
    """What happened to a step."""

    BEGUN = "begun"
    DONE = "done"
    FAILED = "failed"
    TAKING_BACK = "taking_back"
    TAKEN_BACK = "taken_back"


@dataclass(frozen=True)
class Journey:
    """Whose journal it is. ``plan`` is the digest of the plan that is carried out."""

    organization: str
    deployment: str
    stack: str
    plan: str

    def differs(self, other: Journey) -> str | None:
        """In words, where the two are not the same."""
        for name, mine in asdict(self).items():
            theirs = getattr(other, name)
            if mine != theirs:
                return f"{name} {theirs}, not {mine}"
        return None


@dataclass(frozen=True)
class Line:
    """One event. ``at`` in seconds since 1970; ``facts`` are what later steps, the way back and people need; never a
    secret."""

    at: float
    step: str
    event: Event
    facts: Mapping[str, Any]


class Journal:
    """Open for work: one process at a time. ``StackBusyError`` when another one works by it, ``UsageError`` when it is
    another switch's."""

    def __init__(self, path: Path, journey: Journey, *, now: Callable[[], float] = time.time) -> None:
        self.path = path
        self.journey = journey
        self._now = now
        self._lines: list[Line] = []
        self._descriptor = -1

    def __enter__(self) -> Self:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            self._lock()
            self._take_up()
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._close()

    @property
    def lines(self) -> tuple[Line, ...]:
        return tuple(self._lines)

    def last(self, step: str) -> Line | None:
        """The last event of a step."""
        return next((line for line in reversed(self._lines) if line.step == step), None)

    def facts(self, step: str) -> dict[str, Any]:
        """All that was noted of a step since it was last taken back, what is newer over what is older."""
        return facts_in(self._lines, step)

    @property
    def is_going_back(self) -> bool:
        """Whether a walk back was begun that has not come to its end."""
        return is_going_back(self._lines)

    def note(self, step: str, event: Event, facts: Mapping[str, Any] | None = None) -> Line:
        """On disk when this returns."""
        said = dict(facts or {})
        if "reason" in said:  # anybody's words
            said["reason"] = redact(str(said["reason"]))
        line = Line(self._now(), step, event, said)
        self._append(asdict(line))
        self._lines.append(line)
        return line

    def _append(self, document: Mapping[str, Any]) -> None:
        text = without_tokens(json.dumps(document, separators=(",", ":"), ensure_ascii=False))
        os.write(self._descriptor, f"{text}\n".encode())
        os.fsync(self._descriptor)

    def _lock(self) -> None:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise StackBusyError(
                f"Another `hybrid switch` is at work on '{self.journey.stack}'.",
                next_step="wait for it to end; `hybrid switch status` shows where it is.",
            ) from None

    def _take_up(self) -> None:
        header, self._lines, whole = _read(self.path)
        os.ftruncate(self._descriptor, whole)  # a line that was cut off would spoil the next one
        if header is None:
            self._append({"version": VERSION, **asdict(self.journey)})
        elif difference := self.journey.differs(header):
            raise UsageError(
                f"The journal {self.path.name} is of another switch: of {difference}.",
                next_step="go on with that plan, take that switch back (`hybrid switch back`), or, when it is over, "
                "move the journal away.",
            )

    def _close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def read_journal(path: Path) -> tuple[Journey, tuple[Line, ...]] | None:
    """A journal to look at, also while another process works by it; None when there is none yet."""
    header, lines, _ = _read(path)
    return None if header is None else (header, tuple(lines))


def facts_in(lines: Sequence[Line], step: str) -> dict[str, Any]:
    """All that was noted of a step since it was last taken back, what is newer over what is older."""
    found: dict[str, Any] = {}
    for line in lines:
        if line.step == step:
            found = {} if line.event is Event.TAKEN_BACK else {**found, **line.facts}
    return found


def is_going_back(lines: Sequence[Line]) -> bool:
    """Whether the last walk of these lines went back, and something of it still stands."""
    last = {line.step: line.event for line in lines}
    return bool(lines) and (
        lines[-1].event is Event.TAKING_BACK
        or (lines[-1].event is Event.TAKEN_BACK and any(event is not Event.TAKEN_BACK for event in last.values()))
    )


def _read(path: Path) -> tuple[Journey | None, list[Line], int]:
    """The header, the lines, and how many bytes of the file are whole lines."""
    content = path.read_bytes() if path.exists() else b""
    whole = content.rfind(b"\n") + 1
    documents = [json.loads(line) for line in content[:whole].splitlines()]
    if not documents:
        return None, [], 0
    header, *rest = documents
    if header.get("version") != VERSION:
        raise UsageError(
            f"The journal {path.name} is of version {header.get('version')!r}; this release reads version {VERSION}.",
            next_step="go on with the release that began the switch.",
        )
    journey = Journey(**{name: str(header[name]) for name in Journey.__dataclass_fields__})
    lines = [Line(float(each["at"]), each["step"], Event(each["event"]), each["facts"]) for each in rest]
    return journey, lines, whole
