"""A figure beside its peer, and how a list of them reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One measurement. ``peer`` is measured in the same run; only the ratio is comparable between machines."""

    what: str
    unit: str
    ours: float
    peer: float

    @property
    def ratio(self) -> float:
        return self.ours / self.peer


def table(figures: Sequence[Figure]) -> str:
    """Markdown."""
    lines = ["| what | ours | peer | ratio |", "|---|---|---|---|"]
    lines += [f"| {f.what} | {f.ours:.2f} {f.unit} | {f.peer:.2f} {f.unit} | {f.ratio:.2f} |" for f in figures]
    return "\n".join(lines)
