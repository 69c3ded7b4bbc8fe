"""When a run is to be given up, because every value would meet the same fault."""

from __future__ import annotations

from typing import Final

from asset_values.faults import FaultKind
from asset_values.row import Result, State

_DENIED_AT_FIRST: Final = 5
"""So many values denied before any went well are a missing permission; later ones are those values' own matter."""
_UNREACHABLE_IN_A_ROW: Final = 50
"""So many values in a row, each tried several times, that met no answer: the store or the network is away."""
_AT_ONCE: Final = (FaultKind.EXPIRED, FaultKind.FULL, FaultKind.MISPLACED)


class Trouble:
    """Watches what comes of values. ``reason`` is why nothing more is to be begun; None while there is none."""

    def __init__(self) -> None:
        self.reason: str | None = None
        self._denied = 0
        self._unreachable = 0
        self._went_well = False

    def watch(self, result: Result) -> None:
        if result.state is not State.FAILED:
            self._went_well, self._unreachable = True, 0
            return
        self._unreachable = self._unreachable + 1 if result.fault is FaultKind.UNREACHABLE else 0
        self._denied += result.fault is FaultKind.DENIED and not self._went_well
        if self.reason is None and (
            result.fault in _AT_ONCE
            or (self._denied >= _DENIED_AT_FIRST and not self._went_well)
            or self._unreachable >= _UNREACHABLE_IN_A_ROW
        ):
            self.reason = result.reason
