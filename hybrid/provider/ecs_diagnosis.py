"""What ECS knows of an agent that does not come up and of locations that do not load: for the errors of a wait."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from hybrid.errors import NotReadyError
from hybrid.provider.definition import Property, Record, Text
from hybrid.provider.ecs_place import ACCOUNT, CLUSTER, REGION

if TYPE_CHECKING:
    from hybrid.aws.causes import Cause
    from hybrid.aws.session import Aws
    from hybrid.aws.tasks import Task

PLACE: Final = Property(
    Record(
        "EcsAgentPlace",
        "The ECS service by which an agent runs.",
        {
            "region": REGION,
            "account": ACCOUNT,
            "cluster": CLUSTER,
            "service": Property(Text(), "the name of the agent's service"),
            "stack": Property(Text(), "the value of the tag dagster-hybrid/stack on what the agent makes"),
        },
    ),
    "where the agent runs on ECS, if it does: errors then tell why its tasks or the code servers' stopped",
    required=False,
)

_EVERY: Final = 10.0  # seconds between two looks at the agent's tasks
_SHOWN: Final = 3  # locations whose code servers are looked at
_LINES: Final = 15


class AgentTasks:
    """Looks now and then whether a task of the agent's service stopped since the first look. ``place``: the input, or
    None when the agent is not on ECS. ``has_told``: its own error tells all that ECS knows of the agent."""

    def __init__(self, place: Mapping[str, Any] | None) -> None:
        self._place = place
        self._known: set[str] | None = None
        self._next = 0.0
        self.has_told = False

    def look(self) -> None:
        """Raises ``NotReadyError`` when a task stopped for a reason that does not pass by itself. AWS that cannot be
        asked ends the looking, and not the wait: Dagster+ still tells whether the agent stands."""
        from hybrid.aws.errors import AwsError

        if self._place is None or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _EVERY
        try:
            self._refuse_stopped(_door(self._place), self._place)
        except AwsError:
            self._place = None

    def _refuse_stopped(self, aws: Aws, place: Mapping[str, Any]) -> None:
        from hybrid.aws.diagnosis import diagnosed
        from hybrid.aws.stops import has_failed
        from hybrid.aws.tasks import tasks_in

        stopped = tasks_in(aws, place["cluster"], service=place["service"], wanted="STOPPED")
        failed = [task for task in stopped if has_failed(task)]
        if self._known is None:
            self._known = {task.arn for task in failed}
        for task in failed:
            if task.arn in self._known:
                continue
            self._known.add(task.arn)
            found = diagnosed(aws, task)
            if not found.cause.passing:
                self.has_told = True
                raise NotReadyError(
                    f"The agent's task stopped. {found.cause.what}",
                    why=found.paragraph(),
                    next_step=f"{found.cause.next_step} Then run `up` again.",
                )


def explained(
    error: NotReadyError, place: Mapping[str, Any] | None, deployment: str, locations: Sequence[str], *, agent: bool
) -> NotReadyError:
    """``error`` with what ECS knows: of the agent when ``agent`` says that it is missing, and of the code servers of
    ``locations``, which are not loaded. Where AWS cannot be asked, the error says so. Never raises ``AwsError``."""
    from hybrid.aws.errors import AwsError

    if place is None:
        return error
    try:
        aws = _door(place)
        found: list[_Told | None] = [_of_agent(aws, place)] if agent else []
        found += _of_locations(aws, place, deployment, locations[:_SHOWN])
    except AwsError as fault:
        return NotReadyError(
            error.what,
            why="\n\n".join(filter(None, (error.why, f"ECS was not asked why: {fault.what}"))),
            next_step=error.next_step,
        )
    told = [one for one in found if one is not None]
    steps = dict.fromkeys(one.cause.next_step for one in told if one.cause is not None)
    return NotReadyError(
        error.what,
        why="\n\n".join(filter(None, (error.why, *(one.text for one in told)))),
        next_step=f"{' '.join(steps)} Then run `up` again." if steps else error.next_step,
    )


@dataclass(frozen=True)
class _Told:
    text: str
    cause: Cause | None


def _of_agent(aws: Aws, place: Mapping[str, Any]) -> _Told:
    from hybrid.aws.services import service_named
    from hybrid.aws.tasks import tasks_in

    service = service_named(aws, place["cluster"], place["service"])
    if service is None or not service.is_active:
        return _Told(f"There is no service {place['service']} in the cluster {place['cluster']}.", None)
    head = f"ECS: {service.running} of {service.desired} tasks of {service.name} run."
    running = tasks_in(aws, place["cluster"], service=service.name)
    stopped = tasks_in(aws, place["cluster"], service=service.name, wanted="STOPPED")
    said = _of_tasks(aws, running, stopped)
    if said is not None:
        return _Told(f"{head}\n{said.text}", said.cause)
    return _Told("\n".join([head, *(f"ECS said: {event.message}" for event in service.events[:3])]), None)


def _of_locations(
    aws: Aws, place: Mapping[str, Any], deployment: str, locations: Sequence[str]
) -> Iterator[_Told | None]:
    from hybrid.aws.tags import location_hash
    from hybrid.aws.tasks import tasks_in

    if not locations:
        return
    running, stopped = tasks_in(aws, place["cluster"]), tasks_in(aws, place["cluster"], wanted="STOPPED")
    for location in locations:
        wanted = location_hash(deployment, location)

        def ours(task: Task, wanted: str = wanted) -> bool:
            return task.is_of_stack(place["stack"]) and task.location_hash == wanted

        said = _of_tasks(aws, list(filter(ours, running)), list(filter(ours, stopped)))
        yield _Told(f"{location} on ECS:\n{said.text}", said.cause) if said is not None else None


def _of_tasks(aws: Aws, running: Sequence[Task], stopped: Sequence[Task]) -> _Told | None:
    """The newest task that failed; or, when a later one runs, what that one logs."""
    from hybrid.aws.diagnosis import diagnosed
    from hybrid.aws.errors import AwsError
    from hybrid.aws.logs import lines_of
    from hybrid.aws.stops import cause_of_lines, has_failed

    failed = max((task for task in stopped if has_failed(task)), key=lambda task: task.created, default=None)
    newest = max((task for task in running if task.started), key=lambda task: task.created, default=None)
    if failed is not None and (newest is None or newest.created < failed.created or newest.health == "UNHEALTHY"):
        found = diagnosed(aws, failed, _LINES)
        return _Told(found.paragraph(), found.cause)
    if newest is None:
        return None
    try:
        lines = lines_of(aws, newest, _LINES)
    except AwsError as error:
        return _Told(f"Task {newest.id} runs. Its log could not be read: {error.what}", None)
    cause = cause_of_lines(lines)
    parts = [f"Task {newest.id} runs. The end of its log:" if lines else f"Task {newest.id} runs and logged nothing."]
    parts += [f"  {line}" for line in lines]
    parts += [f"Likely cause: {cause.what}"] if cause is not None else []
    return _Told("\n".join(parts), cause)


def _door(place: Mapping[str, Any]) -> Aws:
    from hybrid.aws.session import Aws

    return Aws(place["region"], place["account"])
