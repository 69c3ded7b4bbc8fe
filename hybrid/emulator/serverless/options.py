"""What nobody outside Dagster Labs knows of Serverless, as settings: a switch is rehearsed under each of them.

Rests on: ``invented``, all of it; each default says why it is that one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from hybrid.emulator.organization import AgentRecord, Deployment

SERVERLESS_AGENT: Final = "ServerlessUserCodeLauncher"
"""How the Serverless agent's heartbeats name their type: its launcher's class."""

HybridAgents = Literal["running", "not-running", "hidden"]


@dataclass(frozen=True)
class ServerlessOptions:
    """``departure_seconds``: how long the Serverless agent goes on after the switch to HYBRID. Default 60: long enough
    for both agents to be there at once, which a rehearsal should see.

    ``hybrid_agents``: what a Hybrid agent's status is while the deployment is SERVERLESS. Default ``running``: its
    heartbeats carry no agent type that the service could refuse them by, and its token is the organization's.

    ``values_after_switch``: whether stored values are served to a deployment that is no longer SERVERLESS. Default no:
    whoever copies them before the switch is right under either answer.
    """

    departure_seconds: float = 60
    hybrid_agents: HybridAgents = "running"
    values_after_switch: bool = False


def visible_status(record: AgentRecord, deployment: Deployment, now: float, options: ServerlessOptions) -> str | None:
    """RUNNING or NOT_RUNNING as the Agents view shows it at ``now`` (our clock), None for an agent not to be shown."""
    status = record.status(now)
    if deployment.agent_type != "SERVERLESS" or record.report.type == SERVERLESS_AGENT:
        return status
    shown: dict[HybridAgents, str | None] = {"running": status, "not-running": "NOT_RUNNING", "hidden": None}
    return shown[options.hybrid_agents]
