"""`AgentDrain` against a Dagster+ in memory: which runs hold an agent, for how long, and what is done with them."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from hybrid.errors import NotReadyError, SettingsError
from hybrid.plus import PlusRejected, PlusUnreachable, Run
from hybrid.provider.agent_drain import RUNS_VARIABLE, AgentDrain
from hybrid.provider.resource import Call, CancelledError

pytestmark = pytest.mark.unit


class Clock(threading.Event):
    """A cancel event on which nobody really waits; ``steps`` happen one by one instead."""

    def __init__(self, *steps):
        super().__init__()
        self.steps = list(steps)

    def wait(self, timeout=None):
        if self.steps:
            self.steps.pop(0)()
        return self.is_set()


def run(number, status="STARTED", location="hello"):
    return Run(f"run{number}-abcdef", "nightly", status, None, None, {}, location)


@pytest.fixture(autouse=True)
def _no_choice_of_the_environment(monkeypatch):
    monkeypatch.delenv(RUNS_VARIABLE, raising=False)


@pytest.fixture
def resource(clients):
    return AgentDrain(clients)


@pytest.fixture
def inputs(connection):
    return {
        "connection": connection,
        "locations": ["hello"],
        "runs": "wait",
        "queuedRuns": False,
        "timeoutSeconds": 60,
    }


def test_it_does_nothing_until_it_is_deleted(resource, plus, inputs, call):
    made = resource.create(inputs, call)
    resource.update(made.id, {}, inputs, call)
    assert resource.read(made.id, inputs, {}, call) is not None
    assert plus.calls == []
    assert made.id == "my-team/prod/hello"


def test_without_runs_it_goes_at_once(resource, plus, inputs, call, report):
    plus.runs = [run(1, location="other"), run(2, location=None), run(3, "QUEUED")]

    resource.delete("id", inputs, {}, call)

    assert report.said == [], "runs of others and queued ones do not need this agent"


def test_runs_of_its_locations_are_waited_for_with_a_line_of_progress(resource, plus, inputs, report):
    plus.runs = [run(1), run(2, "STARTING"), run(3, "QUEUED")]

    def next_look():
        plus.runs = plus.runs[1:2]

    clock = Clock(next_look, plus.runs.clear, lambda: setattr(plus, "runs", []))
    resource.delete("id", inputs, {}, Call(report, clock))

    assert report.said[0] == (
        "status",
        "waiting for 2 runs (1 STARTED, 1 STARTING): nightly run1-abc, nightly run2-abc; 1 queued for the next agent",
    )
    assert ("status", "waiting for 1 run (1 STARTING): nightly run2-abc") in report.said
    assert report.said[-1] == ("info", "no run is in progress any more")
    assert not [name for name in plus.calls if name.startswith("terminate")]


def test_a_wait_that_takes_too_long_keeps_the_agent_and_names_the_ways_on(resource, plus, inputs, call):
    plus.runs = [run(1)]

    with pytest.raises(NotReadyError, match="After 0 s there is still 1 run") as late:
        resource.delete("id", {**inputs, "timeoutSeconds": 0}, {}, call)

    assert "HYBRID_RUNS_ON_DOWN=terminate" in str(late.value)


def test_ctrl_c_ends_the_wait(resource, plus, inputs, report):
    plus.runs = [run(1)]
    clock = Clock()
    clock.steps.append(clock.set)

    with pytest.raises(CancelledError):
        resource.delete("id", inputs, {}, Call(report, clock))


def test_runs_are_terminated_once_each_when_that_is_chosen(resource, plus, inputs, report):
    plus.runs = [run(1), run(2, "CANCELING")]
    clock = Clock(lambda: None, lambda: setattr(plus, "runs", []))

    resource.delete("id", {**inputs, "runs": "terminate"}, {}, Call(report, clock))

    assert [name for name in plus.calls if name.startswith("terminate")] == ["terminate_run run1-abcdef"]


def test_a_run_that_ended_before_it_was_terminated_is_no_error(resource, plus, inputs, report):
    plus.runs = [run(1)]
    plus.faults["terminate_run run1-abcdef"] = PlusRejected("It has ended.")

    resource.delete("id", {**inputs, "runs": "terminate"}, {}, Call(report, Clock(lambda: setattr(plus, "runs", []))))

    assert ("info", "nightly run1-abc was not terminated: It has ended.") in report.said


def test_runs_that_are_left_are_named(resource, plus, inputs, call, report):
    plus.runs = [run(1)]

    resource.delete("id", {**inputs, "runs": "leave"}, {}, call)

    assert report.said == [("warning", "left to themselves: 1 run (1 STARTED): nightly run1-abc")]


def test_the_choice_of_one_command_overrules_the_program(resource, plus, inputs, call, report, monkeypatch):
    plus.runs = [run(1)]
    monkeypatch.setenv(RUNS_VARIABLE, "leave")

    resource.delete("id", inputs, {}, call)

    assert report.said[-1][1].startswith("left to themselves")
    monkeypatch.setenv(RUNS_VARIABLE, "kill")
    with pytest.raises(SettingsError, match="It is one of wait, terminate, leave"):
        resource.delete("id", inputs, {}, call)


def test_queued_runs_are_waited_for_when_that_is_wanted(resource, plus, inputs, call):
    plus.runs = [run(1, "QUEUED")]

    with pytest.raises(NotReadyError, match="1 QUEUED"):
        resource.delete("id", {**inputs, "queuedRuns": True, "timeoutSeconds": 0}, {}, call)


def test_an_agent_that_is_dead_is_not_waited_for(resource, plus, inputs, call, report, agent):
    plus.runs = [run(1)]
    plus.listed_agents = [agent(status="NOT_RUNNING"), agent(label="other", id="a2")]

    resource.delete("id", {**inputs, "agentLabel": "local"}, {}, call)

    assert report.said == [("warning", "no agent local is RUNNING to end 1 run (1 STARTED): nightly run1-abc")]

    plus.listed_agents = [replace(plus.listed_agents[0], status="RUNNING")]
    with pytest.raises(NotReadyError):
        resource.delete("id", {**inputs, "agentLabel": "local", "timeoutSeconds": 0}, {}, call)


def test_an_organization_that_does_not_answer_keeps_the_agent_and_an_embedded_one_does_not(
    resource, plus, inputs, call, report, tmp_path
):
    plus.faults["runs_in_progress"] = PlusUnreachable("Nobody answers.", reason="refused")
    with pytest.raises(PlusUnreachable):
        resource.delete("id", inputs, {}, call)

    inputs["connection"] = {**inputs["connection"], "tokenFile": str(tmp_path / "api-token")}
    resource.delete("id", inputs, {}, call)
    assert report.said == [], "a wiped one has no runs"
    (tmp_path / "api-token").touch()
    resource.delete("id", inputs, {}, call)
    assert report.said[-1] == ("warning", "the embedded Dagster+ does not run; nobody knows of runs in progress")
