"""The rules of rolling deployments and of the circuit breaker in the double of ECS, as pure functions.

Held against AWS's documentation by reading; no test here can ask AWS.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.standins.ecs import deployments
from tests.standins.ecs.deployments import Standing, next_step

pytestmark = pytest.mark.unit


def standing(current: int = 0, old: int = 0, *, healthy: bool = True) -> list[Standing]:
    new = [Standing(f"new-{number}", True, True, healthy) for number in range(current)]
    return [*new, *(Standing(f"old-{number}", False, True, True) for number in range(old))]


def test_a_service_starts_what_it_lacks() -> None:
    assert next_step([], 2).start == 2


def test_a_service_stops_what_it_has_too_many() -> None:
    step = next_step(standing(current=3), 1)

    assert (step.start, len(step.stop)) == (0, 2)


def test_the_new_task_starts_before_the_old_one_stops() -> None:
    assert next_step(standing(old=1), 1) == deployments.Step(start=1)
    assert next_step(standing(current=1, old=1, healthy=False), 1) == deployments.Step(), (
        "the new one is not healthy yet"
    )
    assert next_step(standing(current=1, old=1), 1) == deployments.Step(stop=("old-0",))


def test_without_a_second_place_the_old_task_stops_first() -> None:
    step = next_step(standing(old=1), 1, minimum_percent=0, maximum_percent=100)

    assert step == deployments.Step(start=1, stop=("old-0",)), "one that stops takes no place"


def test_an_old_task_that_is_not_healthy_protects_nothing() -> None:
    ill = [Standing("ill", False, True, False), Standing("well", False, True, True)]

    assert next_step(ill, 2).stop == ("ill",)


TASKS = st.lists(st.tuples(st.booleans(), st.booleans(), st.booleans()), max_size=12)


@given(TASKS, st.integers(0, 5), st.sampled_from([(100, 200), (0, 100), (50, 150)]))
def test_no_step_passes_the_limits_of_a_deployment(
    given_tasks: list[tuple[bool, bool, bool]], desired: int, percents: tuple[int, int]
) -> None:
    tasks = [
        Standing(str(number), current, running, running and healthy)
        for number, (current, running, healthy) in enumerate(given_tasks)
    ]
    minimum, maximum = percents

    step = next_step(tasks, desired, minimum_percent=minimum, maximum_percent=maximum)

    left = [task for task in tasks if task.id not in step.stop]
    if step.start:
        assert len(left) + step.start <= max(desired * maximum / 100, desired), "never more than the maximum by a start"
    old_healthy_stopped = [task for task in tasks if task.id in step.stop and task.healthy and not task.current]
    if old_healthy_stopped:
        assert sum(task.healthy for task in left) >= desired * minimum / 100, "never fewer healthy ones by a deployment"
    assert len(set(step.stop)) == len(step.stop)


@pytest.mark.parametrize(("desired", "failures"), [(0, 3), (1, 3), (6, 3), (25, 13), (1000, 200)])
def test_the_breakers_threshold_is_half_the_tasks_within_limits(desired: int, failures: int) -> None:
    assert deployments.threshold(desired) == failures


def service(*, failed: int, rollback: bool = True, completed: bool = True) -> Any:
    before = {"id": "ecs-svc/1", "status": "ACTIVE", "rolloutState": "COMPLETED", "taskDefinition": "good",
              "networkConfiguration": {}, "failedTasks": 0}  # fmt: skip
    now = {**before, "id": "ecs-svc/2", "status": "PRIMARY", "rolloutState": "IN_PROGRESS", "taskDefinition": "bad"}
    return SimpleNamespace(
        name="web",
        desired_count=1,
        task_definition="bad",
        network_configuration={},
        events=[],
        deployments=[{**now, "failedTasks": failed}, before],
        deployment_configuration={"deploymentCircuitBreaker": {"enable": True, "rollback": rollback}},
        last_completed=dict(before) if completed else None,
    )


def test_two_failures_trip_nothing() -> None:
    web = service(failed=2)
    deployments.trip(web)
    assert web.task_definition == "bad"


def test_the_third_failure_brings_the_last_completed_deployment_back_with_its_tasks() -> None:
    web = service(failed=3)
    deployments.trip(web)

    assert web.task_definition == "good"
    assert [(one["id"], one["status"], one["rolloutState"]) for one in web.deployments] == [
        ("ecs-svc/1", "PRIMARY", "IN_PROGRESS"),
        ("ecs-svc/2", "ACTIVE", "FAILED"),
    ]
    assert any("rolling back" in event["message"] for event in web.events)


@pytest.mark.parametrize("changes", [{"rollback": False}, {"completed": False}], ids=["not wanted", "none completed"])
def test_without_a_way_back_the_deployment_has_failed_and_stays(changes: dict[str, bool]) -> None:
    web = service(failed=3, **changes)
    deployments.trip(web)

    assert web.task_definition == "bad"
    assert web.deployments[0]["rolloutState"] == "FAILED"
