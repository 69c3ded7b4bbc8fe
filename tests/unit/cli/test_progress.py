"""What people see while an update goes on, and of a preview."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from hybrid.cli.progress import RESTARTS, UpdateProgress
from hybrid.engine.events import Event, Message, Operation, ResourceName, StepEnded, StepStarted

pytestmark = pytest.mark.unit

TASK, SERVICE = ResourceName("TaskDefinition", "agent-task"), ResourceName("Service", "agent-service")


def shown(*events: Event, preview: bool) -> list[str]:
    text = io.StringIO()
    with UpdateProgress(Console(file=text, width=200), preview=preview) as progress:
        for event in events:
            progress(event)
    return text.getvalue().splitlines()


def steps(resource: ResourceName, operation: Operation, *restarts: str) -> tuple[Event, Event]:
    return StepStarted(resource, operation, restarts), StepEnded(resource, operation, failed=False)


@pytest.mark.parametrize("preview", [True, False])
def test_a_restart_of_the_agent_is_marked_before_its_step_is_done(preview: bool) -> None:
    lines = shown(*steps(TASK, "replace", "`cpu` of its task", "the variable STAGE"), preview=preview)
    assert lines[0] == f"! {RESTARTS}: because of `cpu` of its task, the variable STAGE"
    assert "TaskDefinition agent-task" in lines[1], "and then comes the step"


def test_a_restart_is_marked_once_in_an_update() -> None:
    lines = shown(
        *steps(TASK, "replace", "`cpu` of its task"), *steps(SERVICE, "update", "another task definition"), preview=True
    )
    assert sum(RESTARTS in line for line in lines) == 1


def test_a_change_that_leaves_the_agent_alone_is_not_marked() -> None:
    assert not any(RESTARTS in line for line in shown(*steps(SERVICE, "update"), preview=True))


def test_a_replacement_is_one_line_of_a_preview_and_two_of_an_update() -> None:
    events = (*steps(TASK, "replace"), *steps(TASK, "clear"))
    assert shown(*events, preview=True) == ["~ replace TaskDefinition agent-task"]
    assert shown(*events, preview=False) == [
        "✓ replaced TaskDefinition agent-task",
        "✓ removed the old TaskDefinition agent-task",
    ]


def test_a_warning_that_the_engine_repeats_is_shown_once_and_one_about_another_resource_is_not_left_out() -> None:
    plugin = Message(severity="warning", text="using a plugin from $PATH", resource=None, ephemeral=False)
    task, service = (Message("warning", "it is deprecated", resource, ephemeral=False) for resource in (TASK, SERVICE))
    lines = shown(plugin, plugin, task, service, plugin, preview=False)
    assert lines == ["! using a plugin from $PATH", "! it is deprecated", "! it is deprecated"]


def test_a_token_among_the_reasons_is_masked() -> None:
    planted = "agent:acme:" + "c" * 32
    assert planted not in "".join(shown(*steps(TASK, "replace", f"the variable {planted}"), preview=True))
