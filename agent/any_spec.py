"""What every agent's settings share, wherever it lives, and the parts that they are made of.

docs/settings.md is generated from these models, so each field's text says its unit, its default and why that is the
default.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)
from pydantic.alias_generators import to_camel

DAY = 86_400  # seconds

AgentLabel = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]{0,62}$")]
QueueName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,126}$")]
VariableName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,127}$")]
LocationName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$")]


class Spec(BaseModel):
    """What all parts of a stack file share: camelCase keys, no unknown ones, values never shown in errors."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        alias_generator=to_camel,
    )


class AgentQueues(Spec):
    """Which locations' requests the agent takes."""

    include_default: bool = True
    """Whether the agent serves locations that name no queue. Default true: most teams have one queue."""

    additional: tuple[QueueName, ...] = ()
    """Names of further queues that the agent serves; a location chooses one by `agent_queue`. Default: none."""

    @field_validator("additional")
    @classmethod
    def _named_once(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return _without_repetition(names, what="queue")

    @model_validator(mode="after")
    def _serves_something(self) -> AgentQueues:
        if not self.include_default and not self.additional:
            raise ValueError("the agent would serve no queue; name one in `additional`, or leave `includeDefault` true")
        return self


class FullDeploymentTtl(Spec):
    """Idle code servers of full deployments."""

    enabled: bool = False
    """Whether an idle code server is stopped. Default false: the first request after a pause would wait for a start
    of seconds."""

    ttl_seconds: int = Field(default=DAY, ge=60, le=30 * DAY)
    """How long a code server may idle, in seconds, when `enabled`. Default 86400, a day, which is Dagster's own."""


class BranchDeploymentTtl(Spec):
    """Idle code servers of branch deployments, which are always stopped in the end."""

    ttl_seconds: int = Field(default=DAY, ge=60, le=30 * DAY)
    """How long a code server may idle, in seconds. Default 86400, a day, which is Dagster's own."""


class ServerTtl(Spec):
    """When the agent stops code servers that nobody asks."""

    full_deployments: FullDeploymentTtl = Field(default_factory=FullDeploymentTtl)
    """Idle code servers of full deployments."""

    branch_deployments: BranchDeploymentTtl = Field(default_factory=BranchDeploymentTtl)
    """Idle code servers of branch deployments."""

    max_servers: int = Field(default=25, ge=1, le=1000)
    """How many code servers that have a time to live may be up at once. Default 25, which is Dagster's own; each takes
    about 140 MB."""


class AnyAgentSpec(Spec):
    """What can be said of an agent on every platform."""

    needs_images: ClassVar[bool] = True
    """Whether the agent runs code locations from images, in containers; else from folders, as processes beside it on
    this machine."""

    makes_registry: ClassVar[bool] = False
    """Whether the stack makes a registry for images where the settings name none."""

    makes_bucket: ClassVar[bool] = False
    """Whether the stack makes a place of its own for stored values (`hybrid:assetValues`)."""

    needs_organization: ClassVar[bool] = False
    """Whether the agent does not reach a Dagster+ on this machine."""

    no_reader: ClassVar[str | None] = None
    """Why there is no identity that only reads and can preview such a stack, in a sentence: its reviews in CI are made
    from the program alone. None: there is one."""

    cloud: ClassVar[str | None] = None
    """The key of `hybrid:` that says where in a cloud the stack stands: needed, and for this platform alone."""

    image_platforms: ClassVar[tuple[str, ...]] = ()
    """What images of locations are built for unless the settings say it, as `linux/amd64`; none: what builds them."""

    image_folder: ClassVar[str | None] = None
    """The folder, from the checkout's root, that the stack builds the agent's own image from; None: from none."""

    refuses_repetition: ClassVar[bool] = False
    """Whether nothing starts that is given one variable, secret or tag twice: by the stack and by a location."""

    not_here: ClassVar[Mapping[str, str]] = {}
    """Keys that people may look for and this platform does not take, each with the reason."""

    own_variables: ClassVar[Mapping[str, str]] = {}
    """Names of environment variables that are not people's to give, each with the reason."""

    isolated_unless_alone: ClassVar[bool] = False
    """Whether `isolated` is true by itself where two agents are up: with several `replicas`, and while `zeroDowntime`
    replaces one."""

    kind: str
    """The platform on which the agent lives."""

    label: AgentLabel | None = None
    """How the agent calls itself in Dagster+. Default: `hybrid-<stack>`. No other agent of the deployment may have the
    same, because readiness looks for it."""

    queues: AgentQueues = Field(default_factory=AgentQueues)
    """Which locations' requests the agent takes."""

    environment: dict[VariableName, str] = Field(default_factory=dict)
    """Environment variables for the agent, its code servers and its runs. No secrets: those are Dagster+'s environment
    variables of the location. Default: none."""

    token_rotation: int = Field(default=0, ge=0)
    """Raise it to replace the agent's token: `hybrid agent rotate-token` does. Default 0."""

    branch_deployments: bool = False
    """Whether the agent serves all branch deployments too. Default false: it would have to be able to run the code of
    every branch."""

    isolated: bool = False
    """Whether requests are bound to the agent that started them (Dagster's `isolated_agents`). Default false: one agent
    serves the deployment. Set it when several do, on machines that do not reach each other."""

    allowed_locations: tuple[LocationName, ...] | None = None
    """Names of the only locations that the agent may serve, whatever Dagster+ asks of it. Default: all."""

    startup_timeout_seconds: int = Field(default=180, ge=5, le=3600)
    """How long a code server may take to load its location, in seconds. Default 180, which is Dagster's own."""

    server_ttl: ServerTtl | None = None
    """When the agent stops code servers that nobody asks. Default: Dagster's own, which stops none of a full
    deployment."""

    direct_snapshot_uploads: bool = True
    """Whether definitions go straight to Dagster+'s blob storage. Default true, which is Dagster's own; false sends
    them through the API, for networks that let out no more than that."""

    upload_snapshots_on_startup: bool = True
    """Whether the agent sends definitions that Dagster+ holds to be outdated when it starts. Default true, which is
    Dagster's own."""

    log_upload_interval_seconds: int | None = Field(default=None, ge=5, le=3600)
    """How often the output of a step that still runs is sent to Dagster+, in seconds. Default: once, when it ends."""

    api_timeout_seconds: int = Field(default=60, ge=5, le=600)
    """How long a request to Dagster+ may take, in seconds. Default 60, which is Dagster's own."""

    api_retries: int = Field(default=6, ge=0, le=12)
    """How often a request to Dagster+ is repeated, with a pause that doubles from one second. Default 6, which is
    Dagster's own and bridges an outage of one minute; a run whose step ends in a longer one fails. 9 bridges eight."""

    @property
    def secret_names(self) -> tuple[str, ...]:
        """Variables of all code that come from secrets, sorted."""
        return ()

    @property
    def variable_names(self) -> frozenset[str]:
        """Plain variables of all code that these settings give."""
        return frozenset(self.environment)

    @property
    def code_platform(self) -> str | None:
        """What all code runs on, as `linux/amd64`; None: it may be anything, or a location says its own."""
        return None

    @property
    def starts_at_boot(self) -> bool:
        """Whether the agent is a service of this machine's user, and what it needs on this machine has to be one,
        too."""
        return False

    @property
    def packages(self) -> Mapping[str, str]:
        """Distributions that code must have because of these settings, each with the reason in words."""
        return {}

    def networks(self, stack: str) -> tuple[str, ...] | None:
        """Names of the only networks that a location's containers can be on; None: the platform has no such names."""
        return None

    def locations_ready_seconds(self, locations: int) -> int:
        """How long so many locations may take at least until all are loaded; settings may give them more. 0: what the
        settings give is enough."""
        return 0

    @model_validator(mode="before")
    @classmethod
    def _as_the_platform_can(cls, said: Any) -> Any:
        if not isinstance(said, dict):
            return said
        for key, reason in cls.not_here.items():
            if key in said:
                raise ValueError(f"`{key}` cannot be given: {reason}")
        if cls.isolated_unless_alone and "isolated" not in said:
            several = said.get("zeroDowntime", True) is not False or said.get("replicas", 1) != 1
            return {**said, "isolated": several}
        return said

    @field_validator("environment")
    @classmethod
    def _are_not_ours(cls, variables: dict[str, str]) -> dict[str, str]:
        for name in variables:
            if reason := cls.own_variables.get(name):
                raise ValueError(f"`{name}` cannot be given: {reason}")
        return variables

    @field_validator("allowed_locations")
    @classmethod
    def _named_once(cls, names: tuple[str, ...] | None) -> tuple[str, ...] | None:
        return names if names is None else _without_repetition(names, what="location")


def _without_repetition(names: tuple[str, ...], *, what: str) -> tuple[str, ...]:
    for index, name in enumerate(names):
        if name in names[:index]:
            raise ValueError(f"{what} '{name}' is named twice")
    return names
