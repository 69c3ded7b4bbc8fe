"""What a journal says of times: each step from when to when, and the gap in which no agent served. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from hybrid.switch.claim import CLAIM
from hybrid.switch.downtime import Downtime
from hybrid.switch.journal import Event, Line

_BEGINS: Final = {Event.BEGUN: "forth", Event.TAKING_BACK: "back"}
_BAR: Final = 40
_SHORT: Final = 0.05


@dataclass(frozen=True)
class Timed:
    """One step, one way. ``begin`` and ``end`` in seconds since the first line; ``way`` to Hybrid or back."""

    step: str
    way: Literal["forth", "back"]
    begin: float
    end: float
    failed: str | None = None

    @property
    def seconds(self) -> float:
        return self.end - self.begin

    def document(self) -> dict[str, Any]:
        return {
            "step": self.step,
            "way": self.way,
            "begin": round(self.begin, 2),
            "seconds": round(self.seconds, 2),
            "failed": self.failed,
        }


@dataclass(frozen=True)
class Timeline:
    """Of one switch and its way back. ``gap``: from when to when no agent served, on the same scale; None: it did not
    come so far, or there was none."""

    steps: tuple[Timed, ...]
    gap: tuple[float, float] | None

    def of(self, way: str) -> tuple[Timed, ...]:
        return tuple(each for each in self.steps if each.way == way)

    def drawn(self, way: str) -> tuple[Timed, ...]:
        """Those worth a bar: on the way back most steps have nothing to do."""
        return tuple(each for each in self.of(way) if way == "forth" or each.failed or each.seconds >= _SHORT)


def timeline_of(lines: Sequence[Line], downtime: Downtime | None) -> Timeline:
    """``lines`` are all of a journal; a step that was done twice is there twice."""
    steps = [line for line in lines if line.step != CLAIM]
    if not steps:
        return Timeline((), None)
    zero = steps[0].at
    open_since: dict[str, tuple[float, Literal["forth", "back"]]] = {}
    found: list[Timed] = []
    for line in steps:
        if line.event in _BEGINS:
            if line.event is Event.BEGUN and line.facts and line.step in open_since:
                continue  # a fact of a step that is being done
            open_since[line.step] = (line.at, "forth" if line.event is Event.BEGUN else "back")
        elif line.step in open_since:
            began, way = open_since.pop(line.step)
            failed = str(line.facts.get("reason", "")) if line.event is Event.FAILED else None
            found.append(Timed(line.step, way, began - zero, line.at - zero, failed))
    return Timeline(tuple(found), _gap(downtime, zero))


def _gap(downtime: Downtime | None, zero: float) -> tuple[float, float] | None:
    if downtime is None or downtime.seconds <= 0:
        return None
    return (downtime.loaded_at - downtime.seconds - zero, downtime.loaded_at - zero)


def bars(timeline: Timeline, titles: Mapping[str, str], way: str, width: int = _BAR) -> list[str]:
    """A line for each step: its title, its seconds, and where it lies in the whole."""
    steps = timeline.drawn(way)
    if not steps:
        return []
    first, last = steps[0].begin, max(each.end for each in steps)
    scale = width / max(last - first, 0.001)
    longest = max(len(titles.get(each.step, each.step)) for each in steps)

    def line(name: str, begin: float, end: float, block: str) -> str:
        start = min(width - 1, int((begin - first) * scale))
        length = max(1, round((end - begin) * scale))
        drawn = " " * start + block * min(length, width - start)
        return f"{name:<{longest}}  {end - begin:7.1f} s  {drawn}".rstrip()

    drawn = [
        line(titles.get(each.step, each.step), each.begin, each.end, "x" if each.failed else "▇") for each in steps
    ]
    if way == "forth" and timeline.gap is not None:
        drawn.append(line("no agent serves"[:longest], *timeline.gap, "░"))
    return drawn
