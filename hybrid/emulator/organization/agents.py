"""Agents, as far as their heartbeats tell.

Rests on: ``client`` for what a heartbeat says and for its 30 s (dagster_cloud/agent/dagster_cloud_agent.py);
``schema`` for RUNNING and NOT_RUNNING; ``invented`` for the age at which RUNNING ends and for how long an agent that
fell silent is still listed: no client shows either.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Final

from hybrid.emulator.organization.database import Database

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

    def status(self, now: float) -> str:
        return "RUNNING" if now - self.heard_at < RUNNING_SECONDS else "NOT_RUNNING"


class Agents:
    """All agents that were heard, written through to the database and read from memory. Thread-safe."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock
        self._lock = threading.RLock()
        self._records = {
            (row["deployment"], row["id"]): AgentRecord(
                row["deployment"], row["heard_at"], AgentReport(**json.loads(row["report"]))
            )
            for row in database.rows("SELECT deployment, id, heard_at, report FROM agents")
        }

    def heard(self, deployment: str, report: AgentReport) -> None:
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
            self._records = {**kept, (deployment, report.id): AgentRecord(deployment, now, report)}

    def all(self, deployment: str | None = None, *, heard_since: float = 0.0) -> tuple[AgentRecord, ...]:
        """Those listed, the last heard first; of one deployment, or each agent once."""
        since = max(heard_since, self._clock() - LISTED_SECONDS)
        heard = [
            record
            for record in self._records.values()
            if record.heard_at >= since and deployment in (None, record.deployment)
        ]
        latest = sorted(heard, key=lambda record: record.heard_at, reverse=True)
        return tuple({record.report.id: record for record in reversed(latest)}.values())[::-1]

    def now(self) -> float:
        """The clock that ``heard_at`` is of."""
        return self._clock()
