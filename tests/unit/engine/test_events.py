"""Reading the engine's event log. Shapes are those that Pulumi 3.259 wrote; the program tier reads real ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.engine import events
from hybrid.engine.engine import Outcome

pytestmark = pytest.mark.unit

URN = "urn:pulumi:local::hybrid::dagsterhybrid:agent:LocalAgent$dagsterhybrid:index:Process::agent-process"

CUSTOM = {"new": {"custom": True}, "type": "dagsterhybrid:index:Process"}


def line(kind: str, body: dict[str, Any]) -> str:
    return json.dumps({"sequence": 1, "timestamp": 1, kind: body})


def test_a_resource_is_named_by_kind_and_name_not_by_urn() -> None:
    assert str(events.ResourceName.from_urn(URN)) == "Process agent-process", "people do not read URNs"


def test_a_replacement_is_one_thing_to_people() -> None:
    step = events.parse(
        line("resOutputsEvent", {"metadata": {"op": "create-replacement", "urn": URN, **CUSTOM, "diffs": ["url"]}})
    )
    assert isinstance(step, events.StepEnded)
    assert step.operation == "replace", "create-replacement is the engine's word"
    assert step.changed == ("url",), "a preview says why something is replaced"


def test_what_a_destroy_leaves_standing_is_not_called_deleted() -> None:
    old = {"custom": True, "retainOnDelete": True}
    step = events.parse(line("resOutputsEvent", {"metadata": {"op": "delete", "urn": URN, "old": old, "type": "x"}}))
    assert isinstance(step, events.StepEnded)
    assert step.operation == "keep", "a bucket with a team's data is still there"


def test_a_failed_step_is_told_from_one_that_ended_well() -> None:
    step = events.parse(line("resOpFailedEvent", {"metadata": {"op": "create", "urn": URN, **CUSTOM}}))
    assert isinstance(step, events.StepEnded)
    assert step.failed, "`up` must not call a failed step done"


def test_debug_messages_say_nothing_to_people() -> None:
    assert events.parse(line("diagnosticEvent", {"severity": "debug", "message": "x"})) is None


def test_a_token_in_a_diagnostic_is_redacted() -> None:
    planted = "agent:acme:" + "b" * 32
    message = events.parse(line("diagnosticEvent", {"severity": "error", "message": f"<{{%fg 1%}}>bad {planted}"}))
    assert isinstance(message, events.Message)
    assert planted not in message.text, "a provider's words may hold what a server sent back"
    assert message.text.startswith("bad"), "the engine's colour marks are not words"


@pytest.mark.parametrize(
    "metadata", [{"new": {}}, {"old": {}}, {"new": {"custom": True}, "type": "pulumi:providers:x"}]
)
def test_the_frame_of_stack_components_and_providers_is_not_told(metadata: dict[str, Any]) -> None:
    assert events.parse(line("resOutputsEvent", {"metadata": {"op": "create", "urn": URN, **metadata}})) is None


def test_nothing_but_reading_is_no_change() -> None:
    outcome = Outcome()
    for operation in ("same", "refresh", "read"):
        event = events.parse(line("resOutputsEvent", {"metadata": {"op": operation, "urn": URN, **CUSTOM}}))
        assert event is not None
        outcome.take(event)
    assert outcome.changes == {}, "`up` twice must say that nothing had to change"


def test_a_line_that_is_still_being_written_is_not_read(tmp_path: Path) -> None:
    log = tmp_path / "events"
    whole = line("summaryEvent", {"resourceChanges": {"create": 2}})
    log.write_text(whole + "\n" + whole[:20])
    assert list(events.follow(log, ended=lambda: True)) == [events.Summary({"create": 2})]


TASK = "urn:pulumi:prod::hybrid::dagsterhybrid:agent:EcsAgent$aws:ecs/taskDefinition:TaskDefinition::agent-task"
SERVICE = "urn:pulumi:prod::hybrid::dagsterhybrid:agent:EcsAgent$aws:ecs/service:Service::agent-service"


def begun(urn: str, operation: str, changed: str, old: dict[str, Any], new: dict[str, Any]) -> events.Event | None:
    states = {"old": {"custom": True, "inputs": old}, "new": {"custom": True, "inputs": new}}
    kind = urn.split("::")[2].split("$")[-1]
    return events.parse(
        line(
            "resourcePreEvent", {"metadata": {"op": operation, "urn": urn, "type": kind, "diffs": [changed], **states}}
        )
    )


def test_a_step_that_restarts_the_agent_says_why_when_it_begins() -> None:
    step = begun(TASK, "create-replacement", "cpu", {"cpu": "256"}, {"cpu": "512"})
    assert isinstance(step, events.StepStarted)
    assert step.restarts == ("`cpu` of its task",)


def test_a_restart_is_told_once_and_what_follows_from_it_is_left_out() -> None:
    outcome = Outcome()
    for urn, operation, changed in (
        (TASK, "create-replacement", "cpu"),
        (SERVICE, "update", "taskDefinition"),
        (TASK, "create-replacement", "cpu"),
    ):
        event = begun(urn, operation, changed, {"cpu": "256"}, {"cpu": "512"})
        assert event is not None
        outcome.take(event)
    assert outcome.restarts.documents() == [
        {"resource": "TaskDefinition agent-task", "because": ["`cpu` of its task"]}
    ], "the service only follows its task definition"


def test_a_service_that_runs_another_task_definition_than_the_stack_s_is_a_restart_by_itself() -> None:
    outcome = Outcome()
    event = begun(SERVICE, "update", "taskDefinition", {}, {})
    assert event is not None
    outcome.take(event)
    assert outcome.restarts.documents()[0]["because"] == ["another task definition"], "somebody changed it by hand"


def test_a_replacement_is_counted_once_with_whatever_steps_the_engine_makes_of_it() -> None:
    outcome = Outcome()
    for operation in ("create-replacement", "replace", "delete-replaced"):
        for kind in ("resourcePreEvent", "resOutputsEvent"):
            event = events.parse(line(kind, {"metadata": {"op": operation, "urn": URN, **CUSTOM}}))
            if event is not None:
                outcome.take(event)
    assert outcome.changes == {"replace": 1}, "three steps of the engine's are one thing to people"


def test_an_old_one_that_cannot_be_removed_is_told() -> None:
    outcome = Outcome()
    event = events.parse(line("resOpFailedEvent", {"metadata": {"op": "delete-replaced", "urn": URN, **CUSTOM}}))
    assert event is not None
    outcome.take(event)
    assert [step.failed for step in outcome.steps] == [True], "it goes on, and may be billed"


@given(st.text())
def test_any_line_gives_an_event_or_nothing(text: str) -> None:
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        value = None
    if not isinstance(value, dict):
        assert events.parse(text) is None, "a log that was cut off must not end the update"
