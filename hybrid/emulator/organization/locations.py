"""Code locations: what was deployed, and what the agent last uploaded of it.

Rests on: ``client`` for ``metadata_timestamp`` (dagster_cloud/agent/dagster_cloud_agent.py takes it as the version of
the code server: a changed value respawns it) and for ``outdated`` (what the agent uploads); ``invented`` that the last
error stays until the next upload.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any

from hybrid.emulator.organization.database import Database


@dataclass(frozen=True)
class LocationRecord:
    """A code location of a deployment. Timestamps in seconds since the epoch.

    ``metadata`` is a serialized ``CodeLocationDeployData``; ``metadata_timestamp`` grows with every put and nothing
    else. ``manifest`` is the serialized manifest of the last upload that succeeded; it stays while the location
    reloads and after an error. ``error`` is the serialized error of the last upload, None when that succeeded.
    """

    deployment: str
    name: str
    document: dict[str, Any]
    metadata: str
    metadata_timestamp: float
    uploaded_timestamp: float | None
    outdated: bool
    manifest: str | None
    error: str | None

    @property
    def agent_queue(self) -> str | None:
        """The queue whose agents serve it; None is the default queue."""
        queue = self.document.get("agent_queue")
        return queue if isinstance(queue, str) else None

    @property
    def load_state(self) -> str:
        """LOADING until the agent has uploaded what was deployed last, then LOADED or FAILED."""
        if self.outdated:
            return "LOADING"
        return "FAILED" if self.error is not None else "LOADED"


class Locations:
    """All locations, written through to the database and read from memory. Thread-safe."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock
        self._lock = threading.RLock()
        self._records = {(record.deployment, record.name): record for record in _stored(database)}
        self._lists: dict[str, tuple[LocationRecord, ...]] = {}
        self._deploying = 0
        self._settled = threading.Condition()
        self.version = 0
        """Counts changes, for caches of what is derived from them."""

    @contextmanager
    def deploying(self) -> Iterator[None]:
        """Around what ends in a ``put``: checking a document may have to wait until Dagster is loaded."""
        with self._settled:
            self._deploying += 1
        try:
            yield
        finally:
            with self._settled:
                self._deploying -= 1
                self._settled.notify_all()

    @property
    def settled(self) -> bool:
        """Whether nothing is being deployed just now."""
        return self._deploying == 0

    def settle(self, seconds: float) -> None:
        """Wait until nothing is being deployed, ``seconds`` at most. An agent that starts while its locations are
        being registered then finds them at once, instead of by its next look."""
        with self._settled:
            self._settled.wait_for(lambda: self._deploying == 0, timeout=seconds)

    def all(self, deployment: str) -> tuple[LocationRecord, ...]:
        """The locations of ``deployment``, by name."""
        with self._lock:
            if deployment not in self._lists:
                records = [record for record in self._records.values() if record.deployment == deployment]
                self._lists[deployment] = tuple(sorted(records, key=lambda record: record.name))
            return self._lists[deployment]

    def get(self, deployment: str, name: str) -> LocationRecord | None:
        return self._records.get((deployment, name))

    def put(self, deployment: str, document: dict[str, Any], metadata: str) -> LocationRecord:
        """Add or update the location that ``document`` names; from now on it is outdated."""
        return self.put_all(deployment, [(document, metadata)])[0]

    def put_all(self, deployment: str, deployed: Sequence[tuple[dict[str, Any], str]]) -> list[LocationRecord]:
        """Add or update several, all or none. Each is a document with its metadata."""
        return self.replace_all(deployment, deployed, delete=())

    def replace_all(
        self, deployment: str, deployed: Sequence[tuple[dict[str, Any], str]], *, delete: Sequence[str]
    ) -> list[LocationRecord]:
        """Put ``deployed`` and delete the named others, all or nothing."""
        with self._lock:
            records = [self._deployed(deployment, document, metadata) for document, metadata in deployed]
            with self._database.transaction() as connection:
                for record in records:
                    connection.execute(
                        "INSERT OR REPLACE INTO locations VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                        _row(record),
                    )
                for name in delete:
                    connection.execute("DELETE FROM locations WHERE deployment = ? AND name = ?", (deployment, name))
            self._records |= {(record.deployment, record.name): record for record in records}
            for name in delete:
                self._records.pop((deployment, name), None)
            self._changed(deployment)
            return records

    def delete(self, deployment: str, name: str) -> bool:
        """Whether it was there."""
        with self._lock:
            known = (deployment, name) in self._records
            if known:
                self.replace_all(deployment, (), delete=[name])
            return known

    def record_loaded(self, deployment: str, name: str, manifest: str) -> LocationRecord | None:
        """The agent uploaded it whole. None when the location is gone meanwhile."""
        return self._uploaded(deployment, name, manifest=manifest, error=None)

    def record_failed(self, deployment: str, name: str, error: str) -> LocationRecord | None:
        """The agent could not load it. None when the location is gone meanwhile."""
        return self._uploaded(deployment, name, error=error)

    def forget(self, deployment: str) -> None:
        """The deployment was deleted, its rows with it."""
        with self._lock:
            self._records = {key: record for key, record in self._records.items() if key[0] != deployment}
            self._changed(deployment)

    def _deployed(self, deployment: str, document: dict[str, Any], metadata: str) -> LocationRecord:
        name, now = document["location_name"], self._clock()
        before = self._records.get((deployment, name))
        if before is None:
            return LocationRecord(deployment, name, document, metadata, now, None, True, None, None)
        # The agent compares for change, so a clock that was set back must not give an earlier time or the same one.
        later = max(now, before.metadata_timestamp + 0.001)
        return replace(before, document=document, metadata=metadata, metadata_timestamp=later, outdated=True)

    def _uploaded(self, deployment: str, name: str, **outcome: str | None) -> LocationRecord | None:
        with self._lock:
            before = self._records.get((deployment, name))
            if before is None:
                return None
            changes: dict[str, Any] = {**outcome, "uploaded_timestamp": self._clock(), "outdated": False}
            record = replace(before, **changes)
            with self._database.transaction() as connection:
                connection.execute(
                    "UPDATE locations SET uploaded_timestamp = ?, outdated = 0, manifest = ?, error = ? "
                    "WHERE deployment = ? AND name = ?",
                    (record.uploaded_timestamp, record.manifest, record.error, deployment, name),
                )
            self._records[deployment, name] = record
            self._changed(deployment)
            return record

    def _changed(self, deployment: str) -> None:
        self._lists.pop(deployment, None)
        self.version += 1


def _stored(database: Database) -> list[LocationRecord]:
    return [
        LocationRecord(**{**dict(row), "document": json.loads(row["document"]), "outdated": bool(row["outdated"])})
        for row in database.rows("SELECT * FROM locations")
    ]


def _row(record: LocationRecord) -> tuple[Any, ...]:
    return tuple({**asdict(record), "document": json.dumps(record.document), "outdated": int(record.outdated)}.values())
