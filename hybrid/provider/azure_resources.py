"""The resource classes around an agent in Azure, for programs. Names and tokens here are recorded in state: none is
ever renamed.

Inputs are explained in the definitions of ``azure_drain`` and ``azure_launch_check``; the contract test holds the two
together.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi import Input

from hybrid.provider.agent_resources import RunsOnDelete
from hybrid.provider.check_resources import Check
from hybrid.provider.resources import _properties


@dataclass(frozen=True)
class AzureDrainArgs:
    """Which agent's leavings are removed."""

    subscription: Input[str]
    resource_group: Input[str]
    environment_id: Input[str]
    agent_app: Input[str]
    tenant: Input[str] | None = None
    runs: Input[RunsOnDelete] | None = None
    timeout_seconds: Input[float] | None = None


class AzureDrain(pulumi.CustomResource):
    """What an agent made in a Container Apps environment, removed when this is deleted. Let the agent's app depend on
    it, and it on the environment and the agent's rights."""

    def __init__(self, name: str, args: AzureDrainArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dagsterhybrid:index:AzureDrain", name, _properties(args, ()), opts)


@dataclass(frozen=True)
class AzureLaunchCheckArgs:
    """A code location as Container Apps will launch it."""

    location: Input[str]
    image: Input[str]


class AzureLaunchCheck(Check):
    """The statement that a code location can be launched. Let its ``CodeLocation`` depend on it."""

    def __init__(self, name: str, args: AzureLaunchCheckArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dagsterhybrid:index:AzureLaunchCheck", name, args, opts)
