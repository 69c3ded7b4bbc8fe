"""What a platform is to a stack: how its agent stands up, and from what its agent runs a code location.

What differs between platforms is here and in ``agent/<platform>.py``; everything else of a stack is the same for all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import pulumi

from hybrid.delivery.catalog import CodeLocationFolder
from hybrid.provider.resources import AgentToken


@dataclass(frozen=True)
class StandingAgent:
    """An agent that was stood up, whatever the platform."""

    component: pulumi.Resource
    label: pulumi.Output[str]
    instance: pulumi.Output[str]
    """Changes whenever an update starts the agent anew."""
    started_at: pulumi.Output[str] | None
    """When that was (ISO 8601), so that a predecessor's heartbeats do not count. None: the platform does not tell."""
    place: Mapping[str, pulumi.Input[str]] | None = None
    """Where it runs (``AgentReadyArgs.place``), so that errors tell why it stopped. None: nobody can be asked."""


@dataclass(frozen=True)
class LocationSource:
    """What a code location runs on a platform."""

    document: pulumi.Input[Mapping[str, Any]]
    """As Dagster+ takes it, without a name."""
    content_hash: pulumi.Input[str] | None = None
    """Names the code behind a document that does not change with it."""
    image: pulumi.Input[str] | None = None
    """By digest. None: it runs from its folder."""
    checks: tuple[pulumi.Resource, ...] = ()
    """What must have found it in order before the agent is told of it."""


class Platform(Protocol):
    """Where a stack's agent lives."""

    @property
    def process_directory(self) -> str | None:
        """The folder of the agent's ``Process``, when it is one on this machine."""
        ...

    @property
    def reached_at(self) -> tuple[str, ...]:
        """Addresses of this machine, beside the loopback one, by which an embedded Dagster+ must be reached."""
        ...

    def agent(self, token: AgentToken) -> StandingAgent:
        """Stand the agent up."""
        ...

    def location(self, folder: CodeLocationFolder) -> LocationSource:
        """Stand up what ``folder`` runs from: an environment, or an image."""
        ...
