"""The run after a deploy, against a Dagster+ that says what a test lets it say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from hybrid.pipeline import smoke
from hybrid.pipeline.smoke import TAG, SmokeJob, smoke_run
from hybrid.plus import PlusUnreachable, Run, RunEvent
from hybrid.plus.failure import Failure

pytestmark = pytest.mark.unit

JOB = SmokeJob("hello", "greet", 600, "https://acme.dagster.cloud/prod", "a" * 40)


@dataclass
class Plus:
    """``statuses`` are what the run is asked time by time; the last one stays."""

    statuses: list[str]
    interrupts: bool = False
    launched: list[dict[str, Any]] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)

    def launch_run(self, location: str, job: str, *, tags: Mapping[str, str]) -> str:
        self.launched.append({"location": location, "job": job, "tags": dict(tags)})
        return "r1"

    def run(self, run_id: str) -> Run:
        if self.interrupts:
            raise KeyboardInterrupt
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        return Run(run_id, "greet", status, None, None, {}, "hello")

    def run_events(self, run_id: str) -> Iterator[RunEvent]:
        for message in ("first", "ValueError: the cause"):
            yield RunEvent(0.0, "ERROR", "STEP_FAILURE", "a", message, Failure(message, ""), "c")
        yield RunEvent(0.0, "ERROR", "RUN_FAILURE", None, "steps failed", None, "c")

    def terminate_run(self, run_id: str) -> None:
        self.ended.append(run_id)
        raise PlusUnreachable("Dagster+ is away")


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smoke, "_POLL_SECONDS", 0.0)


def tried(plus: Plus, job: SmokeJob = JOB) -> smoke.SmokeResult:
    return smoke_run(plus, job, lambda line: None)  # type: ignore[arg-type]


def test_it_is_launched_once_with_the_commit_and_waited_for() -> None:
    plus = Plus(["QUEUED", "STARTED", "SUCCESS"])
    result = tried(plus)
    assert plus.launched == [{"location": "hello", "job": "greet", "tags": {TAG: "a" * 40}}]
    assert result.failure("x") is None
    assert result.document()["url"] == "https://acme.dagster.cloud/prod/runs/r1"
    assert plus.ended == [], "a run that ended is left alone"


@pytest.mark.parametrize("status", ["FAILURE", "CANCELED"])
def test_one_that_fails_ends_with_9_and_its_last_error(status: str) -> None:
    failure = tried(Plus([status])).failure("go back so")
    assert failure is not None
    assert failure.exit_code == 9
    assert "ValueError: the cause" in str(failure)
    assert "go back so" in str(failure)


def test_one_that_takes_too_long_is_told_to_end() -> None:
    plus = Plus(["STARTED"])
    result = tried(plus, SmokeJob("hello", "greet", 0.05, JOB.page, None))
    assert plus.ended == ["r1"], "nobody waits for it any more"
    failure = result.failure("x")
    assert failure is not None
    assert "did not end within 0.05 s" in str(failure)


def test_ctrl_c_ends_the_run_too() -> None:
    plus = Plus(["STARTED"], interrupts=True)
    with pytest.raises(KeyboardInterrupt):
        tried(plus)
    assert plus.ended == ["r1"]
