"""Images that run in the cluster of an ECS stack, whichever stack they are of: in services, in their roll-outs, in
tasks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hybrid.platforms.ecs_place import EcsPlace


def images_in_cluster(place: EcsPlace) -> Iterator[tuple[str, str]]:
    """Each with what uses it. Raises ``AwsError``."""
    from hybrid.aws.services import services_in
    from hybrid.aws.tasks import unfinished_tasks

    aws = place.door()
    definitions: dict[str, str] = {}
    for service in services_in(aws, place.cluster):
        definitions.setdefault(service.task_definition, service.name)
        for deployment in service.deployments:
            definitions.setdefault(deployment.task_definition, service.name)
    for task in unfinished_tasks(aws, place.cluster):
        definitions.setdefault(task.task_definition, f"task {task.id}")
        for container in task.containers:
            if container.image:
                yield container.image, f"the task {task.id} in {place.cluster}"
    for arn, name in definitions.items():
        with aws.doing(f"look at the task definition {arn.rpartition('/')[2]}"):
            told: Any = aws.ecs.describe_task_definition(taskDefinition=arn)["taskDefinition"]
        for container in told.get("containerDefinitions", []):
            if container.get("image"):
                yield container["image"], f"{name} in {place.cluster}"
