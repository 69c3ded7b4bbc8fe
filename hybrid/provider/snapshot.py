"""One answer for many askers: a hundred locations that are read at once ask Dagster+ once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Snapshot(Generic[T]):
    """The last answer of a question and when it was asked (``time.monotonic``)."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked = float("-inf")
        self._answer: T | None = None

    def after(self, moment: float, ask: Callable[[], T]) -> T:
        """An answer to a question asked after ``moment``. Whoever comes while one is asked waits, and shares the
        next one with all others that wait. An error of ``ask`` is raised to its asker and not kept."""
        with self._lock:
            if self._answer is None or self._asked <= moment:
                asked = time.monotonic()
                self._answer = ask()
                self._asked = asked
            return self._answer
