"""The resource classes that programs use. Names and tokens here are recorded in state: none is ever renamed.

Inputs are explained in the definitions of the modules of the same name; the contract test holds the two together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from enum import StrEnum
from typing import Any, TypeVar, cast

import pulumi
from pulumi import Input, Output

Args = TypeVar("Args")


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _properties(args: Any, outputs: Sequence[str]) -> dict[str, Any]:
    """The properties to register: arguments that were given, and outputs to come."""
    return {**_wire(args), **{_camel(name): None for name in outputs}}


def _wire(args: Any) -> dict[str, Any]:
    given = {_camel(item.name): getattr(args, item.name) for item in fields(args)}
    return {name: _wire(value) if is_dataclass(value) else value for name, value in given.items() if value is not None}


def _given(cls: type[Args], args: Args | None, inputs: Mapping[str, Any]) -> Args:
    """The arguments, or those that code written by `pulumi import` gives one by one, objects as plain mappings."""
    if args is None:
        objects = {"connection": Connection, "grants": AgentGrants, "scopes": EnvironmentVariableScopes}
        plain = {name for name in objects.keys() & inputs.keys() if isinstance(inputs[name], Mapping)}
        return cls(**{name: objects[name](**value) if name in plain else value for name, value in inputs.items()})
    if inputs:
        raise TypeError(f"give {cls.__name__}, or {', '.join(inputs)} without it")
    return args


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
    rotation: Input[int] | None = None
    """Another number makes another token. Leave it out, rather than give 0, for a token that was never rotated."""
    agent_label: Input[str] | None = None
    revoke_after_runs: Input[str] | None = None


class AgentToken(pulumi.CustomResource):
    """A token for agents. ``token`` is a secret."""

    def __init__(
        self,
        resource_name: str,
        args: AgentTokenArgs | None = None,
        opts: pulumi.ResourceOptions | None = None,
        **inputs: Any,
    ) -> None:
        properties = _properties(_given(AgentTokenArgs, args, inputs), ("token_id", "token"))
        super().__init__("dagsterhybrid:index:AgentToken", resource_name, properties, opts)

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

    def __init__(
        self,
        resource_name: str,
        args: CodeLocationArgs | None = None,
        opts: pulumi.ResourceOptions | None = None,
        **inputs: Any,
    ) -> None:
        properties = _properties(_given(CodeLocationArgs, args, inputs), ("document_digest", "revision"))
        super().__init__("dagsterhybrid:index:CodeLocation", resource_name, properties, opts)

    @property
    def document_digest(self) -> Output[str]:
        return cast("Output[str]", self.__dict__["documentDigest"])

    @property
    def revision(self) -> Output[str]:
        """New whenever the document is sent, also with the same text: give it to ``AgentReady``."""
        return cast("Output[str]", self.__dict__["revision"])


@dataclass(frozen=True)
class EnvironmentVariableScopes:
    """Where an environment variable is set; at least one."""

    full_deployment: Input[bool] = False
    all_branch_deployments: Input[bool] = False
    branch_deployment: Input[str] | None = None
    local: Input[bool] = False


@dataclass(frozen=True)
class EnvironmentVariableArgs:
    """A variable of a deployment's code."""

    connection: Connection
    name: Input[str]
    scopes: EnvironmentVariableScopes
    value: Input[str] | None = field(default=None, repr=False)
    """Best from the stack's secret configuration. Left out, the value that an imported variable has stays."""
    locations: Input[Sequence[Input[str]]] = ()


class EnvironmentVariable(pulumi.CustomResource):
    """An environment variable that Dagster+ sets. ``value`` is a secret."""

    def __init__(
        self,
        resource_name: str,
        args: EnvironmentVariableArgs | None = None,
        opts: pulumi.ResourceOptions | None = None,
        **inputs: Any,
    ) -> None:
        given = _given(EnvironmentVariableArgs, args, inputs)
        properties = _properties(given, ("variable_id", "updated_at"))
        if given.value is not None:
            properties["value"] = Output.secret(given.value)
        super().__init__("dagsterhybrid:index:EnvironmentVariable", resource_name, properties, opts)

    @property
    def variable_id(self) -> Output[str]:
        return cast("Output[str]", self.__dict__["variableId"])

    @property
    def updated_at(self) -> Output[float]:
        return cast("Output[float]", self.__dict__["updatedAt"])


class AgentType(StrEnum):
    """Who runs a deployment's code."""

    HYBRID = "HYBRID"
    SERVERLESS = "SERVERLESS"


@dataclass(frozen=True)
class DeploymentSettingsArgs:
    """What of a deployment's settings to manage."""

    connection: Connection
    settings: Input[Mapping[str, Any]] = field(default_factory=dict)
    agent_type: Input[AgentType | str] | None = None
    allow_agent_type_change: Input[bool] = False
    """Whether `up` may hand the deployment from one to the other; without it a difference is shown and refused."""


class DeploymentSettings(pulumi.CustomResource):
    """Settings of a deployment, and who runs its code. Deleting it leaves both as they are."""

    def __init__(
        self,
        resource_name: str,
        args: DeploymentSettingsArgs | None = None,
        opts: pulumi.ResourceOptions | None = None,
        **inputs: Any,
    ) -> None:
        given = _given(DeploymentSettingsArgs, args, inputs)
        properties = _properties(given, ("deployment_id", "run_by", "kept_settings"))
        super().__init__("dagsterhybrid:index:DeploymentSettings", resource_name, properties, opts)

    @property
    def deployment_id(self) -> Output[str]:
        return cast("Output[str]", self.__dict__["deploymentId"])

    @property
    def run_by(self) -> Output[str]:
        return cast("Output[str]", self.__dict__["runBy"])

    @property
    def kept_settings(self) -> Output[Mapping[str, Any]]:
        return cast("Output[Mapping[str, Any]]", self.__dict__["keptSettings"])


@dataclass(frozen=True)
class AlertPolicyArgs:
    """A policy and whom it tells."""

    connection: Connection
    name: Input[str]
    document: Input[Mapping[str, Any]]
    notification_service: Input[Mapping[str, Any]] | None = field(default=None, repr=False)
    """A secret. Left out, what an imported policy has stays."""


class AlertPolicy(pulumi.CustomResource):
    """An alert policy of a deployment."""

    def __init__(
        self,
        resource_name: str,
        args: AlertPolicyArgs | None = None,
        opts: pulumi.ResourceOptions | None = None,
        **inputs: Any,
    ) -> None:
        given = _given(AlertPolicyArgs, args, inputs)
        properties = _properties(given, ("document_digest",))
        if given.notification_service is not None:
            properties["notificationService"] = Output.secret(given.notification_service)
        super().__init__("dagsterhybrid:index:AlertPolicy", resource_name, properties, opts)

    @property
    def document_digest(self) -> Output[str]:
        return cast("Output[str]", self.__dict__["documentDigest"])


@dataclass(frozen=True)
class BuildFileArgs:
    """Which keys of which file of a checkout to set."""

    checkout: Input[str]
    path: Input[str]
    values: Input[Mapping[str, Any]]


class BuildFile(pulumi.CustomResource):
    """Keys of a build.yaml; everything else in it stays."""

    def __init__(self, name: str, args: BuildFileArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        properties = _properties(args, ("content_digest", "is_ours", "managed_keys"))
        super().__init__("dagsterhybrid:index:BuildFile", name, properties, opts)

    @property
    def content_digest(self) -> Output[str]:
        return cast("Output[str]", self.__dict__["contentDigest"])

    @property
    def is_ours(self) -> Output[bool]:
        return cast("Output[bool]", self.__dict__["isOurs"])

    @property
    def managed_keys(self) -> Output[Sequence[str]]:
        return cast("Output[Sequence[str]]", self.__dict__["managedKeys"])
