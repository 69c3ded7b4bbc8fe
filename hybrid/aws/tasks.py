"""ECS tasks of a cluster: agents, code servers and runs, also those that stopped in the last hour or so, which is as
long as ECS remembers them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from hybrid.aws.errors import AwsError, AwsNotFound
from hybrid.aws.services import NEVER
from hybrid.aws.session import Aws
from hybrid.aws.tags import JOB_TAG, LOCATION_HASH_TAG, LOCATION_TAG, RUN_TAG, STACK_TAG, tags_of

_PAGE: Final = 100  # DescribeTasks takes no more
_OF_SERVICE: Final = "service:"

Wanted = Literal["RUNNING", "STOPPED"]


@dataclass(frozen=True)
class Container:
    """One container of a task. ``health``: HEALTHY, UNHEALTHY, UNKNOWN."""

    name: str
    status: str
    health: str
    image: str
    exit_code: int | None
    reason: str


@dataclass(frozen=True)
class Task:
    """A task as DescribeTasks tells it. ``started_by`` names the deployment of a service (``ecs-svc/…``);
    ``cpu`` and ``memory`` as ECS writes them, in units of 1/1024 CPU and MiB."""

    arn: str
    group: str
    started_by: str
    task_definition: str
    status: str
    desired_status: str
    health: str
    cpu: str
    memory: str
    created: datetime
    started: datetime | None
    stopped: datetime | None
    stop_code: str
    stopped_reason: str
    containers: Sequence[Container]
    tags: Mapping[str, str]

    @property
    def id(self) -> str:
        return self.arn.rpartition("/")[2]

    @property
    def family(self) -> str:
        """The task definition's name without its revision."""
        return self.task_definition.rpartition("/")[2].partition(":")[0]

    @property
    def service(self) -> str:
        """The name of the service that it belongs to; empty for a run."""
        return self.group.removeprefix(_OF_SERVICE) if self.group.startswith(_OF_SERVICE) else ""

    @property
    def run_id(self) -> str:
        return self.tags.get(RUN_TAG, "")

    @property
    def job(self) -> str:
        return self.tags.get(JOB_TAG, "")

    @property
    def location(self) -> str:
        return self.tags.get(LOCATION_TAG, "")

    @property
    def location_hash(self) -> str:
        return self.tags.get(LOCATION_HASH_TAG, "")

    @property
    def is_stopped(self) -> bool:
        """Whether nothing of it is left: until then it also holds its network interface."""
        return self.status == "STOPPED"

    def is_of_stack(self, stack: str) -> bool:
        """Whether it bears the tag of ``stack`` (the stack's base name)."""
        return self.tags.get(STACK_TAG) == stack


def tasks_in(
    aws: Aws, cluster: str, *, service: str | None = None, family: str | None = None, wanted: Wanted = "RUNNING"
) -> list[Task]:
    """Tasks of a cluster, of one service or one family where named. ``wanted`` is what ECS wants of them: "RUNNING"
    has those that start, too; "STOPPED" those that are still stopping. A cluster that is not there has none.

    Raises ``AwsError``.
    """
    given = {"cluster": cluster, "serviceName": service, "family": family, "desiredStatus": wanted}
    arns: list[str] = []
    try:
        with aws.doing(f"list the tasks of the cluster {cluster}"):
            asked: Any = {name: value for name, value in given.items() if value is not None}
            for page in aws.ecs.get_paginator("list_tasks").paginate(**asked):
                arns += page["taskArns"]
    except AwsError as error:
        if isinstance(error, AwsNotFound) or error.code == "ServiceNotActiveException":
            return []
        raise
    found = tasks_named(aws, cluster, arns)
    return [task for task in found if service is None or task.service == service]


def tasks_named(aws: Aws, cluster: str, arns: Sequence[str]) -> list[Task]:
    """Tasks by their ARNs or ids; those that ECS has forgotten are left out. Raises ``AwsError``."""
    found: list[Task] = []
    for first in range(0, len(arns), _PAGE):
        with aws.doing(f"look at tasks of the cluster {cluster}"):
            told = aws.ecs.describe_tasks(cluster=cluster, tasks=list(arns[first : first + _PAGE]), include=["TAGS"])
        found += [_task(given) for given in told["tasks"]]
    return found


def unfinished_tasks(aws: Aws, cluster: str) -> list[Task]:
    """All tasks of a cluster of which something is left: starting, running, or stopping."""
    stopping = [task for task in tasks_in(aws, cluster, wanted="STOPPED") if not task.is_stopped]
    return [task for task in tasks_in(aws, cluster) if not task.is_stopped] + stopping


def stop_task(aws: Aws, cluster: str, task: str, reason: str) -> None:
    """Ask a task to stop: SIGTERM now, SIGKILL after its stop time-out. One that is gone is no error."""
    try:
        with aws.doing(f"stop the task {task.rpartition('/')[2]} of the cluster {cluster}"):
            aws.ecs.stop_task(cluster=cluster, task=task, reason=reason)
    except AwsError as error:
        if not (isinstance(error, AwsNotFound) or "task was not found" in (error.why or "")):
            raise


def has_health_check(aws: Aws, task_definition: str) -> bool:
    """Whether a container of a task definition has a health check: without one its tasks are of UNKNOWN health for
    ever, with one until it was first asked. Raises ``AwsError``."""
    with aws.doing(f"look at the task definition {task_definition.rpartition('/')[2]}"):
        told = aws.ecs.describe_task_definition(taskDefinition=task_definition)["taskDefinition"]
    return any(container.get("healthCheck") for container in told.get("containerDefinitions", []))


def _task(given: Any) -> Task:
    return Task(
        arn=given["taskArn"],
        group=given.get("group", ""),
        started_by=given.get("startedBy", ""),
        task_definition=given.get("taskDefinitionArn", ""),
        status=given.get("lastStatus", ""),
        desired_status=given.get("desiredStatus", ""),
        health=given.get("healthStatus", "UNKNOWN"),
        cpu=given.get("cpu", ""),
        memory=given.get("memory", ""),
        created=given.get("createdAt", NEVER),
        started=given.get("startedAt"),
        stopped=given.get("stoppedAt"),
        stop_code=given.get("stopCode", ""),
        stopped_reason=given.get("stoppedReason", ""),
        containers=tuple(_container(one) for one in given.get("containers", [])),
        tags=tags_of(given.get("tags")),
    )


def _container(given: Any) -> Container:
    return Container(
        name=given.get("name", ""),
        status=given.get("lastStatus", ""),
        health=given.get("healthStatus", "UNKNOWN"),
        image=given.get("image", ""),
        exit_code=given.get("exitCode"),
        reason=given.get("reason", ""),
    )
