"""Agents as clients of the public API see them.

Rests on: ``schema``; ``client`` for the metadata key ``type`` that holds the launcher's name.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from hybrid.emulator.api.context import context_of
from hybrid.emulator.api.public.errors import python_error
from hybrid.emulator.api.schema import Resolvers
from hybrid.emulator.organization import AgentRecord, Organization


def resolvers(organization: Organization) -> Resolvers:
    def agents(_parent: Any, info: Any) -> list[dict[str, Any]]:
        shown = organization.agents_shown(context_of(info)["deployment"])
        return [_described(record, status) for record, status in shown]

    return {"Query": {"agents": agents}}


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
