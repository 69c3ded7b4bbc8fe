"""How far a copy or a verification is."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

TIMES_A_SECOND: Final = 5
_WINDOW: Final = 10.0
"""Seconds over which the rate is taken: long enough to be steady, short enough to follow a throttled store."""


@dataclass(frozen=True, slots=True)
class Progress:
    """``done`` of ``total`` values, those of earlier runs included; ``failed`` of this run; ``bytes`` that this run has
    moved (or had the store copy); ``rate`` in values and ``bytes_per_second`` in bytes a second, lately; ``eta`` in
    seconds, None while it cannot be told; ``trouble``: the latest value that failed and why."""

    done: int
    total: int
    failed: int
    bytes: int
    rate: float
    bytes_per_second: float
    eta: float | None
    trouble: str | None = None


class Gauge:
    """Counts, and tells ``listener`` at most five times a second."""

    def __init__(
        self, listener: Callable[[Progress], None] | None, done: int, total: int, clock: Callable[[], float]
    ) -> None:
        self._listener = listener
        self._clock = clock
        self.done = done
        self.total = total
        self.failed = 0
        self.bytes = 0
        self.trouble: str | None = None
        self._told = float("-inf")
        self._marks: deque[tuple[float, int, int]] = deque([(clock(), done, 0)])

    def tell(self, *, last: bool = False) -> None:
        """Tell the listener when it is time to, or for the ``last`` time."""
        now = self._clock()
        if self._listener is None or (not last and now - self._told < 1 / TIMES_A_SECOND):
            return
        self._told = now
        self._marks.append((now, self.done + self.failed, self.bytes))
        while len(self._marks) > 2 and self._marks[1][0] <= now - _WINDOW:
            self._marks.popleft()
        self._listener(self._progress())

    def _progress(self) -> Progress:
        (began, values, moved), (now, values_now, moved_now) = self._marks[0], self._marks[-1]
        seconds = max(now - began, 1e-9)
        rate, speed = (values_now - values) / seconds, (moved_now - moved) / seconds
        left = self.total - self.done - self.failed
        eta = 0.0 if left <= 0 else left / rate if rate > 0 else None
        return Progress(self.done, self.total, self.failed, self.bytes, rate, speed, eta, self.trouble)
