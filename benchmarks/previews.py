"""Previews of a stack beside those of a plain program, in turn: seconds, and of processor time, which other work on the
machine changes less."""

from __future__ import annotations

import resource
import statistics
from collections.abc import Callable, Mapping

from benchmarks.figure import Figure

Preview = Callable[[], float]
"""Runs one to its end and returns its seconds."""

ROUNDS = 7


def compared(ours: Mapping[str, Preview], plain: Preview, what: str) -> list[Figure]:
    """``ours`` by the command's name; ``what`` says of what the previews are."""
    commands = {"": plain, **ours}
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    processor: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(ROUNDS):
        for name, command in commands.items():
            before = _processor_seconds()
            seconds[name].append(command())
            processor[name].append(_processor_seconds() - before)
    wall, cpu = ({name: statistics.median(taken) for name, taken in each.items()} for each in (seconds, processor))
    return [
        figure
        for name in ours
        for figure in (
            Figure(f"`{name} preview` {what}", "s", wall[name], wall[""]),
            Figure("the same, processor time", "s", cpu[name], cpu[""]),
        )
    ]


def _processor_seconds() -> float:
    """Of the children that have ended: what serves a measurement has not."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
