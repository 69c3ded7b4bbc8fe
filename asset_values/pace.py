"""How fast: how many values at once and a second, how many bytes in memory, how long to wait after a fault."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

_FIRST_WAIT: Final = 0.25
_LONGEST_WAIT: Final = 20.0
_UNCOUNTED: Final = 64 * 1024  # smaller values are not worth the counting: 32 of them are 2 MiB
_LOOK_AGAIN: Final = 0.1  # how often somebody who waits asks whether the run was stopped


def backoff(attempt: int, chance: Callable[[], float] = random.random) -> float:
    """Seconds to wait after the ``attempt``-th fault (from 1): any between none and a bound that doubles from 0.25 s to
    20 s, so that those who failed together do not come again together."""
    return chance() * min(_LONGEST_WAIT, _FIRST_WAIT * 2.0 ** min(attempt - 1, 16))


class Pace:
    """How many values may be worked on at once, and how many may begin in a second.

    A store that asks for fewer requests halves the number for all, at most once for what began before that; each value
    done well then gives a part of one back, so that it grows by about one each time all have had their turn.
    """

    def __init__(
        self,
        threads: int,
        rate: float | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._threads = threads
        self._window = float(threads)
        self._interval = 1 / rate if rate else 0.0
        self._next = 0.0
        self._busy = 0
        self._cut_at = float("-inf")
        self._clock = clock
        self._sleep = sleep
        self._changed = threading.Condition()

    @property
    def width(self) -> int:
        """How many may be worked on at once now; 1 at least."""
        return max(1, int(self._window))

    def enter(self, stop: threading.Event) -> float | None:
        """Wait for one's turn; the time at which it began, or None when ``stop`` was set before."""
        with self._changed:
            while self._busy >= self.width and not stop.is_set():
                self._changed.wait(_LOOK_AGAIN)
            if stop.is_set():
                return None
            self._busy += 1
            now = self._clock()
            begin = max(now, self._next)
            self._next = begin + self._interval
        if begin > now:
            self._sleep(begin - now)
            if stop.is_set():
                self.leave(begin)
                return None
        return begin

    def leave(self, began: float, *, throttled: bool = False) -> None:
        """The turn that ``began`` then is over; ``throttled``: the store asked for fewer."""
        with self._changed:
            self._busy -= 1
            if throttled and began >= self._cut_at:
                self._window = max(1.0, self._window / 2)
                self._cut_at = self._clock()
            elif not throttled and self._window < self._threads:
                self._window = min(float(self._threads), self._window + 1 / self._window)
            if self._window < self._threads:
                self._changed.notify_all()
            else:
                self._changed.notify()


class Budget:
    """Bytes of values that may be in memory at once. A value larger than all of it waits until it is alone."""

    def __init__(self, bytes_in_all: int) -> None:
        self._all = bytes_in_all
        self._free = bytes_in_all
        self._freed = threading.Condition()

    @contextmanager
    def taken(self, size: int) -> Iterator[None]:
        if size <= _UNCOUNTED:
            yield
            return
        size = min(size, self._all)
        with self._freed:
            self._freed.wait_for(lambda: self._free >= size)
            self._free -= size
        try:
            yield
        finally:
            with self._freed:
                self._free += size
                self._freed.notify_all()
