"""How often operations are asked, how long they take, and what was asked for that is not served.

In memory, from the start of the process. Rests on: ``invented``.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from typing import Any, Final

_NAMES_KEPT: Final = 500  # names come from clients; more than these are counted together
_OTHERS: Final = "(others)"
_log = logging.getLogger(__name__)


@dataclass
class _Figures:
    count: int = 0
    failed: int = 0
    refused: int = 0
    seconds: float = 0.0
    slowest: float = 0.0


class Meter:
    """Counters by operation. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._operations: dict[str, _Figures] = {}
        self._unknown: dict[tuple[str, str], int] = {}

    def record(self, operation: str, seconds: float, *, failed: bool, refused: bool = False) -> None:
        """An operation, or ``PUT /path``, was answered after ``seconds``. ``refused``: its caller may not do it."""
        with self._lock:
            key = operation if operation in self._operations or len(self._operations) < _NAMES_KEPT else _OTHERS
            figures = self._operations.setdefault(key, _Figures())
            figures.count += 1
            figures.failed += failed
            figures.refused += refused
            figures.seconds += seconds
            figures.slowest = max(figures.slowest, seconds)

    def record_unknown(self, operation: str, field: str) -> None:
        """``field`` (``Type.field`` or ``PUT /path``) was asked for by ``operation`` and is not served."""
        with self._lock:
            key = (operation, field)
            key = key if key in self._unknown or len(self._unknown) < _NAMES_KEPT else (_OTHERS, _OTHERS)
            self._unknown[key] = self._unknown.get(key, 0) + 1
            first = self._unknown[key] == 1
        if first:
            _log.warning("not served: %s, asked for by operation %s", field, operation)

    def operations(self) -> list[dict[str, Any]]:
        """By name: ``name``, ``count``, ``failed``, ``refused``, ``mean_ms``, ``max_ms``."""
        with self._lock:
            return [
                {
                    "name": name,
                    "count": figures.count,
                    "failed": figures.failed,
                    "refused": figures.refused,
                    "mean_ms": round(1000 * figures.seconds / figures.count, 2),
                    "max_ms": round(1000 * figures.slowest, 2),
                }
                for name, figures in sorted(self._operations.items())
            ]

    def unknown(self) -> list[dict[str, Any]]:
        """What was not served: ``operation``, ``field``, ``count``."""
        with self._lock:
            return [
                {"operation": operation, "field": field, "count": count}
                for (operation, field), count in sorted(self._unknown.items())
            ]
