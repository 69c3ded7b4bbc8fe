"""`hybrid switch pause|drain|resume` as a person types them, against real schedules, sensors and runs."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from hybrid.plus import Automations
from tests.emulated.checkout import Checkout, until

pytestmark = [pytest.mark.emulated, pytest.mark.slow, pytest.mark.timeout(400)]

CODE = """
import time
from pathlib import Path
import dagster as dg

@dg.op
def wait_long(context: dg.OpExecutionContext) -> None:
    end = Path("{gate}")
    deadline = time.monotonic() + 120
    while not end.exists() and time.monotonic() < deadline:
        time.sleep(0.2)

@dg.job(executor_def=dg.in_process_executor)
def waiting() -> None:
    wait_long()

@dg.asset(automation_condition=dg.AutomationCondition.eager())
def follower() -> int:
    return 1

@dg.schedule(cron_schedule="0 0 1 1 *", job=waiting, default_status=dg.DefaultScheduleStatus.RUNNING)
def yearly() -> dg.RunRequest:
    return dg.RunRequest()

@dg.schedule(cron_schedule="0 0 1 2 *", job=waiting)
def by_hand() -> dg.RunRequest:
    return dg.RunRequest()

@dg.schedule(cron_schedule="0 0 1 3 *", job=waiting, default_status=dg.DefaultScheduleStatus.RUNNING)
def off_by_hand() -> dg.RunRequest:
    return dg.RunRequest()

@dg.sensor(job=waiting, minimum_interval_seconds=1, default_status=dg.DefaultSensorStatus.RUNNING)
def eager(context: dg.SensorEvaluationContext) -> dg.SensorResult:
    count = int(context.cursor or 0) + 1
    return dg.SensorResult(skip_reason="counts", cursor=str(count))

defs = dg.Definitions(
    assets=[follower], jobs=[waiting], schedules=[yearly, by_hand, off_by_hand], sensors=[eager]
)
"""
WAS_ON = {("schedule", "yearly", True), ("schedule", "by_hand", False), ("sensor", "eager", True)}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, environments: Path) -> Iterator[Checkout]:
    checkout = Checkout(tmp_path_factory.mktemp("paused") / "checkout", shared=environments)
    checkout.location("hello", CODE)
    checkout.up()
    with checkout.client() as client:
        by_name = {one.name: one for one in client.automations().instigations}
        client.start_instigation(by_name["by_hand"])
        client.stop_instigation(by_name["off_by_hand"])
    yield checkout
    checkout.destroy()


def on(place: Checkout) -> set[tuple[str, str, bool]]:
    with place.client() as client:
        found: Automations = client.automations()
    return {(one.kind, one.name, one.by_default) for one in found.instigations if one.is_on}


def record(place: Checkout) -> Path:
    return place.root / ".hybrid" / "stacks" / "local" / "paused.json"


def test_a_pause_that_is_killed_again_and_again_loses_nothing(place: Checkout) -> None:
    before = on(place)
    assert before >= WAS_ON, "the emulator says of each whether its code or somebody turned it on"
    assert ("schedule", "off_by_hand", True) not in before
    for command in ("pause", "resume"):
        for moment in (0.5, 0.7, 0.9, 1.1, 1.3, 1.5):  # seconds; whatever each hits must be right
            process = place.start("switch", command, "local", "--json")
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(moment)
            process.kill()
            process.communicate()
        answer = place.hybrid("switch", command, "local", "--json")
        assert answer.code == 0, answer.err
        if command == "pause":
            assert on(place) == set()
            named = {(each["kind"], each["name"], each["by_default"]) for each in answer.document["was_on"]}
            assert named == before, "what was on at first, whatever a killed pause had turned off already"
    assert on(place) == before
    assert not record(place).exists()


def test_a_paused_sensor_does_not_tick_and_goes_on_from_its_cursor(place: Checkout) -> None:
    assert place.hybrid("switch", "pause", "local").code == 0
    drained = place.hybrid("switch", "drain", "local", "--timeout", "60")
    with place.client() as client:
        assert drained.code == 0, f"no tick had launched a run: {client.runs_in_progress()}"
        stopped = {one.name: one for one in client.automations().instigations}
        assert not any(one.is_on for one in stopped.values())
    answer = place.hybrid("switch", "resume", "local")
    assert answer.code == 0, answer.err
    assert "On again: 2 schedules and" in answer.out


def test_a_drain_waits_names_what_runs_and_ends_it_when_told(place: Checkout) -> None:
    with place.client() as client:
        run = client.launch_run("hello", "waiting")
        until(lambda: client.run(run).status == "STARTED", seconds=60, what="the run is under way")
    left = place.hybrid("switch", "drain", "local", "--leave", "--json")
    assert left.code == 0
    assert [each["id"] for each in left.document["runs"]] == [run]
    assert "yearly" in left.document["still_on"], "who drains without a pause is told so"
    late = place.hybrid("switch", "drain", "local", "--timeout", "1")
    assert late.code == 7, late.err
    assert f"waiting {run[:8]}" in late.err
    process = place.start("switch", "drain", "local")
    assert "waiting for" in process.stderr.readline()
    process.send_signal(2)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in err
    ended = place.hybrid("switch", "drain", "local", "--cancel", "--json")
    assert ended.code == 0, ended.err
    assert ended.document["quiet"] is True
    with place.client() as client:
        assert client.run(run).status == "CANCELED"


def test_another_organization_s_record_is_refused(place: Checkout) -> None:
    before = on(place)
    assert place.hybrid("switch", "pause", "local").code == 0
    ours = record(place).read_text()
    record(place).write_text(ours.replace('"organization": "local"', '"organization": "umbrella"'))
    refused = place.hybrid("switch", "resume", "local")
    assert refused.code == 2
    assert "umbrella" in refused.err
    assert on(place) == set(), "nothing was turned on by another's record"
    record(place).write_text(ours)
    assert place.hybrid("switch", "resume", "local").code == 0
    assert on(place) == before
