"""Pausing a deployment: whatever starts runs by itself is turned off, and what was on is kept."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from hybrid.errors import NotReadyError
from hybrid.plus import Automations, Backfill, PlusClient
from hybrid.switch.paused import Paused, PausedFile, WasOn

_ROUNDS: Final = 4
"""How often what is on is turned off before it is given up: a location that is deployed meanwhile may bring further
schedules, and a tick that began before may put its sensor back to what it was when it began."""
_SETTLE_SECONDS: Final = 15.0
"""How long ticks that began before are waited for: Dagster's daemon reads a sensor's state when a tick begins and
writes all of it when it goes on (``mark_sensor_state_for_tick`` of dagster/_daemon/sensor.py), so that it may undo a
stop in between. A tick that takes longer is for the drain to wait for, which names what is on again."""
_BETWEEN_SECONDS: Final = 0.5


@dataclass(frozen=True)
class PauseOutcome:
    """``record``: all that was on before the first pause. ``stopped``: what this call has turned off. ``unseen``: the
    locations that are not loaded, of which nobody knows what they start. ``backfills`` go on launching runs."""

    record: Paused
    stopped: tuple[WasOn, ...]
    unseen: tuple[str, ...]
    backfills: tuple[Backfill, ...]


def pause(
    client: PlusClient,
    file: PausedFile,
    *,
    tell: Callable[[str], None] = lambda text: None,
    now: Callable[[], float] = time.time,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] = time.sleep,
) -> PauseOutcome:
    """Stop all schedules and sensors of the deployment that are on, and the automation of assets.

    Killed anywhere and called again it goes on; what was on at first stays on record (``file``). Runs in progress and
    backfills are left alone. Raises ``NotReadyError`` when something is on again each time.
    """
    stopped: list[WasOn] = []
    deadline = clock() + _SETTLE_SECONDS
    rounds, settled = 0, False
    with file:
        while True:
            found = client.automations()
            record = _recorded(file, found, now)
            on = [one for one in found.instigations if one.is_on]
            if not on and not found.automates_assets:
                ticking = any(one.ticking_since is not None for one in found.instigations)
                if (not ticking and (settled or not stopped)) or clock() >= deadline:
                    unseen = tuple(each.name for each in client.code_locations() if not each.is_loaded)
                    return PauseOutcome(record, tuple(stopped), unseen, tuple(client.backfills_at_work()))
                sleep(_BETWEEN_SECONDS)
                settled = not ticking
                continue
            if rounds == _ROUNDS:
                break
            rounds, settled = rounds + 1, False
            for one in on:
                client.stop_instigation(one)
                stopped.append(WasOn.of(one))
                tell(f"off: {stopped[-1].label}")
            if found.automates_assets:
                client.pause_automation(paused=True)
                tell("off: automation of assets")
    names = ", ".join(WasOn.of(one).label for one in on) or "the automation of assets"
    raise NotReadyError(
        f"Something turns on again what is turned off: {names}.",
        why=f"It was turned off {_ROUNDS} times.",
        next_step="see that nobody deploys or changes schedules meanwhile, then run the same command again.",
    )


def _recorded(file: PausedFile, found: Automations, now: Callable[[], float]) -> Paused:
    """The record with all that is on, on disk."""
    known = file.read()
    record = (known or file.new(now())).joined(found.instigations, automation=found.automates_assets)
    if record != known:
        file.write(record)
    return record
