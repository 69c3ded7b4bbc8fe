"""What ECS knows of an agent that does not come up and of locations that do not load: for the errors of a wait."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from hybrid.errors import NotReadyError
from hybrid.provider.agent_diagnosis import PlatformDiagnosis, Told

if TYPE_CHECKING:
    from hybrid.aws.session import Aws
    from hybrid.aws.tasks import Task

_LINES: Final = 15


class EcsDiagnosis(PlatformDiagnosis):
    """Of an agent that is a service of ECS. ``place``: ``ecs_place.OF_AGENT``."""

    name = "ECS"

    def __init__(self, place: Mapping[str, Any]) -> None:
        from hybrid.aws.session import Aws

        self._aws = Aws(place["region"], place["account"])
        self._cluster, self._service, self._stack = place["cluster"], place["service"], place["stack"]
        self._known: set[str] | None = None

    def refuse_stopped(self) -> None:
        from hybrid.aws.diagnosis import diagnosed
        from hybrid.aws.stops import has_failed
        from hybrid.aws.tasks import tasks_in

        stopped = tasks_in(self._aws, self._cluster, service=self._service, wanted="STOPPED")
        failed = [task for task in stopped if has_failed(task)]
        if self._known is None:
            self._known = {task.arn for task in failed}
        for task in failed:
            if task.arn in self._known:
                continue
            self._known.add(task.arn)
            found = diagnosed(self._aws, task)
            if not found.cause.passing:
                raise NotReadyError(
                    f"The agent's task stopped. {found.cause.what}",
                    why=found.paragraph(),
                    next_step=f"{found.cause.next_step} Then run `up` again.",
                )

    def of_agent(self) -> Told:
        from hybrid.aws.services import service_named
        from hybrid.aws.tasks import tasks_in

        service = service_named(self._aws, self._cluster, self._service)
        if service is None or not service.is_active:
            return Told(f"There is no service {self._service} in the cluster {self._cluster}.")
        head = f"ECS: {service.running} of {service.desired} tasks of {service.name} run."
        running = tasks_in(self._aws, self._cluster, service=service.name)
        stopped = tasks_in(self._aws, self._cluster, service=service.name, wanted="STOPPED")
        said = _of_tasks(self._aws, running, stopped)
        if said is not None:
            return Told(f"{head}\n{said.text}", said.next_step)
        return Told("\n".join([head, *(f"ECS said: {event.message}" for event in service.events[:3])]))

    def of_locations(self, deployment: str, locations: Sequence[str]) -> Iterator[Told]:
        from hybrid.aws.tags import location_hash
        from hybrid.aws.tasks import tasks_in

        running = tasks_in(self._aws, self._cluster)
        stopped = tasks_in(self._aws, self._cluster, wanted="STOPPED")
        for location in locations:
            wanted = location_hash(deployment, location)

            def ours(task: Task, wanted: str = wanted) -> bool:
                return task.is_of_stack(self._stack) and task.location_hash == wanted

            said = _of_tasks(self._aws, list(filter(ours, running)), list(filter(ours, stopped)))
            if said is not None:
                yield Told(f"{location} on ECS:\n{said.text}", said.next_step)


def _of_tasks(aws: Aws, running: Sequence[Task], stopped: Sequence[Task]) -> Told | None:
    """The newest task that failed; or, when a later one runs, what that one logs."""
    from hybrid.aws.diagnosis import diagnosed
    from hybrid.aws.errors import AwsError
    from hybrid.aws.logs import lines_of
    from hybrid.aws.stops import cause_of_lines, has_failed

    failed = max((task for task in stopped if has_failed(task)), key=lambda task: task.created, default=None)
    newest = max((task for task in running if task.started), key=lambda task: task.created, default=None)
    if failed is not None and (newest is None or newest.created < failed.created or newest.health == "UNHEALTHY"):
        found = diagnosed(aws, failed, _LINES)
        return Told(found.paragraph(), found.cause.next_step)
    if newest is None:
        return None
    try:
        lines = lines_of(aws, newest, _LINES)
    except AwsError as error:
        return Told(f"Task {newest.id} runs. Its log could not be read: {error.what}")
    cause = cause_of_lines(lines)
    parts = [f"Task {newest.id} runs. The end of its log:" if lines else f"Task {newest.id} runs and logged nothing."]
    parts += [f"  {line}" for line in lines]
    parts += [f"Likely cause: {cause.what}"] if cause is not None else []
    return Told("\n".join(parts), cause.next_step if cause is not None else None)
