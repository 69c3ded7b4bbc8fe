"""The resource classes about containers of a Docker engine, for programs. Names and tokens here are recorded in state:
none is ever renamed.

Inputs are explained in the definitions of the modules of the same name; the contract test holds the two together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import pulumi
from pulumi import Input, Output

from hybrid.provider.resources import _properties


@dataclass(frozen=True)
class ContainerSweepArgs:
    """Whose containers to remove at the end."""

    stack: Input[str]
    network: Input[str]
    host: Input[str] | None = None
    """Give the address that Pulumi's docker provider was given, if it was."""
    timeout_seconds: Input[float] | None = None


class ContainerSweep(pulumi.CustomResource):
    """Removes a stack's containers when it is deleted. The agent's container depends on it, it depends on the
    network."""

    def __init__(self, name: str, args: ContainerSweepArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dagsterhybrid:index:ContainerSweep", name, _properties(args, ()), opts)


@dataclass(frozen=True)
class ContainerStateArgs:
    """Which container has to run."""

    container: Input[str]
    host: Input[str] | None = None
    settle_seconds: Input[float] | None = None
    timeout_seconds: Input[float] | None = None


class ContainerState(pulumi.CustomResource):
    """The statement that a container runs, and since when."""

    def __init__(self, name: str, args: ContainerStateArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        properties = _properties(args, ("started_at", "instance"))
        super().__init__("dagsterhybrid:index:ContainerState", name, properties, opts)

    @property
    def started_at(self) -> Output[str]:
        return cast("Output[str]", self.__dict__["startedAt"])

    @property
    def instance(self) -> Output[str]:
        return cast("Output[str]", self.__dict__["instance"])
