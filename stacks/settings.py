"""The typed stack file: every key of ``hybrid:`` in ``stacks/Pulumi.<stack>.yaml``, its meaning and its default.

Pure: values in, ``Settings`` out, or one ``SettingsError`` that names the file and each key that is wrong. The values
come from Pulumi inside the program and from the file itself for the command line; both go through ``parse``.
docs/settings.md is generated from these models.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, ValidationError, field_validator, model_validator

from agent.spec import CLOUDS, AgentSpec, LocalAgentSpec, LocationName, Spec
from hybrid.errors import SettingsError
from hybrid.workspace import checked_stack_name
from stacks.asset_value_settings import AssetValueSettings
from stacks.aws_settings import AwsSettings
from stacks.azure_settings import AzureSettings
from stacks.delivery_settings import ImageSettings, PinnedImage, RegistrySettings, ServedLocation
from stacks.kubernetes_settings import KubernetesSettings
from stacks.queue_settings import OwnQueueSettings
from stacks.settings_words import NAMESPACE, allowed, key_of
from stacks.variable_settings import VariableSettings, without_repetition

DeploymentName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]
OrganizationName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]


class EmulatorSettings(Spec):
    """The embedded Dagster+, used when no organization is named."""

    port: int = Field(default=3939, ge=1024, le=65535)
    """TCP port on 127.0.0.1 for the UI and the API. 3939: beside `dagster dev`, which takes 3000."""

    keep_history: bool = False
    """Whether `down` leaves the emulator's data (runs, events, logs). Off: `down` takes all away."""


class ReadinessSettings(Spec):
    """When `up` may say that the stack stands."""

    timeout_seconds: int = Field(default=300, ge=5, le=3600)
    """How long `up` waits for the agent to be RUNNING and for all locations to load, in seconds. 300: a cold image
    pull and a slow first import fit."""

    heartbeat_timeout_seconds: int = Field(default=60, ge=5, le=3600)
    """How long an agent that has been RUNNING may be silent before `up` gives it up, in seconds. 60: it reports every
    30. One that was just started has the whole time."""


class Settings(Spec):
    """One stack: which Dagster+ deployment it serves, and with what agent."""

    environment: str = Field(default="", max_length=40, pattern=r"^([A-Za-z0-9][A-Za-z0-9_-]*)?$")
    """The environment in the team's own sense, such as prod or staging. Default: the stack's name."""

    organization: OrganizationName | None = None
    """The Dagster+ organization. Absent: the embedded Dagster+ on this machine, no account needed."""

    region: Literal["us", "eu"] = "us"
    """Where Dagster+ keeps the organization; it decides the addresses."""

    url: str | None = Field(default=None, pattern=r"^https?://[^\s/]+(/\S*)?$")
    """An own address of Dagster+, for a proxy or a private link. Default: derived from organization and region."""

    deployment: DeploymentName = "prod"
    """The full deployment that the agent serves."""

    agent: AgentSpec = Field(default_factory=LocalAgentSpec)
    """What the agent is and where it lives; `kind` chooses the platform."""

    aws: AwsSettings | None = None
    """Where in AWS the stack stands. Needed for an agent of kind `ecs`, and only then."""

    kubernetes: KubernetesSettings | None = None
    """In which cluster the stack stands. Needed for an agent of kind `kubernetes`, and only then."""

    azure: AzureSettings | None = None
    """Where in Azure the stack stands. Needed for an agent of kind `azure`, and only then."""

    asset_values: AssetValueSettings = Field(default_factory=AssetValueSettings)
    """Where stored asset values lie that no IO manager of the team's own takes elsewhere."""

    locations: tuple[ServedLocation, ...] | None = None
    """The code locations that this stack serves: names of those under `locations/`, `{path: …}` for a folder
    elsewhere, `{image: …, name: …}` for an image that is built elsewhere. Default: all under `locations/`."""

    registry: RegistrySettings | None = None
    """Where images are pushed to and pulled from. Needed for an agent in containers, but on ECS and Azure, where the
    stack makes the place; a local agent needs no images."""

    images: ImageSettings = Field(default_factory=ImageSettings)
    """How images of code locations are built."""

    pins: dict[LocationName, PinnedImage] = Field(default_factory=dict)
    """Images, by digest, that locations keep whatever their folders say: `hybrid locations pin` and a rollback write
    it, `hybrid locations unpin` takes one out."""

    environment_variables: tuple[VariableSettings, ...] = ()
    """Environment variables of code locations, kept in Dagster+."""

    phase: Literal["prepare", "standby", "serve"] = "serve"
    """prepare stands up everything that does not touch the deployment: no code location is registered and nothing is
    waited for. standby is the same, and the agent takes no work, whatever `agent.queues` says: for a deployment that
    still runs what this agent cannot load. serve is the whole stack."""

    own_queue: OwnQueueSettings | None = None
    """An agent queue of the stack's own, by which locations go from Serverless to Hybrid one at a time. Default: none;
    the agent takes what `agent.queues` says."""

    readiness: ReadinessSettings = Field(default_factory=ReadinessSettings)
    """When `up` may say that the stack stands."""

    emulator: EmulatorSettings = Field(default_factory=EmulatorSettings)
    """The embedded Dagster+; refused together with an organization."""

    @property
    def embedded(self) -> bool:
        """Whether Dagster+ is the emulator on this machine."""
        return self.organization is None

    @property
    def stands_by(self) -> bool:
        """Whether the agent takes no work. On a queue of its own it is handed nothing of others'."""
        return self.phase == "standby" and self.own_queue is None

    def registers(self, location: str) -> bool:
        """Whether `up` tells Dagster+ of a location that the stack serves."""
        return self.phase == "serve" or (self.own_queue is not None and location in self.own_queue.locations)

    @model_validator(mode="after")
    def _one_dagster_plus(self) -> Settings:
        given = self.model_fields_set
        if self.organization is None and given & {"region", "url"}:
            raise ValueError("`region` and `url` belong to an `organization`; name it, or remove them")
        if self.organization is not None and "emulator" in given:
            raise ValueError("`emulator` and `organization` exclude each other; remove one of them")
        return self

    @model_validator(mode="after")
    def _images_where_needed(self) -> Settings:
        if self.agent.needs_images and not self.agent.makes_registry and self.registry is None:
            raise ValueError(f"an agent of kind `{self.agent.kind}` runs images; say where they go: `registry.address`")
        if self.pins and not self.agent.needs_images:
            raise ValueError("`pins` are images, and a local agent runs none; remove them")
        built, wanted = self.images.platforms, self.agent.code_platform
        if built and wanted is not None and wanted not in built:
            raise ValueError(
                f"`images.platforms` builds for {', '.join(built)}, and code runs on {wanted} alone; add that"
            )
        return self

    @model_validator(mode="after")
    def _cloud_where_needed(self) -> Settings:
        for cloud, kind in CLOUDS.items():
            if (self.agent.cloud == cloud) != (getattr(self, cloud) is not None):
                raise ValueError(f"`{cloud}` and an agent of kind `{kind}` belong together; give both, or neither")
        if self.agent.needs_organization and self.organization is None:
            kind = self.agent.kind
            raise ValueError(
                f"an agent of kind `{kind}` does not reach a Dagster+ on this machine; name an `organization`"
            )
        return self

    @model_validator(mode="after")
    def _azures_own_registry(self) -> Settings:
        if self.azure is not None and self.registry is not None:
            raise ValueError(
                "`registry` is not for Azure, whose launcher logs in to Azure's own registries alone; "
                "name one that is there as `azure.registry.id`, or let the stack make it"
            )
        return self

    @model_validator(mode="after")
    def _values_within_reach(self) -> Settings:
        own = self.aws.storage.name if self.aws else None
        self.asset_values.refuse_elsewhere(self.agent, own_bucket=own)
        if self.asset_values.writer is not None and self.aws is None:
            raise ValueError("`assetValues.writer` is a role of AWS; remove it")
        return self

    @field_validator("environment_variables")
    @classmethod
    def _named_once(cls, variables: tuple[VariableSettings, ...]) -> tuple[VariableSettings, ...]:
        return without_repetition(variables)


def parse(values: Mapping[str, Any], *, stack: str, source: str) -> Settings:
    """Settings from ``values`` (keys without ``hybrid:``); ``source`` is the file's name for the error.

    Raises ``SettingsError``: one message with the file, each wrong key and what is allowed there.
    """
    try:
        settings = Settings.model_validate(dict(values))
    except ValidationError as error:
        raise SettingsError(
            f"The settings in {source} are wrong:",
            why="\n".join(f"  {key_of(problem['loc'])}: {allowed(problem)}" for problem in error.errors()),
            next_step=f"mend {source}; docs/settings.md lists every key.",
        ) from None
    changes: dict[str, Any] = {} if settings.environment else {"environment": checked_stack_name(stack)}
    if settings.own_queue is not None:
        queues = settings.own_queue.queues_of(settings.agent.queues)
        changes["agent"] = settings.agent.model_copy(update={"queues": queues})
    return settings.model_copy(update=changes)


def from_pulumi(config: Mapping[str, str], secret_keys: frozenset[str], *, stack: str) -> Settings:
    """Settings from Pulumi's own map of a stack's configuration, whose structured values are JSON texts."""
    values: dict[str, Any] = {}
    source = f"stacks/Pulumi.{stack}.yaml"
    for key, text in config.items():
        if not key.startswith(NAMESPACE):
            continue
        if key in secret_keys:
            raise _secret_in_settings(key, source)
        values[key.removeprefix(NAMESPACE)] = _decoded(text)
    return parse(values, stack=stack, source=source)


def from_file(path: Path, *, stack: str) -> Settings:
    """Settings from the stack file, for what must answer without starting the engine.

    Raises ``SettingsError`` when the file is not there, cannot be read or is not YAML.
    """
    import yaml  # the program itself never reads the file

    source = f"stacks/{path.name}"
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except FileNotFoundError:
        personal = path.with_name(f"{stack}.example.yaml").is_file()
        raise SettingsError(
            f"There is no stack '{stack}'.",
            why=f"{source} does not exist.",
            next_step=f"`hybrid up {stack}` makes it from stacks/{stack}.example.yaml."
            if personal
            else "write that file (docs/settings.md); `hybrid up local` makes a local stack.",
        ) from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SettingsError(f"{source} cannot be read.", why=str(error), next_step="mend the file.") from None
    config = document.get("config", {}) if isinstance(document, dict) else None
    if not isinstance(config, dict | None):
        raise SettingsError(
            f"{source} has no `config:` with keys below it.", next_step="see stacks/local.example.yaml."
        )
    values: dict[str, Any] = {}
    for key, value in (config or {}).items():
        if not str(key).startswith(NAMESPACE):
            continue
        if isinstance(value, dict) and set(value) == {"secure"}:
            raise _secret_in_settings(str(key), source)
        values[str(key).removeprefix(NAMESPACE)] = value
    return parse(values, stack=stack, source=source)


def _decoded(text: str) -> Any:
    if text[:1] in "{[":
        try:
            return json.loads(text)
        except json.JSONDecodeError:
            return text
    return text


def _secret_in_settings(key: str, source: str) -> SettingsError:
    return SettingsError(
        f"{key} in {source} is a secret.",
        why="Settings hold no secrets; a token comes from the environment or is made by the stack.",
        next_step=f"`pulumi config rm {key}`, and set DAGSTER_CLOUD_API_TOKEN in the environment.",
    )
