"""The rotation of an agent token, against a Dagster+ in memory: which runs hold the former one, for how long, and that
it is revoked only then. It does not show that Dagster+ tags runs as the agent's source says; the emulated tier has a
real agent."""

from __future__ import annotations

import dataclasses
import threading

import pytest

from hybrid.errors import NotReadyError, SettingsError
from hybrid.plus import AgentToken, Run
from hybrid.provider import token_rotation
from hybrid.provider.agent_token import AgentTokenResource
from hybrid.provider.difference import changes
from hybrid.provider.resource import CancelledError

pytestmark = pytest.mark.unit

LABEL = "hybrid-prod"


@pytest.fixture
def resource(clients):
    return AgentTokenResource(clients)


@pytest.fixture
def inputs(connection):
    grants = {"deployments": ["prod"]}
    return {"connection": connection, "description": "hybrid: prod", "grants": grants, "agentLabel": LABEL}


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(token_rotation, "_POLL", 0.001)
    monkeypatch.delenv(token_rotation.RUNS_VARIABLE, raising=False)
    monkeypatch.delenv(token_rotation.SECONDS_VARIABLE, raising=False)


def run(id="r1", agent="old", label=LABEL, status="STARTED"):
    tags = {name: value for name, value in (("dagster/agent_id", agent), ("dagster/agent_label", label)) if value}
    return Run(id, "etl", status, 1.0, None, tags, "hello")


@pytest.fixture
def rotated(resource, plus, inputs, call):
    """The former token, whose successor is good; ``heard`` lets the new agent report at each look."""
    old = resource.create(inputs, call)
    resource.create({**inputs, "rotation": 1}, call)
    return old


def revoked(plus, existing):
    return plus.tokens[int(existing.id)].revoked


def looks(monkeypatch, plus, steps):
    """Each look at the runs takes the next step, the last one for ever; agents are heard anew each time."""
    seen = []

    def runs_in_progress():
        found = steps[min(len(seen), len(steps) - 1)]
        seen.append(found)
        return found

    monkeypatch.setattr(plus, "runs_in_progress", runs_in_progress)
    return seen


def test_a_rotation_makes_a_second_token_and_leaves_the_first(rotated, plus):
    assert [token.description for token in plus.tokens.values()] == ["hybrid: prod", "hybrid: prod, rotation 1"]
    assert not revoked(plus, rotated), "the agent works with it until it has the new one"


def test_a_rotation_that_was_killed_leaves_no_token_whose_value_nobody_has(resource, rotated, plus, inputs, call):
    resource.create({**inputs, "rotation": 1}, call)
    good = [token.description for token in plus.tokens.values() if not token.revoked]
    assert sorted(good) == ["hybrid: prod", "hybrid: prod, rotation 1"], "the killed one is revoked, the old one not"


def test_without_a_run_in_progress_the_former_token_is_revoked_at_once(resource, rotated, plus, inputs, call, report):
    resource.delete(rotated.id, inputs, rotated.outputs, call)
    assert revoked(plus, rotated)
    assert report.said == [], "nothing was waited for"


def test_a_run_that_the_former_agent_launched_is_waited_for(resource, rotated, plus, inputs, call, report, monkeypatch):
    seen = looks(monkeypatch, plus, [[run()], [run()], []])
    resource.delete(rotated.id, inputs, rotated.outputs, call)
    assert len(seen) == 3, "it looked until the run had ended"
    assert revoked(plus, rotated)
    assert any(kind == "status" and "etl r1" in text for kind, text in report.said), "and said for what it waited"


def test_a_run_of_the_new_agent_does_not_hold_the_former_token(
    resource, rotated, plus, inputs, call, agent, monkeypatch
):
    beats = iter(range(100, 200))
    monkeypatch.setattr(plus, "agents", lambda: [agent(LABEL, heard=float(next(beats)), id="new")])
    looks(monkeypatch, plus, [[run(agent="new")]])
    resource.delete(rotated.id, inputs, rotated.outputs, call)
    assert revoked(plus, rotated), "an agent that is heard after the update was started with the new token"


def test_an_agent_that_is_not_heard_again_is_taken_for_the_former_one(
    resource, rotated, plus, inputs, call, agent, monkeypatch
):
    plus.listed_agents = [agent(LABEL, heard=100.0, id="old")]
    looks(monkeypatch, plus, [[run()]])
    monkeypatch.setenv(token_rotation.SECONDS_VARIABLE, "0.05")
    with pytest.raises(NotReadyError) as late:
        resource.delete(rotated.id, inputs, rotated.outputs, call)
    assert not revoked(plus, rotated), "its run would fail: Dagster+ still shows it RUNNING for a while after its end"
    assert "etl r1" in late.value.sentence()
    assert "run `up` again" in late.value.sentence(), "that finishes the rotation"


@pytest.mark.parametrize("status", ["QUEUED", "NOT_STARTED"])
def test_what_is_not_launched_yet_is_launched_with_the_new_token(
    resource, rotated, plus, inputs, call, monkeypatch, status
):
    looks(monkeypatch, plus, [[run(agent=None, label=None, status=status)]])
    resource.delete(rotated.id, inputs, rotated.outputs, call)
    assert revoked(plus, rotated)


def test_another_stack_s_runs_do_not_hold_it(resource, rotated, plus, inputs, call, monkeypatch):
    looks(monkeypatch, plus, [[run(label="hybrid-staging")]])
    resource.delete(rotated.id, inputs, rotated.outputs, call)
    assert revoked(plus, rotated)


def test_runs_can_be_ended_for_it_each_asked_once(resource, rotated, plus, inputs, call, monkeypatch):
    looks(monkeypatch, plus, [[run()], [run()], []])
    monkeypatch.setenv(token_rotation.RUNS_VARIABLE, "terminate")
    resource.delete(rotated.id, inputs, rotated.outputs, call)
    assert plus.calls.count("terminate_run r1") == 1
    assert revoked(plus, rotated)


def test_runs_can_be_left_and_are_named(resource, rotated, plus, inputs, call, report, monkeypatch):
    looks(monkeypatch, plus, [[run()]])
    monkeypatch.setenv(token_rotation.RUNS_VARIABLE, "leave")
    resource.delete(rotated.id, inputs, rotated.outputs, call)
    assert revoked(plus, rotated)
    assert [kind for kind, text in report.said if "etl r1" in text] == ["warning"]


def test_ctrl_c_leaves_the_token_good(resource, rotated, plus, inputs, call, monkeypatch):
    looks(monkeypatch, plus, [[run()]])
    stopped = threading.Event()
    stopped.set()
    with pytest.raises(CancelledError):
        resource.delete(rotated.id, inputs, rotated.outputs, dataclasses.replace(call, cancelled=stopped))
    assert not revoked(plus, rotated), "the next update finishes it"


def test_runs_of_branch_deployments_count_where_the_agent_serves_them(rotated, plus, inputs, monkeypatch):
    branch = type("Branch", (), {"deployment": type("D", (), {"name": "b1"})})
    plus.branch_deployments = lambda: [branch]
    granted = {**inputs, "grants": {"deployments": ["prod", "dev"], "allBranchDeployments": True}}
    where = token_rotation.Connection.of(inputs)
    assert token_rotation._deployments(granted, where, plus) == ["b1", "dev", "prod"]
    assert token_rotation._deployments(inputs, where, plus) == ["prod"], "and are not asked for where it does not"


def test_a_token_that_goes_with_its_stack_waits_for_no_run(resource, plus, inputs, call, monkeypatch):
    made = resource.create(inputs, call)
    plus.tokens[99] = AgentToken(99, "hybrid: prod-eu", revoked=False)
    looks(monkeypatch, plus, [[run()]])
    resource.delete(made.id, inputs, made.outputs, call)
    assert revoked(plus, made), "what happens to runs then is the drain's to say"


@pytest.mark.parametrize(
    ("variable", "value"),
    [(token_rotation.RUNS_VARIABLE, "maybe"), (token_rotation.SECONDS_VARIABLE, "soon"),
     (token_rotation.SECONDS_VARIABLE, "nan"), (token_rotation.SECONDS_VARIABLE, "-1")],
)  # fmt: skip
def test_a_wrong_variable_is_named_and_nothing_is_revoked(
    resource, rotated, plus, inputs, call, monkeypatch, variable, value
):
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError, match=variable):
        resource.delete(rotated.id, inputs, rotated.outputs, call)
    assert not revoked(plus, rotated)


def test_a_token_of_before_there_were_rotations_stays_as_it_is(inputs):
    definition = AgentTokenResource.definition
    old = {name: value for name, value in inputs.items() if name != "agentLabel"}
    assert changes(definition, old, definition.complete(old)) == [], "an upgrade of this checkout replaces no token"
    found = changes(definition, inputs, definition.complete({**inputs, "rotation": 1}))
    assert [(change.path, change.replaces) for change in found] == [("rotation", True)]
