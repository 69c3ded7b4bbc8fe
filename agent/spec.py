"""What an agent is, as the stack file says it under ``hybrid:agent``: one frozen model per platform.

``AgentSpec`` is told apart by ``kind``. docs/settings.md is generated from these models, so each field's text says its
unit, its default and why that is the default.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Final, Literal, TypeAlias

from pydantic import Field, GetPydanticSchema
from pydantic_core import core_schema

from agent.any_spec import (
    DAY,
    AgentQueues,
    AnyAgentSpec,
    BranchDeploymentTtl,
    FullDeploymentTtl,
    LocationName,
    QueueName,
    ServerTtl,
    Spec,
    VariableName,
)
from agent.azure_spec import AzureAgentSpec
from agent.docker_spec import DockerAgentSpec
from agent.ecs_spec import EcsAgentSpec
from agent.kubernetes_spec import KubernetesAgentSpec

__all__ = [
    "CLOUDS",
    "DAY",
    "SPECS",
    "AgentQueues",
    "AgentSpec",
    "AnyAgentSpec",
    "AzureAgentSpec",
    "BranchDeploymentTtl",
    "DockerAgentSpec",
    "EcsAgentSpec",
    "FullDeploymentTtl",
    "KubernetesAgentSpec",
    "LocalAgentSpec",
    "LocationName",
    "QueueName",
    "ServerTtl",
    "Spec",
    "VariableName",
]


class LocalAgentSpec(AnyAgentSpec):
    """An agent as a supervised process on this machine; its code servers and runs are processes beside it."""

    needs_images: ClassVar[bool] = False

    kind: Literal["local"] = "local"
    """The platform on which the agent lives. `local`: processes on this machine."""

    wait_for_processes: bool = True
    """Whether a code server that is replaced, or whose agent stops, is ended at once. Default true: otherwise, as
    Dagster has it, it stays beside its successor with its memory for one to two minutes."""

    stop_timeout_seconds: int = Field(default=10, ge=1, le=600)
    """How long the agent may take to stop before it is killed, in seconds. Default 10: it and its code servers end in
    about four, and an agent that cannot reach Dagster+ would only go on trying."""

    survives_reboot: bool = False
    """Whether the agent is a service of the user's systemd, and so comes back after a reboot. Linux only. Default
    false: a stack that someone tries out leaves nothing that starts by itself."""

    agent_metrics: bool = False
    """Whether the agent's processor and memory use goes with its heartbeats. Default false, which is Dagster's own."""

    code_server_metrics: bool = False
    """Whether each code server's processor and memory use is sent too. Default false, which is Dagster's own."""

    @property
    def starts_at_boot(self) -> bool:
        return self.survives_reboot


SPECS: Final[Mapping[str, type[AnyAgentSpec]]] = {
    spec.model_fields["kind"].default: spec
    for spec in (LocalAgentSpec, DockerAgentSpec, EcsAgentSpec, KubernetesAgentSpec, AzureAgentSpec)
}
"""What is said of an agent, by its kind. A new platform is named here and in ``AgentSpec``."""

CLOUDS: Final[Mapping[str, str]] = {spec.cloud: kind for kind, spec in SPECS.items() if spec.cloud is not None}
"""The kind of agent that is in a cloud, by the cloud's key of ``hybrid:``."""

*_FIRST, _LAST = (f"`{kind}`" for kind in SPECS)
_LISTED: Final = f"{', '.join(_FIRST)} and {_LAST}"


def _by_kind(_: Any, handler: Any) -> core_schema.CoreSchema:
    """A union told apart by ``kind``, with a sentence of our own for a kind that is not in it."""
    return core_schema.tagged_union_schema(
        {kind: handler(spec) for kind, spec in SPECS.items()},
        discriminator="kind",
        custom_error_type="agent_kind",
        custom_error_message=f"`kind` says where the agent lives; {_LISTED} are built so far",
    )


AgentSpec: TypeAlias = Annotated[
    LocalAgentSpec | DockerAgentSpec | EcsAgentSpec | KubernetesAgentSpec | AzureAgentSpec,
    GetPydanticSchema(_by_kind),
]
