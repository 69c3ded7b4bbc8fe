"""An agent's heartbeat, from what Dagster serialized to what the organization keeps.

Rests on: ``client`` (``AgentHeartbeat`` and ``TimestampedError`` in dagster_cloud/api/dagster_cloud_api.py).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from hybrid.emulator.organization import AgentReport
from hybrid.emulator.seam import ErrorView, Runtime


def report_of(runtime: Runtime, serialized: str, serialized_errors: Sequence[str]) -> AgentReport:
    """The report in a heartbeat and in the errors that came with it."""
    view = runtime.read_heartbeat(serialized)
    return AgentReport(
        id=view.agent_id,
        label=view.agent_label,
        type=view.agent_type,
        metadata=dict(view.metadata),
        code_servers=[
            {
                "location_name": server.location_name,
                "status": server.status,
                "error": plain(server.error) if server.error else None,
            }
            for server in view.code_servers
        ],
        run_workers=[
            {"run_id": worker.run_id, "status": worker.status, "message": worker.message} for worker in view.run_workers
        ],
        errors=[_timestamped(runtime, error) for error in serialized_errors],
    )


def plain(error: ErrorView) -> dict[str, Any]:
    """An error as plain data: ``message``, ``stack``, ``class_name``, ``cause``."""
    return {
        "message": error.message,
        "stack": list(error.stack),
        "class_name": error.class_name,
        "cause": plain(error.cause) if error.cause else None,
    }


def _timestamped(runtime: Runtime, serialized: str) -> dict[str, Any]:
    """A ``TimestampedError``: its time, and the ``SerializableErrorInfo`` in it for the runtime to read."""
    packed = json.loads(serialized)
    return {"timestamp": packed["timestamp"], "error": plain(runtime.read_error(json.dumps(packed["error"])))}
