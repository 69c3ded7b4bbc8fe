"""Runs in words: in progress, warnings and errors of what waits for them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from hybrid.plus import Run

_SHOWN: Final = 5  # runs named in one line


def named(runs: Sequence[Run]) -> str:
    """ "3 runs (2 STARTED, 1 STARTING): job 0f3a2b1c, …"."""
    counted = ", ".join(f"{count} {status}" for status, count in sorted(Counter(run.status for run in runs).items()))
    names = ", ".join(short(run) for run in runs[:_SHOWN]) + (", …" if len(runs) > _SHOWN else "")
    return f"{len(runs)} run{'s' if len(runs) > 1 else ''} ({counted}): {names}"


def short(run: Run) -> str:
    """Its job and the beginning of its id."""
    return f"{run.job} {run.id[:8]}"
