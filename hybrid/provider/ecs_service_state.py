"""The ``EcsServiceState`` resource: an agent's ECS service was seen steady on the task definition that is wanted."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from hybrid.errors import NotReadyError
from hybrid.provider.definition import Anything, Definition, Failure, Flag, MapOf, Number, Property, Text
from hybrid.provider.difference import Change
from hybrid.provider.ecs_place import ACCOUNT, CLUSTER, REGION, Doors, wrong_account
from hybrid.provider.properties import Properties
from hybrid.provider.resource import Call, Existing, PartialError, Resource

if TYPE_CHECKING:
    from hybrid.aws.diagnosis import Diagnosis
    from hybrid.aws.services import Deployment, Service
    from hybrid.aws.session import Aws
    from hybrid.aws.tasks import Task

DEFINITION: Final = Definition(
    name="EcsServiceState",
    description="The statement that an ECS service runs as many healthy tasks as are wanted, all of the wanted task "
    "definition and none of an older one. A task that stops ends the wait at once, with its reason, the end of its log "
    "and the likely cause; so does a roll-out that ECS takes back.",
    inputs={
        "region": REGION,
        "account": ACCOUNT,
        "cluster": Property(CLUSTER.kind, CLUSTER.description, replaces=True),
        "service": Property(Text(), "the service's name", replaces=True),
        "taskDefinition": Property(Text(), "the ARN, with its revision, that it is to run"),
        "triggers": Property(MapOf(Anything()), "other values that, when they change, mean to wait again", default={}),
        "awaitHealth": Property(
            Flag(),
            "whether its tasks must be healthy, where their definition has a health check; an agent's may say that it "
            "has tried to load all locations once",
            default=True,
        ),
        "timeoutSeconds": Property(Number(1, 7200, whole=False), "how long to wait", default=900),
    },
    outputs={
        "startedAt": Property(Text(empty=True), "when the newest of its tasks was started, in ISO 8601"),
        "instance": Property(Text(empty=True), "changes whenever one of its tasks is another"),
        "runningCount": Property(Number(0, 1000), "how many tasks run"),
        "steady": Property(Flag(), "true; false when the last wait failed"),
        "lastStop": Property(Text(empty=True), "when the task stopped that ended the last wait; older ones are known"),
    },
)

_NO_REASON_TO_WAIT: Final = frozenset({"timeoutSeconds", "awaitHealth", "region", "account"})
_POLL: Final = 3.0  # seconds
_LAG: Final = 30.0  # seconds until ECS must show what it was told to run
_PATIENCE: Final = 3  # stops by faults that pass, until they are taken for lasting


class EcsServiceState(Resource):
    """See ``DEFINITION``. The id is ``cluster/service``.

    A roll-out that ECS gave up is not tried again by ECS, and for Pulumi nothing is to be done: the service was told
    what to run. So a wait begins with rolling it out anew, when it runs something else or was given up.
    """

    definition = DEFINITION
    import_refusal = "It says something of a service, and is not a thing."

    def __init__(self, doors: Doors) -> None:
        self._doors = doors

    def check(self, inputs: Properties) -> list[Failure]:
        return wrong_account(inputs)

    def diff(self, old_inputs: Properties, outputs: Properties, inputs: Properties) -> list[Change]:
        found = super().diff(DEFINITION.complete(old_inputs), outputs, inputs)
        found = [change for change in found if change.path.partition(".")[0] not in _NO_REASON_TO_WAIT]
        return found if outputs.get("steady", True) else [*found, Change("steady", "update", replaces=False)]

    def create(self, inputs: Properties, call: Call) -> Existing:
        return self._watched(inputs, {}, call)

    def update(self, id: str, outputs: Properties, inputs: Properties, call: Call) -> Existing:
        return self._watched(inputs, outputs, call)

    def read(self, id: str, inputs: Properties, outputs: Properties, call: Call) -> Existing | None:
        """None is drift: the next update waits for it again, or says why it does not stand."""
        aws = self._doors.to(inputs)
        seen = _look(aws, inputs, checked=_is_checked(aws, inputs))
        if seen is None or not seen.is_steady(inputs):
            call.report.warning(f"the service {inputs['service']} does not run as it should")
            return None
        return Existing(id, {**outputs, **seen.outputs()})

    def delete(self, id: str, inputs: Properties, outputs: Properties, call: Call) -> None:
        """It states something; there is nothing to take away."""

    def _watched(self, inputs: Properties, before: Properties, call: Call) -> Existing:
        aws = self._doors.to(inputs)
        if _rolled_out(aws, inputs):
            call.report.info(f"the service {inputs['service']} did not run what it should, and is rolled out anew")
        watch = _Watch(aws, inputs, str(before.get("lastStop") or ""))
        id = f"{inputs['cluster']}/{inputs['service']}"
        deadline = time.monotonic() + inputs["timeoutSeconds"]
        try:
            while True:
                seen = watch.look(call)
                if seen.is_steady(inputs):
                    return Existing(id, {**seen.outputs(), "steady": True, "lastStop": watch.last_stop})
                if time.monotonic() >= deadline:
                    raise _late(seen, inputs, watch.passed)
                call.report.status(seen.progress(inputs))
                call.wait(_POLL)
        except NotReadyError as error:
            stood = {name: before.get(name, "") for name in ("startedAt", "instance")}
            outputs = {**stood, "runningCount": 0, "steady": False, "lastStop": watch.last_stop}
            raise PartialError(error, id=id, outputs=outputs) from error


@dataclass(frozen=True)
class _Seen:
    """One look: the service, and its tasks that are not to stop. ``checked``: these must be healthy."""

    service: Service
    tasks: Sequence[Task]
    checked: bool

    def is_steady(self, inputs: Properties) -> bool:
        service, primary = self.service, self.service.primary
        if not service.is_active or primary is None or primary.task_definition != inputs["taskDefinition"]:
            return False
        whole = len(service.deployments) == 1 and service.pending == 0 and service.desired > 0
        counted = service.running == service.desired == primary.running == len(self.tasks)
        return whole and counted and not self.ill and all(task.status == "RUNNING" for task in self.tasks)

    @property
    def ill(self) -> int:
        """How many tasks run and are not healthy, or not yet."""
        fine = {"HEALTHY"} if self.checked else {"HEALTHY", "UNKNOWN"}
        return sum(1 for task in self.tasks if task.status == "RUNNING" and task.health not in fine)

    def outputs(self) -> Properties:
        started = [task.started for task in self.tasks if task.started is not None]
        names = "\n".join(sorted(task.arn for task in self.tasks))
        return {
            "startedAt": max(started).isoformat(timespec="milliseconds") if started else "",
            "instance": hashlib.sha256(names.encode()).hexdigest()[:16],
            "runningCount": self.service.running,
        }

    def progress(self, inputs: Properties) -> str:
        service, primary = self.service, self.service.primary
        if primary is None or primary.task_definition != inputs["taskDefinition"]:
            return "waiting for ECS to begin the roll-out"
        older = sum(one.running for one in service.deployments if one.status != "PRIMARY")
        parts = [f"{primary.running} of {primary.desired} tasks run"]
        parts += [f"{primary.pending} start"] if primary.pending else []
        parts += [f"{self.ill} not healthy yet"] if self.ill else []
        parts += [f"{older} of the old ones left"] if older else []
        return ", ".join(parts)


class _Watch:
    """Looks at a service again and again. ``last_stop``: the newest stop that was told of, in ISO 8601; ``passed``:
    stops by faults that pass."""

    def __init__(self, aws: Aws, inputs: Properties, last_stop: str) -> None:
        self._aws = aws
        self._inputs = inputs
        self._checked = _is_checked(aws, inputs)
        self._begun = time.monotonic()
        self._began_well = False
        self._told: set[str] = set()
        self.last_stop = last_stop
        self.passed: list[Diagnosis] = []

    def look(self, call: Call) -> _Seen:
        """Raises ``NotReadyError`` when it is certain that the service will not stand by waiting."""
        seen = _look(self._aws, self._inputs, checked=self._checked)
        if seen is None or not seen.service.is_active:
            raise _gone(self._inputs)
        if seen.service.desired == 0:
            raise _scaled_away(self._inputs)
        self._refuse_stops(seen.service, call)
        self._refuse_other(seen.service)
        return seen

    def _refuse_stops(self, service: Service, call: Call) -> None:
        from hybrid.aws.diagnosis import diagnosed
        from hybrid.aws.stops import has_failed
        from hybrid.aws.tasks import tasks_in

        stopped = tasks_in(self._aws, self._inputs["cluster"], service=service.name, wanted="STOPPED")
        wanted = [task for task in stopped if task.task_definition == self._inputs["taskDefinition"]]
        for task in sorted(wanted, key=lambda task: task.created):
            at = task.stopped
            if task.arn in self._told or not has_failed(task) or at is None or self._is_known(at):
                continue
            self._told.add(task.arn)
            found = diagnosed(self._aws, task)
            self.last_stop = max(self.last_stop, at.isoformat())
            if not found.cause.passing:
                raise _stopped(found, self._inputs)
            self.passed.append(found)
            if len(self.passed) >= _PATIENCE:
                raise _stopped(found, self._inputs)
            call.report.warning(f"task {task.id} stopped: {found.reason}. {found.cause.what} ECS tries again")

    def _is_known(self, moment: datetime) -> bool:
        return bool(self.last_stop) and moment <= datetime.fromisoformat(self.last_stop)

    def _refuse_other(self, service: Service) -> None:
        from hybrid.aws.stops import cause_of_text

        primary, wanted = service.primary, self._inputs["taskDefinition"]
        running = primary is not None and primary.task_definition == wanted
        self._began_well |= running
        if running and primary is not None and primary.rollout == "FAILED":
            raise _taken_back(service, primary, self._inputs)
        failed = _failed_rollout(service, wanted)
        if not running and self._began_well and failed is not None:
            raise _taken_back(service, failed, self._inputs)
        if not running and time.monotonic() - self._begun > _LAG:
            raise _other(service, self._inputs)
        if running and primary is not None and primary.running + primary.pending < primary.desired:
            # what cannot even be started is no task that stops: only the service's events tell of it
            for event in service.events_since(primary.created):
                cause = cause_of_text(event.message) if _is_failure(event.message) else None
                if cause is not None and not cause.passing:
                    raise _not_started(event.message, cause.what, cause.next_step, self._inputs)


def _rolled_out(aws: Aws, inputs: Properties) -> bool:
    from hybrid.aws.services import roll_out, service_named

    service = service_named(aws, inputs["cluster"], inputs["service"])
    if service is None or not service.is_active or service.primary is None:
        return False  # the wait says so
    if service.primary.task_definition == inputs["taskDefinition"] and service.primary.rollout != "FAILED":
        return False
    roll_out(aws, inputs["cluster"], inputs["service"], inputs["taskDefinition"])
    return True


def _is_checked(aws: Aws, inputs: Properties) -> bool:
    from hybrid.aws.tasks import has_health_check

    return bool(inputs["awaitHealth"]) and has_health_check(aws, inputs["taskDefinition"])


def _look(aws: Aws, inputs: Properties, *, checked: bool) -> _Seen | None:
    from hybrid.aws.services import service_named
    from hybrid.aws.tasks import tasks_in

    service = service_named(aws, inputs["cluster"], inputs["service"])
    if service is None:
        return None
    return _Seen(service, tasks_in(aws, inputs["cluster"], service=service.name), checked)


def _failed_rollout(service: Service, wanted: str) -> Deployment | None:
    """The deployment of the wanted task definition that ECS gave up, or the one by which it goes back."""
    for one in service.deployments:
        if one.task_definition == wanted and one.rollout == "FAILED":
            return one
    primary = service.primary
    return primary if primary is not None and "rolling back" in primary.reason.lower() else None


def _is_failure(message: str) -> bool:
    return any(words in message for words in ("unable to", "failed to", "was unable", "error"))


def _stopped(found: Diagnosis, inputs: Properties) -> NotReadyError:
    return NotReadyError(
        f"A task of the service {inputs['service']} stopped. {found.cause.what}",
        why=found.paragraph(),
        next_step=f"{found.cause.next_step} Then run the same command again.",
    )


def _not_started(message: str, what: str, next_step: str, inputs: Properties) -> NotReadyError:
    return NotReadyError(
        f"ECS cannot start a task of the service {inputs['service']}. {what}",
        why=f"ECS says: {message}",
        next_step=f"{next_step} Then run the same command again.",
    )


def _taken_back(service: Service, failed: Deployment, inputs: Properties) -> NotReadyError:
    said = [event.message for event in service.events[:3]]
    return NotReadyError(
        f"ECS gave up rolling out the service {inputs['service']}.",
        why="\n".join(
            [
                f"{failed.reason or 'Its circuit breaker saw too many tasks fail'}. {failed.failed} tasks failed.",
                f"It runs {_short(service.task_definition)} and not {_short(inputs['taskDefinition'])}.",
                *said,
            ]
        ),
        next_step="mend what stopped the tasks (`hybrid agent logs STACK`), then run the same command again: it rolls "
        "out anew.",
    )


def _other(service: Service, inputs: Properties) -> NotReadyError:
    primary = service.primary
    return NotReadyError(
        f"The service {inputs['service']} runs another task definition than is wanted.",
        why=f"It runs {_short(primary.task_definition) if primary else 'none'}, wanted is "
        f"{_short(inputs['taskDefinition'])}: ECS took a roll-out back, or somebody changed it by hand.",
        next_step="run the same command again: it rolls the wanted one out.",
    )


def _gone(inputs: Properties) -> NotReadyError:
    return NotReadyError(
        f"There is no active service {inputs['service']} in the cluster {inputs['cluster']}.",
        why="Somebody deleted it since it was made.",
        next_step="run `up --refresh`; it makes another.",
    )


def _scaled_away(inputs: Properties) -> NotReadyError:
    return NotReadyError(
        f"The service {inputs['service']} is to run no task.",
        why="Somebody scaled it to 0.",
        next_step="run `up --refresh`; it scales it to what the stack says.",
    )


def _late(seen: _Seen, inputs: Properties, passed: Sequence[Diagnosis]) -> NotReadyError:
    said = [found.paragraph() for found in passed[-1:]]
    said += [f"ECS said: {event.message}" for event in seen.service.events[:3]]
    return NotReadyError(
        f"After {inputs['timeoutSeconds']:g} s the service {inputs['service']} is not steady: {seen.progress(inputs)}.",
        why="\n".join(said) or "No task of it stopped, and ECS said nothing.",
        next_step="look at the agent's log (`hybrid agent logs STACK`), then run the same command again: it waits on.",
    )


def _short(task_definition: str) -> str:
    return task_definition.rpartition("/")[2]
