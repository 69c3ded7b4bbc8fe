"""Pausing and resuming against a deployment in memory: what is on record, at every moment at which one may be killed.
That Dagster+ itself keeps still is for tests/emulated/test_switch_steps.py."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybrid.errors import NotReadyError, StackBusyError, UsageError
from hybrid.plus import Backfill, Endpoint
from hybrid.switch import pause as pausing
from hybrid.switch.pause import PauseOutcome
from hybrid.switch.paused import PausedFile
from hybrid.switch.resume import resume
from tests.unit.switch.standing import Killed, Standing, instigation, names

pytestmark = pytest.mark.unit

ACME = Endpoint.of("acme", "prod")


def pause(plus: Standing, file: PausedFile, **options: Any) -> PauseOutcome:
    """Time passes only when it sleeps."""
    passed: list[float] = []
    clock = {"clock": lambda: sum(passed), "sleep": passed.append}
    return pausing.pause(plus, file, **{**clock, **options})


@pytest.fixture
def file(tmp_path: Path) -> PausedFile:
    return PausedFile(tmp_path / "stacks" / "prod" / "paused.json", ACME)


def deployment() -> Standing:
    return Standing(
        [
            instigation("nightly", by_default=True),
            instigation("weekly"),
            instigation("never", on=False),
            instigation("stopped by hand", on=False, by_default=True),
            instigation("watch", kind="sensor", by_default=True),
        ],
        automation=True,
    )


BEFORE = {("nightly", False), ("weekly", True), ("watch", False)}


def test_all_that_was_on_is_off_and_then_on_again_as_it_was(file):
    plus = deployment()
    done = pause(plus, file)
    assert plus.on() == set()
    assert plus.automation is False
    assert sorted(names(done.stopped)) == ["nightly", "watch", "weekly"]
    again = resume(plus, file)
    assert plus.on() == BEFORE, "what was on by its code is its code's again, and what was off stays off"
    assert plus.automation is True
    assert sorted(names(again.resumed)) == ["nightly", "watch", "weekly"]
    assert not file.path.exists(), "nothing is paused any more"
    assert resume(plus, file).was_paused is False, "a second call has nothing to do"


def test_what_was_on_is_on_disk_before_the_first_is_stopped(file):
    plus = deployment()
    plus.killed_at = 1
    with pytest.raises(Killed):
        pause(plus, file)
    written = json.loads(file.path.read_text())
    assert {each["name"] for each in written["was_on"]} == {"nightly", "weekly", "watch"}
    assert (written["organization"], written["deployment"], written["automation"]) == ("acme", "prod", True)
    assert file.path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("at", range(1, 5))
@pytest.mark.parametrize("back", range(1, 6))
def test_killed_at_any_call_the_first_record_survives(file, at, back):
    plus = deployment()
    plus.killed_at = at
    with pytest.raises(Killed):
        pause(plus, file)
    plus.killed_at, plus.calls = None, []
    assert sorted(names(pause(plus, file).record.was_on)) == ["nightly", "watch", "weekly"]
    assert plus.on() == set()
    plus.calls, plus.killed_at = [], back
    with pytest.raises(Killed):
        resume(plus, file)
    assert file.path.exists(), "the record stays until all is on"
    plus.killed_at = None
    resume(plus, file)
    assert plus.on() == BEFORE
    assert plus.automation is True


def test_a_schedule_counts_its_ticks_from_the_resume_also_where_its_code_turns_it_on(file):
    """Reset alone, one that was stopped before Dagster's scheduler first saw it runs for its latest tick of the past:
    a yearly one did, eleven months late."""
    plus = deployment()
    pause(plus, file)
    plus.calls = []
    resume(plus, file)
    of_nightly = [call for call in plus.calls if "nightly" in call]
    assert of_nightly == ["start nightly", "reset nightly"], "only a start sets the moment from which ticks count"
    assert [call for call in plus.calls if "watch" in call] == ["reset watch"], "a sensor has its cursor for that"


def test_killed_between_a_start_and_its_reset_it_is_handed_back_to_its_code_by_the_next_call(file):
    plus = deployment()
    pause(plus, file)
    plus.calls, plus.killed_at = [], 1
    with pytest.raises(Killed):
        resume(plus, file)
    assert plus.calls == ["start nightly"]
    plus.killed_at = None
    resume(plus, file)
    assert plus.on() == BEFORE


states = st.lists(st.tuples(st.booleans(), st.booleans(), st.sampled_from(["schedule", "sensor"])), max_size=6)


@settings(deadline=None, max_examples=60)  # it writes to a disk that others use, too
@given(states=states, kills=st.lists(st.tuples(st.booleans(), st.integers(1, 4)), max_size=6))
def test_whatever_order_of_kills_and_commands_ends_as_it_began(tmp_path_factory, states, kills):
    file = PausedFile(tmp_path_factory.mktemp("stack") / "paused.json", ACME)
    listed = [
        instigation(f"{index}", on=on, by_default=by_default, kind=kind)
        for index, (on, by_default, kind) in enumerate(states)
    ]
    plus = Standing(listed)
    before = plus.on()
    for to_pause, at in [(True, 99), *kills]:
        plus.calls, plus.killed_at = [], at
        try:
            pause(plus, file) if to_pause else resume(plus, file)
        except Killed:
            continue
    plus.killed_at = None
    pause(plus, file)
    assert plus.on() == set()
    resume(plus, file)
    assert plus.on() == before


def test_pausing_twice_keeps_the_first_record_and_adds_what_came_since(file):
    plus = deployment()
    first = pause(plus, file, now=lambda: 1000.0).record
    plus.instigations.append(instigation("deployed since", by_default=True))
    second = pause(plus, file, now=lambda: 2000.0).record
    assert {*second.was_on} == {*first.was_on, *second.was_on}
    assert second.paused_at == 1000.0, "when it was paused first"
    assert names(set(second.was_on) - set(first.was_on)) == ["deployed since"]
    assert plus.on() == set()


def test_of_what_somebody_turned_on_during_a_pause_it_is_remembered_that_its_code_did_it_first(file):
    plus = deployment()
    pause(plus, file)
    plus.start_instigation(next(each for each in plus.instigations if each.name == "nightly"))
    pause(plus, file)
    resume(plus, file)
    assert plus.on() == BEFORE, "a hand in between is no reason to take it from its code"


def test_a_tick_that_turns_its_sensor_on_again_is_waited_for_and_the_sensor_stopped_once_more(file):
    watch = instigation("watch", kind="sensor", by_default=True, ticking_since=1.0)
    plus, slept = Standing([watch]), []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:  # the daemon writes the state that it read when the tick began, and the tick is over
            plus.instigations = [replace(watch, ticking_since=None)]

    done = pause(plus, file, sleep=sleep, clock=lambda: sum(slept))
    assert plus.on() == set()
    assert plus.calls == ["stop watch", "stop watch"]
    assert names(done.record.was_on) == ["watch"]


def test_a_tick_that_a_crashed_daemon_left_does_not_hold_a_pause(file):
    slept: list[float] = []
    plus = Standing([instigation("watch", kind="sensor", on=False, ticking_since=1.0)])
    pause(plus, file, sleep=slept.append, clock=lambda: sum(slept))
    assert sum(slept) == 15


def test_what_is_turned_on_again_each_time_ends_the_pause_with_its_name(file):
    plus = deployment()
    plus.deaf = True
    with pytest.raises(NotReadyError, match="turns on again what is turned off: schedule nightly"):
        pause(plus, file)
    assert file.read() is not None, "what was on is on record all the same"


def test_locations_that_are_not_loaded_and_backfills_are_named(file):
    plus = deployment()
    plus.locations = {"hello": True, "broken": False}
    plus.backfills = [Backfill("abc", "REQUESTED", 3, "orders")]
    done = pause(plus, file)
    assert done.unseen == ("broken",), "nobody knows what it starts"
    assert [each.id for each in done.backfills] == ["abc"], "it goes on launching runs"


def test_a_location_that_is_not_loaded_keeps_the_record(file):
    plus = deployment()
    pause(plus, file)
    away, plus.instigations = plus.instigations, []
    plus.locations = {"hello": False}
    with pytest.raises(NotReadyError, match="3 of what was on are not on again") as caught:
        resume(plus, file, forget=True)
    assert "its location is not loaded" in str(caught.value)
    assert file.read() is not None, "it may load yet: --forget does not give it up"
    plus.instigations, plus.locations = away, {"hello": True}
    resume(plus, file)
    assert plus.on() == BEFORE


def test_what_is_gone_is_named_and_given_up_only_when_told(file):
    plus = deployment()
    pause(plus, file)
    plus.instigations = [each for each in plus.instigations if each.name != "weekly"]
    with pytest.raises(NotReadyError, match="1 of what was on is not on again") as caught:
        resume(plus, file)
    assert "schedule weekly (hello): no longer there" in str(caught.value)
    assert plus.on() == BEFORE - {("weekly", True)}, "what is there is on"
    assert file.path.exists()
    done = resume(plus, file, forget=True)
    assert names(done.forgotten) == ["weekly"]
    assert sorted(names(done.on_already)) == ["nightly", "watch"]
    assert not file.path.exists()


def test_what_its_code_no_longer_turns_on_is_turned_on_by_name(file):
    plus = Standing([instigation("nightly", by_default=True)])
    pause(plus, file)
    (one,) = plus.instigations
    plus.instigations = [instigation("nightly", on=False, by_default=False)]
    resume(plus, file)
    assert plus.calls[-1] == "start nightly", f"a reset would leave it off: {one}"
    assert names(each for each in plus.instigations if each.is_on) == ["nightly"]


def test_a_dagster_plus_that_takes_the_order_and_does_nothing_keeps_the_record(file):
    plus = deployment()
    pause(plus, file)
    plus.deaf = True
    with pytest.raises(NotReadyError, match="did not: schedule nightly"):
        resume(plus, file)
    assert file.path.exists()


@pytest.mark.parametrize("other", [Endpoint.of("umbrella", "prod"), Endpoint.of("acme", "staging")])
def test_another_organization_s_or_deployment_s_record_is_refused_and_nothing_is_done(file, other):
    pause(deployment(), PausedFile(file.path, other))
    plus, content = deployment(), file.path.read_bytes()
    for command in (pause, resume):
        with pytest.raises(UsageError, match=f"'{other.deployment}' of '{other.organization}'"):
            command(plus, file)
    assert plus.calls == []
    assert file.path.read_bytes() == content


@pytest.mark.parametrize("content", ["", "{", "[]", '{"version": 2}', '{"version": 1}', '{"version":1,"was_on":[{}]}'])
def test_a_record_that_cannot_be_read_is_refused_and_kept(file, content):
    file.path.parent.mkdir(parents=True)
    file.path.write_text(content)
    plus = deployment()
    for command in (pause, resume):
        with pytest.raises(UsageError, match="cannot be read"):
            command(plus, file)
    assert plus.calls == [], "what it says was on is not known: nothing may be turned off over it"
    assert file.path.read_text() == content


def test_two_at_a_time_are_refused(file):
    with PausedFile(file.path, ACME), pytest.raises(StackBusyError, match="pauses or resumes"):
        pause(deployment(), file)
    pause(deployment(), file)
