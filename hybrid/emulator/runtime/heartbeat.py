"""Agents' heartbeats and errors, unpacked into plain data for the control plane.

Rests on ``client``: dagster_cloud/api/dagster_cloud_api.py ``AgentHeartbeat``, dagster_cloud/execution/monitoring.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dagster._serdes import deserialize_value
from dagster_cloud.api.dagster_cloud_api import AgentHeartbeat, TimestampedError
from dagster_shared.error import SerializableErrorInfo


@dataclass(frozen=True)
class ErrorView:
    """An error: ``stack`` is its traceback's lines, ``cause`` the error that it was raised from."""

    message: str
    stack: tuple[str, ...]
    class_name: str | None
    cause: ErrorView | None


@dataclass(frozen=True)
class CodeServerView:
    """A code server: ``status`` is STARTING, RUNNING or FAILED."""

    location_name: str
    status: str
    error: ErrorView | None


@dataclass(frozen=True)
class RunWorkerView:
    """A run worker: ``status`` is RUNNING, NOT_FOUND, FAILED, SUCCESS or UNKNOWN."""

    run_id: str
    status: str
    message: str | None


@dataclass(frozen=True)
class HeartbeatView:
    """An agent's heartbeat; ``timestamp`` in seconds since the epoch by its own clock."""

    agent_id: str
    agent_label: str | None
    agent_type: str | None
    timestamp: float
    metadata: Mapping[str, Any]
    code_servers: tuple[CodeServerView, ...]
    run_workers: tuple[RunWorkerView, ...]


def read_heartbeat(serialized: str) -> HeartbeatView:
    heartbeat = deserialize_value(serialized, AgentHeartbeat)
    workers = heartbeat.run_worker_statuses.statuses if heartbeat.run_worker_statuses else ()
    return HeartbeatView(
        agent_id=heartbeat.agent_id,
        agent_label=heartbeat.agent_label,
        agent_type=heartbeat.agent_type,
        timestamp=heartbeat.timestamp,
        metadata=dict(heartbeat.metadata),
        code_servers=tuple(
            CodeServerView(server.location_name, server.server_status.value, _view(server.error))
            for server in heartbeat.code_server_heartbeats
        ),
        run_workers=tuple(RunWorkerView(worker.run_id, worker.status_type.value, worker.message) for worker in workers),
    )


def worker_state(
    reports: Iterable[Sequence[Mapping[str, Any]]], run_id: str, launcher: Sequence[Mapping[str, Any]] | None = None
) -> tuple[str, str | None] | None:
    """What agents say of a run's worker, its status and a message; None when none of ``reports`` names the run.

    ``reports`` are the run workers of each agent (``run_id``, ``status``, ``message``), the last heard first. Whoever
    sees a worker at work is right: to an agent on another machine it may look lost. While the agent that launched the
    run reports, and has not yet named it (``launcher``, its run workers), nobody is heard (``invented``, both).
    """
    if launcher is not None and all(worker["run_id"] != run_id for worker in launcher):
        return None
    said = [(str(worker["status"]), worker["message"]) for report in reports for worker in report
            if worker["run_id"] == run_id]  # fmt: skip
    return next((state for state in said if state[0] == "RUNNING"), said[0] if said else None)


def read_error(serialized: str) -> ErrorView:
    """Of a serialized ``SerializableErrorInfo``, or the error in a serialized ``TimestampedError``."""
    value = deserialize_value(serialized, (SerializableErrorInfo, TimestampedError))
    return _present(value.error if isinstance(value, TimestampedError) else value)


def _view(error: SerializableErrorInfo | None) -> ErrorView | None:
    return _present(error) if error else None


def _present(error: SerializableErrorInfo) -> ErrorView:
    return ErrorView(error.message, tuple(error.stack), error.cls_name, _view(error.cause))
