"""Many questions to Dagster+ at once, a bounded number of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Final, Self, TypeVar

THREADS: Final = 16
"""Questions at once: more than that a deployment answers no faster."""

OnProgress = Callable[[str, int, int], None]
"""Hears what is asked for, how much of it has come, and how much there is."""

_T = TypeVar("_T")
_U = TypeVar("_U")


class Questions:
    """Use it in a ``with``; what still waits when an error or Ctrl-C ends it is not asked."""

    def __init__(self, on_progress: OnProgress | None = None) -> None:
        self._on_progress = on_progress
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="inventory")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._pool.shutdown(wait=error is None, cancel_futures=True)

    def ask(self, what: str, question: Callable[[_T], _U], about: Sequence[_T]) -> list[_U]:
        """The answers in the questions' order; the first error is raised."""
        answers: list[_U] = []
        for count, answer in enumerate(self._pool.map(question, about), start=1):
            answers.append(answer)
            if self._on_progress is not None:
                self._on_progress(what, count, len(about))
        return answers


def batches(items: Sequence[_T], size: int) -> list[Sequence[_T]]:
    """In pieces of at most ``size``."""
    return [items[start : start + size] for start in range(0, len(items), size)]
