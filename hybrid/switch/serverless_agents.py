"""Which of an organization's agents are Serverless's, and whether they are gone."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from hybrid.plus import Agent

_WORD: Final = "serverless"
SILENT_SECONDS: Final = 45.0
"""Agents report every 30 s (dagster_cloud/agent/dagster_cloud_agent.py); one that is half a report late is silent.
Dagster+ itself takes longer to call it NOT_RUNNING, and schedules wait for this."""


def serverless_agents(agents: Sequence[Agent], known: Collection[str] = ()) -> list[Agent]:
    """Those that were known to be, or say so by their launcher's name or their label. How the real ones call themselves
    is not public; of one that says nothing nobody can tell."""
    return [
        agent
        for agent in agents
        if agent.id in known or _WORD in (agent.type or "").lower() or _WORD in (agent.label or "").lower()
    ]


def last_heartbeat(agents: Sequence[Agent]) -> float | None:
    """The youngest of them; None: there is none."""
    return max((agent.last_heartbeat for agent in agents), default=None)


def still_there(agents: Sequence[Agent], now: float) -> list[Agent]:
    """Those that are RUNNING and not silent."""
    return [agent for agent in agents if agent.is_running and now - agent.last_heartbeat < SILENT_SECONDS]
