"""Replacing parts of moto, and putting them back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Patch:
    """What was replaced, in order."""

    undo: list[Callable[[], None]] = field(default_factory=list)

    def set(self, owner: type, name: str, value: Any) -> None:
        """Set ``owner.name``; undone it is as before, also when the class had inherited it."""
        own = owner.__dict__.get(name)
        setattr(owner, name, value)
        self.undo.append(lambda: delattr(owner, name) if own is None else setattr(owner, name, own))


@dataclass(frozen=True)
class Gap:
    """A difference between moto and AWS, and what closes it."""

    close: Callable[[Patch], None]

    @property
    def name(self) -> str:
        return self.close.__name__


@contextmanager
def closed(*gaps: Gap) -> Iterator[None]:
    """``gaps`` are closed within the block."""
    patch = Patch()
    try:
        for gap in gaps:
            gap.close(patch)
        yield
    finally:
        for undo in reversed(patch.undo):
            undo()


def close_for_good(gaps: Sequence[Gap]) -> None:
    """For a process that does nothing else."""
    patch = Patch()
    for gap in gaps:
        gap.close(patch)
