"""Draining against a deployment in memory: what is waited for, what is canceled, and how the wait ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest

from hybrid.errors import NotReadyError
from hybrid.plus import Backfill
from hybrid.switch.drain import Drain, Runs
from tests.unit.switch.standing import Standing, instigation, run

pytestmark = pytest.mark.unit

NOW = 1_800_000_000.0


@dataclass
class Time:
    """Passes only when somebody sleeps; ``then`` happens at each sleep."""

    then: Callable[[], None] = lambda: None
    passed: float = 0.0
    told: list[str] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.passed += seconds
        self.then()

    def drain(self, plus: Standing, runs: Runs = Runs.WAIT, timeout: float = 60) -> Drain:
        return Drain(
            plus, runs, timeout=timeout, poll=5, tell=self.told.append, sleep=self.sleep,
            clock=lambda: self.passed, now=lambda: NOW + self.passed,
        )  # fmt: skip


def test_a_quiet_deployment_is_not_waited_for():
    time = Time()
    assert time.drain(Standing(), timeout=0).wait().is_quiet
    assert time.passed == 0


def test_one_quiet_look_is_not_enough():
    plus = Standing()
    times = iter([[], [run("late")], [], []])
    plus.runs_in_progress = lambda: next(times)
    assert Time().drain(plus).wait().is_quiet
    assert next(times, "asked to the end") == "asked to the end", "a tick that waited for its turn launched one"


def test_runs_queued_ones_and_backfills_are_waited_for_and_named_once():
    plus = Standing(runs=[run("one"), run("two", "QUEUED")], backfills=[Backfill("bf", "REQUESTED", 3, "orders")])

    def pass_by() -> None:
        if time.passed >= 10:
            plus.runs = plus.runs[1:]
        if time.passed >= 20:
            plus.backfills = []

    time = Time(pass_by)
    assert time.drain(plus).wait().is_quiet
    assert time.passed == 25, "and one look more, for a tick that waited for its turn"
    assert plus.calls == [], "who waits ends nothing"
    assert len(time.told) == 3, "each change is told once, and not every look"
    assert "backfill bf of orders" in time.told[0]


def test_a_tick_that_began_before_the_pause_holds_until_it_is_over_or_too_old():
    plus = Standing([instigation("watch", kind="sensor", on=False, ticking_since=NOW - 290)])
    time = Time()
    assert time.drain(plus).wait().is_quiet
    assert time.passed == 15, "it might have launched runs; one of five minutes is a crashed daemon's"
    assert "a tick of sensor watch" in time.told[0]


def test_the_time_is_over_with_what_is_left_and_what_starts_more():
    plus = Standing([instigation("nightly")], runs=[run("abcdefgh12")])
    with pytest.raises(NotReadyError, match="After 60 s there is still 1 run \\(1 STARTED\\): job abcdefgh") as caught:
        Time().drain(plus).wait()
    assert "Not paused, so that they start more: nightly" in str(caught.value)
    assert "hybrid switch pause" in str(caught.value)
    plus.instigations = []
    with pytest.raises(NotReadyError, match="--cancel"):
        Time().drain(plus).wait()


def test_what_is_canceled_is_asked_once_backfills_first_and_waited_for():
    plus = Standing(
        runs=[run("one"), run("two", "QUEUED"), run("three", "CANCELING")],
        backfills=[Backfill("bf", "REQUESTED", 3, "orders"), Backfill("old", "CANCELING", 3, "orders")],
    )

    def end() -> None:
        plus.backfills = []
        if time.passed >= 15:
            plus.runs = []

    time = Time(end)
    assert time.drain(plus, Runs.CANCEL).wait().is_quiet
    assert plus.calls == ["cancel bf", "terminate one", "terminate two"], "what is being canceled is not asked again"


def test_a_run_that_does_not_heed_is_not_asked_at_each_look():
    plus = Standing(runs=[run("one")], backfills=[Backfill("bf", "REQUESTED", 3, "orders")], deaf=True)
    with pytest.raises(NotReadyError, match="still 1 run"):
        Time().drain(plus, Runs.CANCEL).wait()
    assert plus.calls == ["cancel bf", "terminate one"]


def test_a_run_that_ended_meanwhile_does_not_end_the_drain():
    plus = Standing(runs=[run("one")])
    drain = Time().drain(plus, Runs.CANCEL)
    look = plus.runs_in_progress

    def ended_since() -> list[object]:
        found, plus.runs = look(), []
        return found

    plus.runs_in_progress = ended_since
    assert drain.wait().is_quiet


def test_what_is_left_is_named_and_not_waited_for():
    plus = Standing(runs=[run("abcdefgh12")])
    time = Time()
    left = time.drain(plus, Runs.LEAVE).wait()
    assert (left.is_quiet, left.words(), time.passed) == (False, "1 run (1 STARTED): job abcdefgh", 0)


def test_backfills_are_looked_at_before_runs():
    plus, order = Standing(), []
    for name in ("automations", "backfills_at_work", "runs_in_progress"):
        original = getattr(plus, name)
        setattr(plus, name, lambda original=original, name=name: (order.append(name), original())[1])
    Time().drain(plus).wait()
    assert order == 2 * ["automations", "backfills_at_work", "runs_in_progress"], (
        "a backfill that ends between two looks has launched its runs by then"
    )


@pytest.mark.parametrize("runs", [Runs.WAIT, Runs.CANCEL])
def test_runs_of_the_agent_that_stays_are_neither_waited_for_nor_canceled(runs: Runs) -> None:
    ours = replace(run("ours"), tags={"dagster/agent_label": "hybrid-prod"})
    theirs = replace(run("theirs"), tags={"dagster/agent_label": "serverless"})
    plus = Standing(runs=[ours, theirs, run("queued", "QUEUED")])

    def end() -> None:
        if time.passed >= 10:
            plus.runs = [ours]

    time = Time(end)
    drain = time.drain(plus, runs)
    drain.but_of = "hybrid-prod"
    assert drain.wait().is_quiet, "with users at work there is always some on Hybrid"
    assert time.passed >= 10, "what Serverless has, or nobody yet, is waited for"
    assert not any("ours" in str(call) for call in plus.calls), "a run on Hybrid was ended"
