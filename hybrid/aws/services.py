"""ECS services of a cluster: what is wanted of them, what runs, and how their deployments go."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from hybrid.aws.errors import AwsError, AwsNotFound
from hybrid.aws.session import Aws
from hybrid.aws.tags import AGENT_TAG, LOCATION_HASH_TAG, LOCATION_TAG, STACK_TAG, tags_of

_PAGE: Final = 10  # DescribeServices takes no more
_GONE: Final = frozenset({"ServiceNotFoundException", "ServiceNotActiveException", "ClusterNotFoundException"})
NEVER: Final = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True)
class Deployment:
    """One roll-out of a task definition. ``status``: PRIMARY is the newest, ACTIVE an older one that still runs.
    ``rollout``: IN_PROGRESS, COMPLETED, FAILED."""

    id: str
    status: str
    task_definition: str
    desired: int
    running: int
    pending: int
    failed: int
    rollout: str
    reason: str
    created: datetime


@dataclass(frozen=True)
class Event:
    """What ECS said of a service."""

    at: datetime
    message: str


@dataclass(frozen=True)
class Service:
    """A service as DescribeServices tells it. ``status``: ACTIVE, DRAINING (deleted, its tasks still stop), INACTIVE.
    ``events``: the newest first, at most a hundred. ``registries``: ARNs of its Cloud Map services."""

    arn: str
    name: str
    status: str
    desired: int
    running: int
    pending: int
    task_definition: str
    created: datetime
    deployments: Sequence[Deployment]
    events: Sequence[Event]
    tags: Mapping[str, str]
    registries: Sequence[str]

    @property
    def primary(self) -> Deployment | None:
        return next((one for one in self.deployments if one.status == "PRIMARY"), None)

    @property
    def is_active(self) -> bool:
        return self.status == "ACTIVE"

    @property
    def is_of_agent(self) -> bool:
        """Whether an agent made it: a code server."""
        return AGENT_TAG in self.tags

    @property
    def location(self) -> str:
        """The code server's location, as far as a tag can say it."""
        return self.tags.get(LOCATION_TAG, "")

    @property
    def location_hash(self) -> str:
        return self.tags.get(LOCATION_HASH_TAG, "")

    def is_of_stack(self, stack: str) -> bool:
        """Whether it bears the tag of ``stack`` (the stack's base name)."""
        return self.tags.get(STACK_TAG) == stack

    def events_since(self, moment: datetime) -> list[Event]:
        return [event for event in self.events if event.at >= moment]


def services_in(aws: Aws, cluster: str) -> list[Service]:
    """All services of a cluster that are not deleted yet. A cluster that is not there has none. Raises ``AwsError``."""
    arns: list[str] = []
    try:
        with aws.doing(f"list the services of the cluster {cluster}"):
            for page in aws.ecs.get_paginator("list_services").paginate(cluster=cluster):
                arns += page["serviceArns"]
    except AwsNotFound:
        return []
    return list(_described(aws, cluster, arns))


def services_of(aws: Aws, cluster: str, stack: str) -> list[Service]:
    """The services of a cluster with the tag of ``stack``: the agent's own and those that it made."""
    return [service for service in services_in(aws, cluster) if service.is_of_stack(stack)]


def service_named(aws: Aws, cluster: str, name: str) -> Service | None:
    """One service, be it deleted a short while ago; None when ECS does not know it or its cluster."""
    try:
        return next(_described(aws, cluster, [name]), None)
    except AwsNotFound:
        return None


def remove_service(aws: Aws, cluster: str, name: str) -> bool:
    """Scale a service to nothing and delete it. False when it was gone already. Its tasks stop by and by."""
    with aws.doing(f"delete the service {name} of the cluster {cluster}"):
        with _gone_is_fine():  # also said of one that is on its way out
            aws.ecs.update_service(cluster=cluster, service=name, desiredCount=0)
        with _gone_is_fine():
            aws.ecs.delete_service(cluster=cluster, service=name, force=True)
            return True
    return False


def roll_out(aws: Aws, cluster: str, name: str, task_definition: str) -> None:
    """Begin another deployment of a service, also when the task definition is the one that it has. Raises
    ``AwsError``."""
    with aws.doing(f"roll out the service {name} of the cluster {cluster}"):
        aws.ecs.update_service(cluster=cluster, service=name, taskDefinition=task_definition, forceNewDeployment=True)


@contextlib.contextmanager
def _gone_is_fine() -> Iterator[None]:
    from botocore.exceptions import ClientError

    try:
        yield
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") not in _GONE:
            raise


def _described(aws: Aws, cluster: str, names: Sequence[str]) -> Iterator[Service]:
    for first in range(0, len(names), _PAGE):
        with aws.doing(f"look at services of the cluster {cluster}"):
            told = aws.ecs.describe_services(
                cluster=cluster, services=list(names[first : first + _PAGE]), include=["TAGS"]
            )
        for failure in told.get("failures", []):
            if failure.get("reason") != "MISSING":
                raise AwsError(
                    f"ECS does not tell of the service {failure.get('arn')}.",
                    why=f"{failure.get('reason')}: {failure.get('detail', 'no more is said')}",
                    next_step="run the same command again.",
                )
        yield from (_service(given) for given in told["services"])


def _service(given: Any) -> Service:
    return Service(
        arn=given["serviceArn"],
        name=given["serviceName"],
        status=given["status"],
        desired=given.get("desiredCount", 0),
        running=given.get("runningCount", 0),
        pending=given.get("pendingCount", 0),
        task_definition=given.get("taskDefinition", ""),
        created=given.get("createdAt", NEVER),
        deployments=tuple(_deployment(one) for one in given.get("deployments", [])),
        events=tuple(Event(one.get("createdAt", NEVER), one.get("message", "")) for one in given.get("events", [])),
        tags=tags_of(given.get("tags")),
        registries=tuple(one["registryArn"] for one in given.get("serviceRegistries", []) if "registryArn" in one),
    )


def _deployment(given: Any) -> Deployment:
    return Deployment(
        id=given.get("id", ""),
        status=given.get("status", ""),
        task_definition=given.get("taskDefinition", ""),
        desired=given.get("desiredCount", 0),
        running=given.get("runningCount", 0),
        pending=given.get("pendingCount", 0),
        failed=given.get("failedTasks", 0),
        rollout=given.get("rolloutState", ""),
        reason=given.get("rolloutStateReason", ""),
        created=given.get("createdAt", NEVER),
    )
