"""Resuming a paused deployment: exactly what was on is turned on again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from hybrid.errors import NotReadyError
from hybrid.plus import Instigation, PlusClient
from hybrid.switch.paused import Paused, PausedFile, WasOn, key_of

_Key = tuple[str, str, str, str]


@dataclass(frozen=True)
class ResumeOutcome:
    """``was_paused``: there was a record at all. ``resumed``: turned on by this call; ``on_already``: before it.
    ``forgotten``: gone, and taken off the record as was told."""

    was_paused: bool
    resumed: tuple[WasOn, ...] = ()
    on_already: tuple[WasOn, ...] = ()
    forgotten: tuple[WasOn, ...] = ()


def resume(
    client: PlusClient, file: PausedFile, *, forget: bool = False, tell: Callable[[str], None] = lambda text: None
) -> ResumeOutcome:
    """Turn on what the record says was on, and remove the record when all of it is.

    What was on because its code said so is handed back to its code. Killed anywhere and called again it goes on.
    Raises ``NotReadyError``, and keeps the record, when something of it is not there: its location is not loaded, or it
    is gone, unless ``forget`` is true.
    """
    with file:
        record = file.read()
        if record is None:
            return ResumeOutcome(was_paused=False)
        found = _by_key(client)
        resumed, already = _turned_on(client, record, found, tell)
        if record.automation and client.automations().automation_paused:
            client.pause_automation(paused=False)
            tell("on: automation of assets")
        missing = [each for each in record.was_on if each.key not in found]
        waiting, gone = _apart(client, missing)
        if waiting or (gone and not forget):
            raise _incomplete(waiting, gone)
        _refuse_what_stays_off(client, record, found)
        file.remove()
        return ResumeOutcome(True, tuple(resumed), tuple(already), tuple(gone))


def _turned_on(
    client: PlusClient, record: Paused, found: Mapping[_Key, Instigation], tell: Callable[[str], None]
) -> tuple[list[WasOn], list[WasOn]]:
    resumed: list[WasOn] = []
    already: list[WasOn] = []
    for each in record.was_on:
        one = found.get(each.key)
        if one is None:
            continue
        to_its_code = each.by_default and one.on_by_default
        if one.is_on and (one.by_default or not to_its_code):
            already.append(each)
            continue
        _turn_on(client, one, to_its_code=to_its_code)
        resumed.append(each)
        tell(f"on: {each.label}")
    return resumed, already


def _turn_on(client: PlusClient, one: Instigation, *, to_its_code: bool) -> None:
    """A schedule is started also where it is then handed back to its code: only a start sets the moment from which its
    ticks count. After a reset alone Dagster makes up for the latest tick of the past, be it months ago, where the
    scheduler had not looked at the schedule before it was stopped (``stop_schedule`` and ``reset_schedule`` of
    dagster/_core/scheduler/scheduler.py leave ``start_timestamp`` empty, dagster/_scheduler/scheduler.py reads that as
    1970), and for up to an hour of missed ticks otherwise. A sensor goes on from its cursor."""
    if not one.is_on and (one.kind == "schedule" or not to_its_code):
        client.start_instigation(one)
    if to_its_code:
        client.reset_instigation(one)


def _by_key(client: PlusClient) -> dict[_Key, Instigation]:
    return {key_of(one): one for one in client.automations().instigations}


def _apart(client: PlusClient, missing: list[WasOn]) -> tuple[list[WasOn], list[WasOn]]:
    """Of what is missing, what may come yet, because its location is there and not loaded; and what is gone."""
    if not missing:
        return [], []
    unloaded = {each.name for each in client.code_locations() if not each.is_loaded}
    waiting = [each for each in missing if each.location in unloaded]
    return waiting, [each for each in missing if each.location not in unloaded]


def _incomplete(waiting: list[WasOn], gone: list[WasOn]) -> NotReadyError:
    lines = [f"{each.label}: its location is not loaded" for each in waiting]
    lines += [f"{each.label}: no longer there" for each in gone]
    step = "see `hybrid status` for what keeps its location from loading, then run the same command again."
    if not waiting:
        step = "put it back into the code, or give it up with --forget; what is there is on again."
    return NotReadyError(
        f"{len(lines)} of what was on {'is' if len(lines) == 1 else 'are'} not on again.",
        why="\n".join(lines),
        next_step=step,
    )


def _refuse_what_stays_off(client: PlusClient, record: Paused, found: Mapping[_Key, Instigation]) -> None:
    now = _by_key(client)
    off = [each for each in record.was_on if each.key in found and not (each.key in now and now[each.key].is_on)]
    if off:
        raise NotReadyError(
            "Dagster+ took the order to turn on and did not: " + ", ".join(each.label for each in off) + ".",
            next_step="look at them in Dagster+ (Automation), then run the same command again.",
        )
