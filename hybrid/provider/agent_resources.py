"""The resource classes around an agent that stands: when it is ready, and what its end does to runs. Names and tokens
here are recorded in state: none is ever renamed.

Inputs are explained in ``agent_ready`` and ``agent_drain``; the contract test holds the two together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, cast

import pulumi
from pulumi import Input, Output

from hybrid.provider.resources import Connection, _properties


@dataclass(frozen=True)
class AgentQueues:
    """The queues whose locations an agent serves."""

    include_default: Input[bool] = True
    additional: Input[Sequence[Input[str]]] = ()


@dataclass(frozen=True)
class AgentReadyArgs:
    """What to wait for."""

    connection: Connection
    agent_label: Input[str]
    locations: Input[Mapping[str, Input[str]]]
    images: Input[Mapping[str, Input[str]]] = field(default_factory=dict)
    """The image that a location is to be loaded from, by the location's name."""
    queues: Input[Mapping[str, Input[str]]] = field(default_factory=dict)
    """The agent queue of a location, by the location's name; without one it is the default queue."""
    agent_queues: AgentQueues | None = None
    """A location on another queue is refused. Left out, none is."""
    triggers: Input[Mapping[str, Any]] = field(default_factory=dict)
    heartbeat_after: Input[str] | None = None
    """Give the agent's ``Process.started_at``, so that a predecessor that died does not count."""
    process_directory: Input[str] | None = None
    """The agent's ``ProcessArgs.directory``: a process that ends again and again is not waited for."""
    place: Mapping[str, Input[str]] | None = None
    """Where the agent runs: `platform`, and what that platform's diagnosis needs (``agent_diagnosis``). Errors then
    tell why the agent, or code servers, stopped."""
    heartbeat_timeout_seconds: Input[float] | None = None
    timeout_seconds: Input[float] | None = None


class AgentReady(pulumi.CustomResource):
    """The statement that the agent is RUNNING and its locations are loaded."""

    def __init__(self, name: str, args: AgentReadyArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        properties = _properties(args, ("agent_id", "ready", "loaded", "failed"))
        super().__init__("dagsterhybrid:index:AgentReady", name, properties, opts)

    @property
    def agent_id(self) -> Output[str]:
        return cast("Output[str]", self.__dict__["agentId"])

    @property
    def ready(self) -> Output[bool]:
        return cast("Output[bool]", self.__dict__["ready"])

    @property
    def loaded(self) -> Output[Mapping[str, str]]:
        return cast("Output[Mapping[str, str]]", self.__dict__["loaded"])

    @property
    def failed(self) -> Output[Sequence[str]]:
        return cast("Output[Sequence[str]]", self.__dict__["failed"])


class RunsOnDelete(StrEnum):
    """What happens to the runs in progress of an agent that is taken away."""

    WAIT = "wait"
    TERMINATE = "terminate"
    LEAVE = "leave"


@dataclass(frozen=True)
class AgentDrainArgs:
    """Which runs hold an agent, and for how long."""

    connection: Connection
    locations: Input[Sequence[Input[str]]]
    agent_label: Input[str] | None = None
    runs: Input[RunsOnDelete | str] | None = None
    queued_runs: Input[bool] = False
    timeout_seconds: Input[float] | None = None


class AgentDrain(pulumi.CustomResource):
    """Holds an agent back from going away while runs are in progress. Let it depend on the agent."""

    def __init__(self, name: str, args: AgentDrainArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dagsterhybrid:index:AgentDrain", name, _properties(args, ()), opts)
