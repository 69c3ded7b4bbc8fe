"""What an ECS stack makes of its own, and what it calls it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from agent.ecs_names import EcsNames
from infra.place import Place
from stacks.asset_value_settings import WRITER
from stacks.aws_settings import AwsSettings
from stacks.platform_facts import OwnBucket, PlatformFacts


@dataclass(frozen=True)
class EcsFacts(PlatformFacts):
    """See the module."""

    @property
    def aws(self) -> AwsSettings:
        found = self.who.settings.aws
        if found is None:
            raise TypeError("settings of an agent on ECS have `aws`: Settings holds it")
        return found

    @property
    def names(self) -> EcsNames:
        return EcsNames.of(self.who.stack, self.aws.account, self.aws.region, base=self.aws.name)

    @property
    def registry(self) -> str:
        return f"{self.names.registry}/{self.names.base}"

    @property
    def values(self) -> OwnBucket:
        return OwnBucket(self.aws.storage.name or self.names.bucket, self.names.region)

    @property
    def writer_role(self) -> str:
        return self._role(WRITER)

    @property
    def tags(self) -> tuple[str, ...]:
        return tuple(sorted(self.aws.tags))

    def complete(self, document: dict[str, Any], location: str) -> None:
        """The role of the location's own; without one it has that of all, which is the launcher's."""
        if location in self.aws.location_roles:
            context = document.setdefault("container_context", {}).setdefault("ecs", {})
            context.setdefault("task_role_arn", self._role(location_role(location)))

    def _role(self, what: str) -> str:
        place = Place(self.names.account, self.names.region, self.names.partition)
        return place.global_arn("iam", f"role{self.aws.role_path}{self.names.role(what)}")


def location_role(location: str) -> str:
    """What a role of a location's own is for, which its name says."""
    return f"location-{location}"
