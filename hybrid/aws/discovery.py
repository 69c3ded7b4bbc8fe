"""Cloud Map: the names by which code servers are found, and their end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from hybrid.aws.errors import AwsError, AwsNotFound
from hybrid.aws.session import Aws
from hybrid.aws.tags import STACK_TAG, tags_of

_POLL: Final = 1.0  # seconds between two looks at an operation
_LOOKS: Final = 60


@dataclass(frozen=True)
class Registered:
    """A service of a Cloud Map namespace: one name."""

    id: str
    arn: str
    name: str
    namespace: str
    tags: Mapping[str, str]

    def is_of_stack(self, stack: str) -> bool:
        """Whether it bears the tag of ``stack`` (the stack's base name)."""
        return self.tags.get(STACK_TAG) == stack


def namespace_exists(aws: Aws, namespace: str) -> bool:
    """Whether there is a namespace of this id. Raises ``AwsError``."""
    try:
        with aws.doing(f"look at the Cloud Map namespace {namespace}"):
            aws.cloud_map.get_namespace(Id=namespace)
    except AwsNotFound:
        return False
    return True


def registered_in(aws: Aws, namespace: str) -> list[Registered]:
    """The services of a namespace by its id. Each is asked for its own namespace: what is not in this one is left
    out, whatever the list says. Raises ``AwsError``."""
    found: list[Registered] = []
    with aws.doing(f"list the names in the Cloud Map namespace {namespace}"):
        pages = aws.cloud_map.get_paginator("list_services").paginate(
            Filters=[{"Name": "NAMESPACE_ID", "Values": [namespace], "Condition": "EQ"}]
        )
        listed = [(one["Id"], one["Arn"], one["Name"]) for page in pages for one in page["Services"]]
    for id, arn, name in listed:
        try:
            with aws.doing(f"look at the Cloud Map service {name}"):
                within = aws.cloud_map.get_service(Id=id)["Service"].get("NamespaceId", "")
                tags = tags_of(aws.cloud_map.list_tags_for_resource(ResourceARN=arn).get("Tags"))
        except AwsNotFound:
            continue  # it went between the two questions
        if within == namespace:
            found.append(Registered(id, arn, name, within, tags))
    return found


def remove_registered(aws: Aws, service: Registered, wait: Callable[[float], object]) -> bool:
    """Take a name's instances and the name itself away. False when it has instances yet again, or still: to be tried
    once more. One that is gone is no error. ``wait`` pauses, and ends the whole by raising. Raises ``AwsError``."""
    try:
        with aws.doing(f"remove the Cloud Map service {service.name}"):
            pages = aws.cloud_map.get_paginator("list_instances").paginate(ServiceId=service.id)
            instances = [one["Id"] for page in pages for one in page["Instances"]]
        for instance in instances:
            _deregister(aws, service, instance, wait)
        with aws.doing(f"remove the Cloud Map service {service.name}"):
            aws.cloud_map.delete_service(Id=service.id)
    except AwsNotFound:
        return True
    except AwsError as error:
        if error.code == "ResourceInUse":
            return False
        raise
    return True


def _deregister(aws: Aws, service: Registered, instance: str, wait: Callable[[float], object]) -> None:
    try:
        with aws.doing(f"remove an address of the Cloud Map service {service.name}"):
            operation = aws.cloud_map.deregister_instance(ServiceId=service.id, InstanceId=instance)["OperationId"]
            for _ in range(_LOOKS):
                if aws.cloud_map.get_operation(OperationId=operation)["Operation"]["Status"] in {"SUCCESS", "FAIL"}:
                    return  # after a failure the name cannot be deleted, which is told of
                wait(_POLL)
    except AwsError as error:
        # ECS itself takes the address of a task away when it stops, maybe at this moment
        if not isinstance(error, AwsNotFound) and error.code != "DuplicateRequest":
            raise
