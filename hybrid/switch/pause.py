"""Pausing a deployment: whatever starts runs by itself is turned off, and what was on is kept."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from hybrid.errors import NotReadyError
from hybrid.plus import Automations, Backfill, PlusClient
from hybrid.switch.paused import Paused, PausedFile, WasOn

_LOOKS: Final = 3
"""How often it is looked at anew whether something is still on: a location that is deployed meanwhile may bring
further schedules. Who goes on deploying is told so."""


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
) -> PauseOutcome:
    """Stop all schedules and sensors of the deployment that are on, and the automation of assets.

    Killed anywhere and called again it goes on; what was on at first stays on record (``file``). Runs in progress and
    backfills are left alone. Raises ``NotReadyError`` when something is on again each time.
    """
    stopped: list[WasOn] = []
    with file:
        for _ in range(_LOOKS):
            found = client.automations()
            record = _recorded(file, found, now)
            on = [one for one in found.instigations if one.is_on]
            if not on and not found.automates_assets:
                unseen = tuple(each.name for each in client.code_locations() if not each.is_loaded)
                return PauseOutcome(record, tuple(stopped), unseen, tuple(client.backfills_at_work()))
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
        why=f"It was on at each of {_LOOKS} looks.",
        next_step="see that nobody deploys or changes schedules meanwhile, then run the same command again.",
    )


def _recorded(file: PausedFile, found: Automations, now: Callable[[], float]) -> Paused:
    """The record with all that is on, on disk."""
    known = file.read()
    record = (known or file.new(now())).joined(found.instigations, automation=found.automates_assets)
    if record != known:
        file.write(record)
    return record
