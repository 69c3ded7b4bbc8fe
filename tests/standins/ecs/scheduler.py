"""The service scheduler: looks at all services, again and again, and moves each one step."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, Final

from moto.ecs.models import Task

from tests.standins.ecs import deployments, world
from tests.standins.ecs.deployments import Standing
from tests.standins.ecs.record import Lines

_STARTS_FAILED: Final = frozenset({"TaskFailedToStart", "EssentialContainerExited"})
_LONGEST_PAUSE: Final = 8.0
_GOING: Final = ("RUNNING", "PENDING", "PROVISIONING", "ACTIVATING")


def step_all(events: Lines) -> None:
    """One step for each service. The caller holds ``world.CHANGED``."""
    for backend in world.all_ecs():
        for service in list(backend.services.values()):
            if service.status != "INACTIVE" and service.deployments:
                _step(backend, service, events)


def tasks_of(backend: Any, service: Any) -> Iterator[Any]:
    """All tasks of the service, also those that have stopped."""
    for task in backend.tasks.get(service.cluster_name, {}).values():
        if task.group == f"service:{service.name}":
            yield task


def _step(backend: Any, service: Any, events: Lines) -> None:
    mine = list(tasks_of(backend, service))
    if service.status == "DRAINING" and all(task.last_status in ("STOPPING", "STOPPED") for task in mine):
        service.status, service.running_count, service.pending_count = "INACTIVE", 0, 0
        service.deployments, service.events = [], []
        return
    _count_failures(service, mine)
    deployments.trip(service)
    going = [task for task in mine if task.desired_status == "RUNNING"]
    newest = deployments.primary(service)["id"]
    _stop_unhealthy(service, going)
    standing = [
        Standing(task.id, task.started_by == newest, task.last_status == "RUNNING", _healthy(task))
        for task in going
        if task.desired_status == "RUNNING"
    ]
    percents = getattr(service, "deployment_configuration", None) or {}
    step = deployments.next_step(
        standing,
        service.desired_count,
        minimum_percent=percents.get("minimumHealthyPercent", 100),
        maximum_percent=percents.get("maximumPercent", 200),
    )
    for task in going:
        if task.id in step.stop:
            _retire(service, task, newest)
    for _ in range(step.start if time.time() >= getattr(service, "paused_until", 0) else 0):
        _start(backend, service, events)
    _count(service, list(tasks_of(backend, service)))
    old = [task for task in standing if not task.current]
    if not old and sum(task.healthy for task in standing) == service.desired_count == len(standing):
        deployments.complete(service)


def _healthy(task: Task) -> bool:
    return task.last_status == "RUNNING" and (not getattr(task, "checked", False) or task.health_status == "HEALTHY")  # type: ignore[attr-defined]


def _stop_unhealthy(service: Any, going: list[Any]) -> None:
    for task in going:
        if task.last_status == "RUNNING" and task.health_status == "UNHEALTHY":
            task.desired_status, task.stop_code = "STOPPED", "ServiceSchedulerInitiated"
            task.stopped_reason = "Task failed container health checks"
            task.failed_check = True
            deployments.say(service, f"(task {task.id}) failed container health checks.")


def _count_failures(service: Any, mine: list[Any]) -> None:
    """A task fails when it never ran, or when it was stopped for its health; another one's health ends the count.

    One that ran and whose essential container ended does not count, as AWS says of ``failedTasks``; it makes the
    scheduler pause all the same.
    """
    by_id = {deployment["id"]: deployment for deployment in service.deployments}
    for task in mine:
        deployment = by_id.get(task.started_by)
        if deployment is None:
            continue
        if _healthy(task) and deployment["failedTasks"]:
            deployment["failedTasks"] = 0
            service.pauses = 0
        if getattr(task, "counted", False) or task.last_status != "STOPPED":
            continue
        task.counted = True
        if task.stop_code == "TaskFailedToStart" or getattr(task, "failed_check", False):
            deployment["failedTasks"] += 1
        if task.stop_code in _STARTS_FAILED:
            service.pauses = getattr(service, "pauses", 0) + 1
            service.paused_until = time.time() + min(0.5 * 2**service.pauses, _LONGEST_PAUSE)
            deployments.say(service, "is unable to consistently start tasks successfully.")


def _retire(service: Any, task: Any, newest: str) -> None:
    task.desired_status, task.stop_code = "STOPPED", "ServiceSchedulerInitiated"
    task.stopped_reason = f"Scaling activity initiated by (deployment {newest})"
    deployments.say(service, f"has stopped 1 running tasks: (task {task.id}).")


def _start(backend: Any, service: Any, events: Lines) -> None:
    definition = backend.describe_task_definition(service.task_definition)
    cluster = backend._get_cluster(service.cluster_name)
    tags = {"SERVICE": service.tags, "TASK_DEFINITION": definition.tags}.get(service.propagate_tags) or []
    strategy = getattr(service, "capacity_provider_strategy", None) or []
    task: Any = Task(
        cluster=cluster,
        task_definition=definition,
        container_instance_arn=None,
        resource_requirements=None,
        backend=backend,
        group=f"service:{service.name}",
        launch_type=service.launch_type or "FARGATE",
        started_by=deployments.primary(service)["id"],
        tags=[dict(tag) for tag in tags],
        networking_configuration=service.network_configuration or None,
        platform_version="1.4.0",
        capacity_provider_name=strategy[0]["capacityProvider"] if strategy else None,
    )
    task.service = service
    backend.tasks.setdefault(cluster.name, {})[task.task_arn] = task
    deployments.say(service, f"has started 1 tasks: (task {task.id}).")
    events.event("task made", task=task.id, service=service.name)


def _count(service: Any, mine: list[Any]) -> None:
    going = [task for task in mine if task.desired_status == "RUNNING"]
    running = [task for task in mine if task.last_status == "RUNNING" and task.desired_status == "RUNNING"]
    service.running_count = len(running)
    service.pending_count = len([task for task in going if task.last_status in _GOING]) - len(running)
    for deployment in service.deployments:
        of_it = [task for task in going if task.started_by == deployment["id"]]
        deployment["runningCount"] = sum(task.last_status == "RUNNING" for task in of_it)
        deployment["pendingCount"] = len(of_it) - deployment["runningCount"]
    newest, *older = service.deployments
    left = {task.started_by for task in mine if task.last_status != "STOPPED"}
    service.deployments = [newest, *(one for one in older if one["id"] in left)]
