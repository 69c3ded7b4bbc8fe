"""Agents, as far as their heartbeats tell.

Rests on: ``client`` for what a heartbeat says and for its 30 s (dagster_cloud/agent/dagster_cloud_agent.py);
``schema`` for RUNNING and NOT_RUNNING; ``invented`` for the age at which RUNNING ends and for how long an agent that
fell silent is still listed, which no client shows, and for the agents of a branch deployment: agents send heartbeats
for one only while they have something to do for it, so whoever polls for branch deployments counts.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from hybrid.emulator.organization.database import Database
from hybrid.emulator.organization.deployments import Deployment

RUNNING_SECONDS: Final = 90.0  # three heartbeats
LISTED_SECONDS: Final = 86_400.0

"""``message``, ``stack`` (list of lines), ``class_name``, ``cause`` (another or None)."""


@dataclass(frozen=True)
class AgentReport:
    """What an agent says of itself; plain data that goes to JSON and back unchanged.

    ``code_servers``: ``location_name``, ``status``, ``error``. ``run_workers``: ``run_id``, ``status``, ``message``.
    ``errors``: ``timestamp``, ``error``; the last ones that it met.
    """

    id: str
    label: str | None
    type: str | None
    metadata: dict[str, Any]
    code_servers: list[dict[str, Any]]
    run_workers: list[dict[str, Any]]
    errors: list[dict[str, Any]]


@dataclass(frozen=True)
class AgentRecord:
    """An agent of a deployment, and when it was last heard (seconds since the epoch, our clock)."""

    deployment: str
    heard_at: float
    report: AgentReport
    token_id: int | None = None
    """The token it came with; unknown of what was heard before this process began."""

    def status(self, now: float) -> str:
        return "RUNNING" if now - self.heard_at < RUNNING_SECONDS else "NOT_RUNNING"


class Agents:
    """All agents that were heard, written through to the database and read from memory. Thread-safe."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock
        self._lock = threading.RLock()
        self._branch_polls: dict[int, float] = {}
        self._records = {
            (row["deployment"], row["id"]): AgentRecord(
                row["deployment"], row["heard_at"], AgentReport(**json.loads(row["report"]))
            )
            for row in database.rows("SELECT deployment, id, heard_at, report FROM agents")
        }

    def heard(self, deployment: str, report: AgentReport, token_id: int | None = None) -> None:
        """A heartbeat came. Those that have been silent for long are forgotten on this occasion."""
        with self._lock:
            now = self._clock()
            with self._database.transaction() as connection:
                connection.execute(
                    "INSERT OR REPLACE INTO agents VALUES (?, ?, ?, ?)",
                    (deployment, report.id, now, json.dumps(asdict(report))),
                )
                connection.execute("DELETE FROM agents WHERE heard_at < ?", (now - LISTED_SECONDS,))
            kept = {key: record for key, record in self._records.items() if record.heard_at >= now - LISTED_SECONDS}
            self._records = {**kept, (deployment, report.id): AgentRecord(deployment, now, report, token_id)}

    def polled_for_branches(self, token_id: int) -> None:
        """An agent with that token asked for requests of branch deployments."""
        self._branch_polls[token_id] = self._clock()

    def all(self, deployment: str | None = None, *, heard_since: float = 0.0) -> tuple[AgentRecord, ...]:
        """Those listed, the last heard first; of one deployment, or each agent once."""
        since = max(heard_since, self._clock() - LISTED_SECONDS)
        heard = [
            record
            for record in self._records.values()
            if record.heard_at >= since and deployment in (None, record.deployment)
        ]
        return _each_once(heard)

    def serving(self, deployment: Deployment) -> tuple[AgentRecord, ...]:
        """The agents of a deployment; of a branch deployment also those that would take its requests."""
        own = self.all(deployment.name)
        if not deployment.is_branch:
            return own
        now = self._clock()
        polling = {token for token, at in self._branch_polls.items() if now - at < RUNNING_SECONDS}
        known = {record.report.id for record in own}
        others = [
            replace(record, deployment=deployment.name, report=replace(record.report, code_servers=[], run_workers=[]))
            for record in self.all()
            if record.token_id in polling and record.report.id not in known
        ]
        return _each_once([*own, *others])

    def forget(self, deployment: str) -> None:
        """The deployment was deleted, its rows with it."""
        with self._lock:
            self._records = {key: record for key, record in self._records.items() if key[0] != deployment}

    def now(self) -> float:
        """The clock that ``heard_at`` is of."""
        return self._clock()


def _each_once(heard: Iterable[AgentRecord]) -> tuple[AgentRecord, ...]:
    """Each agent as it was last heard, the last heard first."""
    latest = sorted(heard, key=lambda record: record.heard_at, reverse=True)
    return tuple({record.report.id: record for record in reversed(latest)}.values())[::-1]
