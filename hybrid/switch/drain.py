"""Draining a deployment: nothing runs any more, or what still does is named."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from typing import Final

from hybrid.errors import NotReadyError
from hybrid.plus import Backfill, Instigation, PlusClient, PlusNotFound, PlusRejected, Run
from hybrid.plus.run_words import named, short

_TICK_SECONDS: Final = 300.0
"""How long a tick that began may yet launch runs: Dagster gives a sensor's evaluation 60 s by default, and this is five
times that. One that is older was left by a daemon that crashed."""


_QUIET_LOOKS: Final = 2
"""One after the other: a tick that waits for its turn is seen by nobody until it begins."""
_AGENT_LABEL: Final = "dagster/agent_label"


class Runs(StrEnum):
    """What happens to runs in progress and backfills."""

    WAIT = "wait"
    CANCEL = "cancel"
    LEAVE = "leave"


@dataclass(frozen=True)
class AtWork:
    """One look. ``ticks``: schedules and sensors whose evaluation began before they were paused and is not over."""

    runs: tuple[Run, ...] = ()
    backfills: tuple[Backfill, ...] = ()
    ticks: tuple[Instigation, ...] = ()
    on: tuple[Instigation, ...] = field(default=(), compare=False)
    """What may start further runs, because it is not paused."""

    @property
    def is_quiet(self) -> bool:
        return not (self.runs or self.backfills or self.ticks)

    def words(self) -> str:
        """``2 runs (…): …; backfill abc of orders``."""
        parts = [named(self.runs)] if self.runs else []
        parts += [f"backfill {each.id} of {each.of}" for each in self.backfills]
        parts += [f"a tick of {each.kind} {each.name}" for each in self.ticks]
        return "; ".join(parts) or "nothing"


@dataclass
class Drain:
    """Waits until a deployment is quiet. ``poll`` in seconds: 5 asks Dagster+ for little; ``tell`` hears of each
    change."""

    client: PlusClient
    runs: Runs = Runs.WAIT
    timeout: float = 1800.0
    """Seconds; half an hour, since nobody knows how long runs take. 0: one look."""
    poll: float = 5.0
    but_of: str | None = None
    """The label of an agent whose runs are neither waited for nor canceled: it stays. None: all runs count."""
    tell: Callable[[str], None] = lambda text: None
    sleep: Callable[[float], object] = time.sleep
    clock: Callable[[], float] = time.monotonic
    now: Callable[[], float] = time.time

    def wait(self) -> AtWork:
        """What is at work at the end: nothing, unless it is to be left. Raises ``NotReadyError`` when the time is over.

        Dagster+ has no call that keeps it from launching runs: whatever is not paused may launch some while others are
        waited for, and these are waited for as well.
        """
        deadline = self.clock() + self.timeout
        asked: set[str] = set()
        found = self._look()
        told: AtWork | None = None
        quiet = 0
        while self.runs is not Runs.LEAVE:
            quiet = quiet + 1 if found.is_quiet else 0
            if quiet == _QUIET_LOOKS or (found.is_quiet and self.timeout == 0):
                return found
            if found.is_quiet:
                self.sleep(self.poll)
                found = self._look()
                continue
            if self.runs is Runs.CANCEL:
                self._cancel(found, asked)
            if found != told:
                self.tell(f"waiting for {found.words()}")
                told = found
            if self.clock() >= deadline:
                raise self._late(found)
            self.sleep(self.poll)
            found = self._look()
        return found

    def _look(self) -> AtWork:
        """In the order in which one makes the other, so that nothing slips through: ticks launch backfills and runs,
        backfills launch runs."""
        instigations = self.client.automations().instigations
        since = self.now() - _TICK_SECONDS
        ticks = tuple(one for one in instigations if one.ticking_since is not None and one.ticking_since > since)
        backfills = tuple(self.client.backfills_at_work())
        # the tag is the agent's own (dagster_cloud/agent/dagster_cloud_agent.py); a queued run has none yet
        at_work = self.client.runs_in_progress()
        runs = tuple(run for run in at_work if self.but_of is None or run.tags.get(_AGENT_LABEL) != self.but_of)
        return AtWork(runs, backfills, ticks, tuple(one for one in instigations if one.is_on))

    def _cancel(self, found: AtWork, asked: set[str]) -> None:
        """Each is asked once. What ended meanwhile refuses, and what stays is told of when the time is over."""
        for backfill in found.backfills:
            if backfill.id not in asked and backfill.status != "CANCELING":
                asked.add(backfill.id)
                self._ask(f"backfill {backfill.id}", partial(self.client.cancel_backfill, backfill.id))
        for run in found.runs:
            if run.id not in asked and run.status != "CANCELING":
                asked.add(run.id)
                self._ask(short(run), partial(self.client.terminate_run, run.id))

    def _ask(self, what: str, cancel: Callable[[], None]) -> None:
        try:
            cancel()
        except (PlusNotFound, PlusRejected) as error:
            self.tell(f"{what} was not canceled: {error.what}")

    def _late(self, found: AtWork) -> NotReadyError:
        names = ", ".join(one.name for one in found.on[:5])
        return NotReadyError(
            f"After {self.timeout:g} s there is still {found.words()}.",
            why=f"Not paused, so that they start more: {names}." if found.on else None,
            next_step="pause what is on (`hybrid switch pause`) and run the same command again."
            if found.on
            else "run the same command again to go on waiting; --cancel (for `switch run`: --runs cancel) ends them, "
            "--leave (--runs leave) goes on without waiting.",
        )
