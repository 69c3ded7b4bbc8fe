"""How long a call waits for Dagster+ to come back, and who hears about it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hybrid.plus.errors import PlusError

if TYPE_CHECKING:
    from tenacity import RetryCallState


@dataclass(frozen=True)
class Patience:
    """The bounds of one call; all times in seconds.

    The defaults are the installed command line's (``dagster_cloud_cli/core/graphql_client.py``: 6 tries, 0.5 s doubled
    each time, 60 s for an answer), with a bound on the sum of the waits, which it does not have.
    """

    attempts: int = 6
    """Tries, the first one included; waiting out an announced maintenance is not counted."""
    backoff_seconds: float = 0.5
    """Doubled with every fault, unless the answer says how long to wait (``Retry-After``)."""
    wait_seconds: float = 60.0
    """All waits after faults together. An answer that asks for more ends the call at once."""
    maintenance_seconds: float = 600.0
    """All waits for an announced maintenance together, or what the announcement gives if that is less."""
    connect_seconds: float = 10.0
    answer_seconds: float = 60.0

    @classmethod
    def none(cls) -> Patience:
        """One try."""
        return cls(attempts=1, maintenance_seconds=0)


@dataclass(frozen=True)
class Wait:
    """Told to ``on_wait`` right before waiting: what for, and how long."""

    operation: str
    seconds: float
    reason: str
    attempt: int


class Passing(Exception):
    """A fault that may pass: a signal between the modules here, never shown.

    ``error`` is what it becomes when it does not; ``seconds`` is the wait that the server asked for; ``was_sent`` says
    that the request may have had its effect; ``maintenance_seconds`` is set for an announced maintenance only.
    """

    def __init__(
        self,
        error: PlusError,
        *,
        seconds: float | None = None,
        was_sent: bool = False,
        maintenance_seconds: float | None = None,
    ) -> None:
        super().__init__(error.what)
        self.error = error
        self.seconds = seconds
        self.was_sent = was_sent
        self.maintenance_seconds = maintenance_seconds


class Waits:
    """The waits of one call, as tenacity asks for them: what comes next, and whether it is too much."""

    def __init__(self, patience: Patience, operation: str, on_wait: Callable[[Wait], None] | None) -> None:
        self._patience = patience
        self._operation = operation
        self._on_wait = on_wait
        self._faults = 0
        self._waited_for_faults = 0.0
        self._waited_for_maintenance = 0.0

    def next_seconds(self, state: RetryCallState) -> float:
        passing = _passing(state)
        if passing.maintenance_seconds is not None:
            return passing.seconds or self._patience.backoff_seconds
        if passing.seconds is not None:
            return passing.seconds
        return self._patience.backoff_seconds * math.pow(2, self._faults + 1)

    def are_over(self, state: RetryCallState) -> bool:
        passing = _passing(state)
        if passing.maintenance_seconds is not None:
            bound = min(self._patience.maintenance_seconds, passing.maintenance_seconds)
            return self._waited_for_maintenance + state.upcoming_sleep > bound
        return (
            self._faults + 1 >= self._patience.attempts
            or self._waited_for_faults + state.upcoming_sleep > self._patience.wait_seconds
        )

    def announce(self, state: RetryCallState) -> None:
        passing = _passing(state)
        if passing.maintenance_seconds is not None:
            self._waited_for_maintenance += state.upcoming_sleep
        else:
            self._faults += 1
            self._waited_for_faults += state.upcoming_sleep
        if self._on_wait:
            self._on_wait(Wait(self._operation, state.upcoming_sleep, passing.error.what, state.attempt_number))


def _passing(state: RetryCallState) -> Passing:
    error = state.outcome.exception() if state.outcome else None
    if not isinstance(error, Passing):
        raise TypeError("only passing faults are waited for")
    return error


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds that ``Retry-After`` asks for, given as seconds or as a date; ``now`` is seconds since the epoch.

    https://www.rfc-editor.org/rfc/rfc9110#field.retry-after. What cannot be read is as if it were absent.
    """
    value = headers.get("Retry-After", headers.get("retry-after", "")).strip()
    if not value:
        return None
    if value.isascii() and value.isdigit():
        return float(value)
    from email.utils import parsedate_to_datetime  # not at the top: rarely needed, and slow to import

    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - now)
    except (ValueError, OverflowError, OSError):
        return None
