"""Where an agent is looked for that is adopted: what a survey asks of each platform."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

from hybrid.adopt.agent_settings import AgentSettings
from hybrid.adopt.organization import FoundOrganization
from hybrid.adopt.remarks import Remark
from hybrid.delivery.images.reference import Reference
from hybrid.plus import Endpoint


@dataclass(frozen=True)
class FoundPlace:
    """An agent said as settings. ``cloud``: the keys of the stack file beside ``agent`` that say where it stands, as
    ``{"aws": …}``."""

    said: AgentSettings
    cloud: Mapping[str, Mapping[str, Any]]
    remarks: tuple[Remark, ...] = field(default_factory=tuple)


class Place(Protocol):
    """A platform with an agent on it. Only questions are asked."""

    kind: ClassVar[str]
    """That of the agent."""
    makes_registry: ClassVar[bool]
    """Whether a stack there makes repositories for images where the file names none."""

    def find(self, endpoint: Endpoint, organization: FoundOrganization) -> FoundPlace:
        """Raises ``HybridError``: no such agent, several, no permission."""
        ...

    def digest(self, image: Reference) -> str | None:
        """That of an image by its tag; None when it cannot be known here. Raises ``HybridError`` when it could not be
        asked for."""
        ...


def told_of(label: str | None, name: str, organization: FoundOrganization) -> Remark:
    """What Dagster+ says of the agent that was found, ``name`` being what the platform calls it."""
    mine = [agent for agent in organization.running if label is None or agent.label == label]
    if not mine:
        named = f" labelled '{label}'" if label else ""
        return Remark(
            "danger", "agent", f"Dagster+ hears of no agent{named} that is RUNNING; see that it is well first"
        )
    if len(mine) > 1:
        labels = ", ".join(sorted(agent.label or agent.id for agent in mine))
        text = f"several are RUNNING ({labels}); '{name}' is adopted, and the others go on as they are"
        return Remark("left", "agents", text)
    return Remark("left", "agent", f"'{name}' goes on until you stop it, once the new one is RUNNING")
