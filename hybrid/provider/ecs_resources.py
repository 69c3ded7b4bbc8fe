"""The resource classes around an agent on ECS, for programs. Names and tokens here are recorded in state: none is ever
renamed.

Inputs are explained in the definitions of ``ecs_service_state``, ``ecs_drain`` and ``ecs_launch_check``; the contract
test holds the two together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, cast

import pulumi
from pulumi import Input, Output

from hybrid.provider.agent_resources import RunsOnDelete
from hybrid.provider.check_resources import Check
from hybrid.provider.resources import _properties


class EcsArchitecture(StrEnum):
    """The CPU architecture of a task, as ECS spells it."""

    X86_64 = "X86_64"
    ARM64 = "ARM64"


@dataclass(frozen=True)
class EcsServiceStateArgs:
    """Which service has to run which task definition."""

    region: Input[str]
    account: Input[str]
    cluster: Input[str]
    service: Input[str]
    task_definition: Input[str]
    triggers: Input[Mapping[str, Any]] = field(default_factory=dict)
    await_health: Input[bool] | None = None
    timeout_seconds: Input[float] | None = None


class EcsServiceState(pulumi.CustomResource):
    """The statement that an ECS service is steady on a task definition, and since when. Let it depend on the
    service."""

    def __init__(self, name: str, args: EcsServiceStateArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        outputs = ("started_at", "instance", "running_count", "steady", "last_stop")
        super().__init__("dagsterhybrid:index:EcsServiceState", name, _properties(args, outputs), opts)

    @property
    def started_at(self) -> Output[str]:
        """When the newest task was started: give it to ``AgentReadyArgs.heartbeat_after``."""
        return cast("Output[str]", self.__dict__["startedAt"])

    @property
    def instance(self) -> Output[str]:
        """Changes whenever a task is another."""
        return cast("Output[str]", self.__dict__["instance"])

    @property
    def running_count(self) -> Output[int]:
        return cast("Output[int]", self.__dict__["runningCount"])

    @property
    def steady(self) -> Output[bool]:
        return cast("Output[bool]", self.__dict__["steady"])

    @property
    def last_stop(self) -> Output[str]:
        return cast("Output[str]", self.__dict__["lastStop"])


@dataclass(frozen=True)
class EcsDrainArgs:
    """What to take away at the end, and what holds that up."""

    region: Input[str]
    account: Input[str]
    cluster: Input[str]
    service: Input[str]
    stack: Input[str]
    namespace: Input[str] | None = None
    owns_namespace: Input[bool] = True
    owns_cluster: Input[bool] = True
    runs: Input[RunsOnDelete | str] | None = None
    cleanup_seconds: Input[float] | None = None
    timeout_seconds: Input[float] | None = None


class EcsDrain(pulumi.CustomResource):
    """Takes away what the agent made. The agent's service depends on it; it depends on cluster, namespace, roles, log
    groups and network. Give it a delete time-out above its own."""

    def __init__(self, name: str, args: EcsDrainArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dagsterhybrid:index:EcsDrain", name, _properties(args, ()), opts)


@dataclass(frozen=True)
class EcsLaunchCheckArgs:
    """A code location as ECS will launch it."""

    region: Input[str]
    account: Input[str]
    location: Input[str]
    image: Input[str]
    execution_role_arn: Input[str]
    task_role_arn: Input[str] | None = None
    architecture: Input[EcsArchitecture | str] | None = None
    secrets: Input[Sequence[Input[str]]] = ()
    """The ``valueFrom`` of each secret."""
    repository_credentials: Input[str] | None = None
    triggers: Input[Mapping[str, Any]] = field(default_factory=dict)
    """What grants the roles their rights, so that it is checked again when that changes."""
    settle_seconds: Input[float] | None = None


class EcsLaunchCheck(Check):
    """The statement that a code location can be launched. Let its ``CodeLocation`` depend on it."""

    def __init__(self, name: str, args: EcsLaunchCheckArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dagsterhybrid:index:EcsLaunchCheck", name, args, opts)
