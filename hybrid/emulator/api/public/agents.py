"""Agents as clients of the public API see them.

Rests on: ``schema``; ``client`` for the metadata key ``type`` that holds the launcher's name.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from hybrid.emulator.api.context import context_of
from hybrid.emulator.api.public.errors import python_error
from hybrid.emulator.api.schema import Resolvers
from hybrid.emulator.organization import AgentRecord, Organization

_LOCAL: Final = frozenset({"ProcessUserCodeLauncher"})
_CONTAINERS: Final = frozenset(
    {"AcaUserCodeLauncher", "DockerUserCodeLauncher", "EcsUserCodeLauncher", "K8sUserCodeLauncher"}
)


def resolvers(organization: Organization) -> Resolvers:
    def agents(_parent: Any, info: Any) -> list[dict[str, Any]]:
        shown = organization.agents_shown(context_of(info)["deployment"])
        return [_described(record, status) for record, status in shown]

    def category(_parent: Any, info: Any) -> str:
        running = [
            record
            for record, status in organization.agents_shown(context_of(info)["deployment"])
            if status == "RUNNING"
        ]
        return _category({record.report.type for record in running})

    return {"Query": {"agents": agents, "activeAgentCategory": category}}


def _category(types: set[str | None]) -> str:
    """What kind of agents run (``invented`` which launcher is which)."""
    if not types:
        return "NONE"
    found = {"LOCAL" if kind in _LOCAL else "CONTAINER" if kind in _CONTAINERS else "UNKNOWN" for kind in types}
    if "UNKNOWN" in found:
        return "UNKNOWN"
    return found.pop() if len(found) == 1 else "MIXED"


def _described(record: AgentRecord, status: str) -> dict[str, Any]:
    report = record.report
    return {
        "id": report.id,
        "agentLabel": report.label,
        "status": status,
        "lastHeartbeatTime": record.heard_at,
        "errors": [{"timestamp": met["timestamp"], "error": python_error(met["error"])} for met in report.errors],
        "metadata": [{"key": key, "value": _text(value)} for key, value in _metadata(record).items()],
        "runWorkerStates": [
            {"runId": worker["run_id"], "status": worker["status"], "message": worker["message"]}
            for worker in report.run_workers
        ],
        "codeServerStates": [
            {
                "locationName": server["location_name"],
                "status": server["status"],
                "error": python_error(server["error"]) if server["error"] else None,
            }
            for server in report.code_servers
        ],
    }


def _metadata(record: AgentRecord) -> Mapping[str, Any]:
    return {"type": record.report.type, **record.report.metadata} if record.report.type else record.report.metadata


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value)
