"""The resource classes that programs use. Names and tokens here are recorded in state: none is ever renamed.

Inputs are explained in the definitions of the modules of the same name; the contract test holds the two together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, cast

import pulumi
from pulumi import Input, Output


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _properties(args: Any, outputs: Sequence[str]) -> dict[str, Any]:
    """The properties to register: arguments that were given, and outputs to come."""
    return {**_wire(args), **{_camel(name): None for name in outputs}}


def _wire(args: Any) -> dict[str, Any]:
    given = {_camel(item.name): getattr(args, item.name) for item in fields(args)}
    return {name: _wire(value) if is_dataclass(value) else value for name, value in given.items() if value is not None}


@dataclass(frozen=True)
class Connection:
    """Where Dagster+'s API is. The API token is never part of it: it comes from ``token_file`` or the environment."""

    url: Input[str]
    organization: Input[str]
    deployment: Input[str]
    token_file: Input[str] | None = None
    """Only for the embedded Dagster+: the file of mode 0600 with its administrator's token."""


@dataclass(frozen=True)
class ProcessArgs:
    """A program to keep running on this machine."""

    name: Input[str]
    directory: Input[str]
    command: Input[Sequence[Input[str]]]
    environment: Input[Mapping[str, Input[str]]] = field(default_factory=dict)
    secret_environment: Input[Mapping[str, Input[str]]] | None = field(default=None, repr=False)
    working_directory: Input[str] | None = None
    files: Input[Mapping[str, Input[str]]] = field(default_factory=dict)
    leftover_commands: Input[Sequence[Input[str]]] = ()
    readiness_url: Input[str] | None = None
    readiness_timeout_seconds: Input[float] | None = None
    stop_timeout_seconds: Input[int] | None = None
    log_max_bytes: Input[int] | None = None
    log_backups: Input[int] | None = None
    remove_on_delete: Input[Sequence[Input[str]]] = ()
    survives_reboot: Input[bool] = False
    port: Input[int] | None = None


class Process(pulumi.CustomResource):
    """A supervised process of this machine."""

    def __init__(self, name: str, args: ProcessArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        properties = _properties(args, ("pid", "started_at", "instance", "log_file", "spec_digest"))
        if args.secret_environment is not None:
            properties["secretEnvironment"] = Output.secret(args.secret_environment)
        super().__init__("dagsterhybrid:index:Process", name, properties, opts)

    @property
    def pid(self) -> Output[int]:
        return cast("Output[int]", self.__dict__["pid"])

    @property
    def started_at(self) -> Output[str]:
        return cast("Output[str]", self.__dict__["startedAt"])

    @property
    def instance(self) -> Output[str]:
        return cast("Output[str]", self.__dict__["instance"])

    @property
    def log_file(self) -> Output[str]:
        return cast("Output[str]", self.__dict__["logFile"])

    @property
    def spec_digest(self) -> Output[str]:
        return cast("Output[str]", self.__dict__["specDigest"])


@dataclass(frozen=True)
class VirtualEnvironmentArgs:
    """What to install where."""

    parent: Input[str]
    requirements: Input[Sequence[Input[str]]]
    lock: Input[str] | None = None
    python: Input[str] | None = None


class VirtualEnvironment(pulumi.CustomResource):
    """A Python environment named by its contents."""

    def __init__(self, name: str, args: VirtualEnvironmentArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        properties = _properties(args, ("path", "executable"))
        super().__init__("dagsterhybrid:index:VirtualEnvironment", name, properties, opts)

    @property
    def path(self) -> Output[str]:
        return cast("Output[str]", self.__dict__["path"])

    @property
    def executable(self) -> Output[str]:
        return cast("Output[str]", self.__dict__["executable"])


@dataclass(frozen=True)
class AgentGrants:
    """Which deployments agents with a token may serve."""

    organization: bool = False
    deployments: Sequence[str] = ()
    all_branch_deployments: bool = False


@dataclass(frozen=True)
class AgentTokenArgs:
    """An agent token, narrowed to its grants."""

    connection: Connection
    description: Input[str]
    grants: AgentGrants


class AgentToken(pulumi.CustomResource):
    """A token for agents. ``token`` is a secret."""

    def __init__(self, name: str, args: AgentTokenArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        properties = _properties(args, ("token_id", "token"))
        super().__init__("dagsterhybrid:index:AgentToken", name, properties, opts)

    @property
    def token_id(self) -> Output[str]:
        return cast("Output[str]", self.__dict__["tokenId"])

    @property
    def token(self) -> Output[str]:
        return cast("Output[str]", self.__dict__["token"])


@dataclass(frozen=True)
class CodeLocationArgs:
    """A location and what it runs."""

    connection: Connection
    name: Input[str]
    document: Input[Mapping[str, Any]]
    content_hash: Input[str] | None = None


class CodeLocation(pulumi.CustomResource):
    """A code location of a deployment."""

    def __init__(self, name: str, args: CodeLocationArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        properties = _properties(args, ("document_digest", "revision"))
        super().__init__("dagsterhybrid:index:CodeLocation", name, properties, opts)

    @property
    def document_digest(self) -> Output[str]:
        return cast("Output[str]", self.__dict__["documentDigest"])

    @property
    def revision(self) -> Output[str]:
        """New whenever the document is sent, also with the same text: give it to ``AgentReady``."""
        return cast("Output[str]", self.__dict__["revision"])


@dataclass(frozen=True)
class AgentReadyArgs:
    """What to wait for."""

    connection: Connection
    agent_label: Input[str]
    locations: Input[Mapping[str, Input[str]]]
    triggers: Input[Mapping[str, Any]] = field(default_factory=dict)
    heartbeat_after: Input[str] | None = None
    """Give the agent's ``Process.started_at``, so that a predecessor that died does not count."""
    process_directory: Input[str] | None = None
    """The agent's ``ProcessArgs.directory``: a process that ends again and again is not waited for."""
    timeout_seconds: Input[float] | None = None


class AgentReady(pulumi.CustomResource):
    """The statement that the agent is RUNNING and its locations are loaded."""

    def __init__(self, name: str, args: AgentReadyArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        properties = _properties(args, ("agent_id", "ready"))
        super().__init__("dagsterhybrid:index:AgentReady", name, properties, opts)

    @property
    def agent_id(self) -> Output[str]:
        return cast("Output[str]", self.__dict__["agentId"])

    @property
    def ready(self) -> Output[bool]:
        return cast("Output[bool]", self.__dict__["ready"])
