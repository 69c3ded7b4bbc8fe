"""Schedules, sensors and backfills as the client reads and changes them, against a Dagster+ that answers only what was
agreed. That Dagster+ does what it is told is for tests/emulated."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hybrid.plus import Backfill, PlusForbidden, PlusNotFound, PlusRejected

pytestmark = pytest.mark.unit


def found(plus, client):
    plus.expects("HybridAutomations")
    return {(one.location, one.kind, one.name): one for one in client.automations().instigations}


def test_what_is_on_because_its_code_says_so_is_told_from_what_somebody_turned_on(plus, client):
    one = found(plus, client)
    nightly, weekly = one["hello", "schedule", "nightly"], one["hello", "schedule", "weekly"]
    assert (nightly.is_on, nightly.by_default) == (True, True)
    assert (weekly.is_on, weekly.by_default) == (False, False)
    assert (one["two", "sensor", "watch"].is_on, one["two", "sensor", "watch"].by_default) == (True, False)
    off = one["hello", "sensor", "watch"]
    assert (off.is_on, off.on_by_default, off.by_default) == (False, True, False), "somebody turned it off"
    assert replace(nightly, was_set=True).by_default is False, "on by its code, and by somebody's word as well"
    assert list(one) == sorted(one), "an order that does not depend on Dagster+'s"


def test_a_tick_that_is_not_over_is_known(plus, client):
    one = found(plus, client)
    assert one["two", "sensor", "watch"].ticking_since == 1763722000.5
    assert one["hello", "schedule", "nightly"].ticking_since is None


def test_the_daemon_s_own_switch_counts_only_where_no_sensor_automates(plus, client):
    plus.expects("HybridAutomations", "HybridAutomations.daemon", "HybridPauseDeclarativeAutomation")
    assert client.automations().automates_assets is False
    assert client.automations().automates_assets is True
    client.pause_automation(paused=True)


def test_each_is_stopped_started_and_reset_by_the_handle_of_its_kind(plus, client):
    one = found(plus, client)
    schedule, sensor = one["hello", "schedule", "nightly"], one["two", "sensor", "watch"]
    for verb, call in (
        ("Stop", client.stop_instigation),
        ("Start", client.start_instigation),
        ("Reset", client.reset_instigation),
    ):
        plus.expects(f"Hybrid{verb}Schedule", f"Hybrid{verb}Sensor")
        call(schedule)
        call(sensor)


def test_refusals_are_errors_with_a_next_step(plus, client):
    one = found(plus, client)
    plus.expects("HybridStopSchedule.unauthorized", "HybridStartSensor.absent", "HybridAutomations.fails")
    with pytest.raises(PlusForbidden, match="Editor"):
        client.stop_instigation(one["hello", "schedule", "nightly"])
    with pytest.raises(PlusNotFound, match="watch"):
        client.start_instigation(one["two", "sensor", "watch"])
    with pytest.raises(PlusRejected, match="boom"):
        client.automations()


def test_backfills_at_work_are_those_that_may_launch_runs_or_are_being_canceled(plus, client):
    plus.expects("HybridBackfills", "HybridBackfills.canceling", "HybridCancelBackfill", "HybridBackfills.fails")
    assert client.backfills_at_work() == [
        Backfill("abcdefgh", "REQUESTED", 12, "raw/orders, items"),
        Backfill("ijklmnop", "CANCELING", None, "days_partition_set"),
    ]
    client.cancel_backfill("abcdefgh")
    with pytest.raises(PlusRejected, match="boom"):
        client.backfills_at_work()
    plus.expects("HybridCancelBackfill.unauthorized")
    with pytest.raises(PlusForbidden, match="Launcher"):
        client.cancel_backfill("abcdefgh")
