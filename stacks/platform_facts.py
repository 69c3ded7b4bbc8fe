"""What a platform makes of its own for a stack, told from settings and names alone. Pure: the program and the command
line know it alike, without asking the platform or the engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from agent.spec import AzureAgentSpec, EcsAgentSpec, KubernetesAgentSpec
from stacks.identity import StackIdentity


@dataclass(frozen=True)
class OwnBucket:
    """The bucket that a stack makes for stored values."""

    name: str
    region: str


@dataclass(frozen=True)
class OwnContainer:
    """The blob container of Azure that a stack makes for stored values."""

    account: str
    name: str


@dataclass(frozen=True)
class PlatformFacts:
    """A platform that makes nothing of its own; others say otherwise in ``stacks/<platform>_facts.py``."""

    who: StackIdentity

    @property
    def registry(self) -> str | None:
        """Where images go when the settings name no registry: a host and what repositories begin with."""
        return None

    @property
    def values(self) -> OwnBucket | OwnContainer | None:
        """Where stored values go when the settings name no other place."""
        return None

    @property
    def writer_role(self) -> str | None:
        """What a copy of stored values that runs on Serverless takes to write there (`hybrid:assetValues.writer`)."""
        return None

    @property
    def tags(self) -> tuple[str, ...]:
        """Keys of tags on everything that the agent makes, sorted."""
        return ()

    def complete(self, document: dict[str, Any], location: str) -> None:
        """Put into ``document``, which Dagster+ is told of ``location``, what the settings give to this location
        alone. What the location says itself stays."""


def facts_of(who: StackIdentity) -> PlatformFacts:
    """Those of the stack's platform."""
    match who.settings.agent:
        case EcsAgentSpec():
            from stacks.ecs_facts import EcsFacts

            return EcsFacts(who)
        case KubernetesAgentSpec():
            from stacks.kubernetes_facts import KubernetesFacts

            return KubernetesFacts(who)
        case AzureAgentSpec():
            from stacks.azure_facts import AzureFacts

            return AzureFacts(who)
        case _:
            return PlatformFacts(who)
