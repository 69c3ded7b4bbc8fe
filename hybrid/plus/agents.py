"""Agents as Dagster+ sees them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hybrid.plus.failure import Failure
from hybrid.redaction import redact


@dataclass(frozen=True)
class CodeServer:
    """What an agent says of one location's code server. ``status``: STARTING, RUNNING or FAILED."""

    location: str
    status: str
    error: Failure | None


@dataclass(frozen=True)
class AgentError:
    """An error that an agent reported; ``timestamp`` in seconds since the epoch."""

    timestamp: float | None
    failure: Failure


@dataclass(frozen=True)
class Agent:
    """One agent process: a restarted agent is another one, with another id.

    ``status`` is RUNNING or NOT_RUNNING, which Dagster+ derives from the heartbeat's age; ``last_heartbeat`` is in
    seconds since the epoch; ``type`` is the class of its user code launcher ("ProcessUserCodeLauncher").
    """

    id: str
    label: str | None
    status: str
    last_heartbeat: float
    type: str | None
    metadata: Mapping[str, str | None]
    errors: tuple[AgentError, ...]
    code_servers: tuple[CodeServer, ...]

    @property
    def is_running(self) -> bool:
        return self.status == "RUNNING"

    @classmethod
    def of(cls, agent: Mapping[str, Any]) -> Agent:
        metadata = {entry["key"]: _plain(entry["value"]) for entry in agent["metadata"]}
        return cls(
            id=agent["id"],
            label=agent["agentLabel"],
            status=agent["status"],
            last_heartbeat=float(agent["lastHeartbeatTime"]),
            type=metadata.get("type"),
            metadata=metadata,
            errors=tuple(
                AgentError(error["timestamp"], failure)
                for error in agent["errors"]
                if (failure := Failure.of(error["error"]))
            ),
            code_servers=tuple(
                CodeServer(state["locationName"], state["status"], Failure.of(state["error"]))
                for state in agent["codeServerStates"]
            ),
        )


def _plain(value: str | None) -> str | None:
    # Values are JSON where an agent's metadata holds more than text: the type comes as "\"ProcessUserCodeLauncher\"".
    if value is None:
        return None
    return redact(value.removeprefix('"').removesuffix('"'))
