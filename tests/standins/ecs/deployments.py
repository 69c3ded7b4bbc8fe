"""Deployments of a service: which tasks to start and to stop, when one is complete, when the circuit breaker trips.

``next_step`` is pure. Its rules:
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-type-ecs.html and
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-circuit-breaker.html
"""

from __future__ import annotations

import datetime
import math
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

_LEAST_FAILURES: Final = 3
_MOST_FAILURES: Final = 200


@dataclass(frozen=True)
class Standing:
    """A task of the service that is not stopped or stopping."""

    id: str
    current: bool
    """Of the newest deployment."""
    running: bool
    healthy: bool
    """Running, and its health check, if it has one, says so."""


@dataclass(frozen=True)
class Step:
    """What the scheduler does next."""

    start: int = 0
    stop: tuple[str, ...] = ()


def next_step(
    tasks: Sequence[Standing], desired: int, *, minimum_percent: int = 100, maximum_percent: int = 200
) -> Step:
    """The next step of a rolling deployment: never fewer healthy tasks than the minimum because of it, never more
    tasks than the maximum."""
    lower = math.ceil(desired * minimum_percent / 100)
    upper = max(math.floor(desired * maximum_percent / 100), desired if maximum_percent >= 100 else 0)
    current = [task for task in tasks if task.current]
    old = [task for task in tasks if not task.current]
    surplus = sorted(current, key=lambda task: task.healthy)[: max(len(current) - desired, 0)]
    stop = [task.id for task in surplus]
    healthy = sum(task.healthy for task in tasks) - sum(task.healthy for task in surplus)
    for task in sorted(old, key=lambda task: task.healthy):
        if not task.healthy or healthy - 1 >= lower:
            stop.append(task.id)
            healthy -= task.healthy
    room = upper - (len(tasks) - len(stop))
    return Step(max(min(desired - len(current), room), 0), tuple(stop))


def threshold(desired: int) -> int:
    """How many failed tasks trip the circuit breaker."""
    return min(max(math.ceil(desired / 2), _LEAST_FAILURES), _MOST_FAILURES)


def primary(service: Any) -> dict[str, Any]:
    """The newest deployment of moto's service."""
    found: dict[str, Any] = service.deployments[0]
    return found


def begin(service: Any, reason: str = "") -> dict[str, Any]:
    """Begin a deployment of what the service says now. The one before it stays until its tasks are gone."""
    before = service.deployments
    for deployment in before:
        deployment["status"] = "ACTIVE"
        if deployment["rolloutState"] == "IN_PROGRESS":
            deployment["rolloutState"] = "FAILED"
    now = datetime.datetime.now(datetime.UTC)
    id_ = f"ecs-svc/{secrets.randbelow(10**19):019d}"
    made = {
        **before[0],
        "id": id_,
        "status": "PRIMARY",
        "createdAt": now,
        "updatedAt": now,
        "desiredCount": service.desired_count,
        "failedTasks": 0,
        "pendingCount": 0,
        "runningCount": 0,
        "rolloutState": "IN_PROGRESS",
        "rolloutStateReason": reason or f"ECS deployment {id_} in progress.",
        "networkConfiguration": service.network_configuration or None,
        "taskDefinition": service.task_definition,
    }
    service.deployments = [made, *before]
    return made


def say(service: Any, message: str) -> None:
    """Add an event, the newest first, as DescribeServices shows them."""
    event = {"id": secrets.token_hex(16), "createdAt": datetime.datetime.now(datetime.UTC)}
    service.events.insert(0, {**event, "message": f"(service {service.name}) {message}"})
    del service.events[100:]


def trip(service: Any) -> None:
    """The circuit breaker: the deployment has failed; with ``rollback`` the last completed one is deployed again."""
    breaker = (getattr(service, "deployment_configuration", None) or {}).get("deploymentCircuitBreaker") or {}
    failed = primary(service)
    if not breaker.get("enable") or failed["rolloutState"] != "IN_PROGRESS":
        return
    if failed["failedTasks"] < threshold(service.desired_count):
        return
    failed["rolloutState"] = "FAILED"
    failed["rolloutStateReason"] = "ECS deployment circuit breaker: tasks failed to start."
    say(service, f"(deployment {failed['id']}) deployment failed: tasks failed to start.")
    last = getattr(service, "last_completed", None)
    if not breaker.get("rollback") or last is None:
        return
    service.task_definition, service.network_configuration = last["taskDefinition"], last["networkConfiguration"]
    say(service, f"rolling back to deployment {last['id']}.")
    reason = f"ECS deployment circuit breaker: rolling back to deploymentId {last['id']}."
    standing = next((one for one in service.deployments if one["id"] == last["id"]), None)
    if standing is None:
        begin(service, reason)
        return
    # its tasks still run, and stay
    failed["status"] = "ACTIVE"
    standing.update(status="PRIMARY", rolloutState="IN_PROGRESS", rolloutStateReason=reason, failedTasks=0)
    service.deployments = [standing, *(one for one in service.deployments if one is not standing)]


def complete(service: Any) -> None:
    """The newest deployment has all its tasks, and nothing else is left."""
    done = primary(service)
    service.deployments = [done]
    if done["rolloutState"] == "COMPLETED":
        return
    done["rolloutState"] = "COMPLETED"
    done["rolloutStateReason"] = f"ECS deployment {done['id']} completed."
    service.last_completed = dict(done)
    say(service, f"(deployment {done['id']}) deployment completed.")
    say(service, "has reached a steady state.")
