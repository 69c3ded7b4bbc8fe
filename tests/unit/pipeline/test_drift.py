"""What counts as drift, and how one stack's trouble leaves the others: around a lookout that says what a test lets it
say. Real ones are in tests/emulated/test_drift.py."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from hybrid.engine.engine import Command, Outcome
from hybrid.engine.events import ResourceName, StepEnded
from hybrid.errors import DagsterPlusError, EngineError, HybridError, SettingsError, StoppedError
from hybrid.pipeline.drift import Drift, StackDrift, drift_of, unseen

pytestmark = pytest.mark.unit


def step(resource: str, operation: str, *changed: str, failed: bool = False) -> StepEnded:
    kind, _, name = resource.partition(" ")
    return StepEnded(ResourceName(kind, name), operation, failed, changed)  # type: ignore[arg-type]


@dataclass
class Told:
    """What a test says of one stack."""

    look: list[StepEnded] = field(default_factory=list)
    compare: list[StepEnded] = field(default_factory=list)
    not_ready: tuple[str, ...] = ()
    stands: bool = True
    errors: dict[str, HybridError] = field(default_factory=dict)


@dataclass
class FakeLookout:
    told: dict[str, Told]
    ran: list[str] = field(default_factory=list)

    def _asked(self, stack: str, what: str) -> Told:
        self.ran.append(f"{what} {stack}")
        told = self.told[stack]
        if what in told.errors:
            raise told.errors[what]
        return told

    def beforehand(self, stack: str) -> None:
        self._asked(stack, "beforehand")

    def stands(self, stack: str) -> bool:
        return self._asked(stack, "stands").stands

    def run(self, stack: str, command: Command) -> Outcome:
        told = self._asked(stack, command)
        return Outcome(told.look if command == "look" else told.compare)

    def not_ready(self, stack: str) -> Sequence[str]:
        return self._asked(stack, "not_ready").not_ready


def seen(**told: Told) -> Drift:
    return Drift("main", "a" * 40, drift_of(list(told), FakeLookout(told), lambda line: None))


def only(told: Told) -> StackDrift:
    (stack,) = seen(prod=told).stacks
    return stack


def test_without_a_difference_there_is_no_drift() -> None:
    found = seen(prod=Told(), staging=Told())
    assert (found.has_drift, found.exit_code, unseen(found)) == (False, 0, None)


def test_what_was_changed_by_hand_is_told_apart_from_what_is_not_deployed() -> None:
    found = only(Told(look=[step("CodeLocation hello-location", "delete"), step("Bucket data", "update", "tags.x")],
                      compare=[step("Repository new", "create")]))  # fmt: skip
    assert [(each.resource, each.operation) for each in found.by_hand] == [
        ("CodeLocation hello-location", "delete"),
        ("Bucket data", "update"),
    ]
    assert [each.resource for each in found.not_deployed] == ["Repository new"]
    assert found.by_hand[1].because == ("tags.x",), "a path and no value"


@pytest.mark.parametrize(
    ("look", "is_drift"),
    [
        (step("EcsServiceState agent-state", "update", "startedAt", "instance"), False),
        (step("ContainerState agent-state", "update", "startedAt"), False),
        (step("EcsServiceState agent-state", "delete"), True),
        (step("ContainerState agent-state", "delete"), True),
        (step("AgentReady ready", "update", "ready"), True),
        (step("EcsServiceState agent-state", "update", "taskDefinition"), True),
        (step("EcsServiceState agent-state", "update"), True),
        (step("Process agent-process", "update", "startedAt"), True),
        (step("Bucket data", "update", failed=True), False),
    ],
)
def test_a_task_that_ecs_started_again_by_itself_is_no_drift_and_one_that_is_gone_is(
    look: StepEnded, is_drift: bool
) -> None:
    assert only(Told(look=[look])).has_drift == is_drift


def test_readiness_is_not_said_twice() -> None:
    ready = step("AgentReady ready", "update", "ready")
    alone = only(Told(look=[ready]))
    assert len(alone.not_ready) == 1, "it is said where nothing else says it"
    assert "ready" in alone.not_ready[0]
    both = only(Told(look=[ready], not_ready=("No agent with the label x is RUNNING.",)))
    assert both.not_ready == ("No agent with the label x is RUNNING.",)


def test_looks_that_a_deploy_would_make_are_not_what_is_not_deployed() -> None:
    assert not only(Told(compare=[step("AgentReady ready", "update", "triggers.x"), step("X y", "clear")])).has_drift


def test_a_stack_of_the_pipeline_that_does_not_stand_is_drift_and_nothing_of_it_is_looked_at() -> None:
    lookout = FakeLookout({"prod": Told(stands=False)})
    (found,) = drift_of(["prod"], lookout, lambda line: None)
    assert found.has_drift
    assert lookout.ran == ["beforehand prod", "stands prod"], "an engine that looked would make the stack"


def test_a_stack_that_cannot_be_looked_at_does_not_hold_up_the_others() -> None:
    down = Told(errors={"look": EngineError("refresh failed"), "not_ready": DagsterPlusError("Dagster+ is away")})
    found = seen(prod=down, staging=Told(look=[step("Bucket data", "delete")]))
    prod, staging = found.stacks
    assert [problem.part for problem in prod.problems] == ["dagster_plus", "resources"]
    assert staging.has_drift
    assert found.exit_code == 8, "that it could not be looked at weighs more than the drift that was seen"
    error = unseen(found)
    assert error is not None
    assert error.exit_code == 8
    assert "Dagster+ is away" in str(error)


def test_what_can_be_looked_at_of_a_stack_is() -> None:
    found = only(Told(look=[step("Bucket data", "delete")], errors={"compare": SettingsError("wrong")}))
    assert found.by_hand, "the other question is answered all the same"
    assert [problem.part for problem in found.problems] == ["program"]


def test_an_outage_is_never_no_drift() -> None:
    found = seen(prod=Told(errors={"stands": EngineError("the backend does not answer")}))
    assert found.exit_code == 5
    assert found.stacks[0].stands is None, "it is not known"


def test_ctrl_c_ends_the_look() -> None:
    with pytest.raises(StoppedError):
        seen(prod=Told(errors={"look": StoppedError("stopped")}))
