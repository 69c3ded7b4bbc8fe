"""Dagster's event log in one SQLite file, in which every event that was acknowledged is stored exactly once.

A write goes through these steps; a kill between any two leaves what is written beside it:

1. one transaction in ``event_log.db``: the events, what they change about assets and checks, the idempotency key, and
   which of them still have to move their run's status. Killed before its commit: nothing is stored, and the client,
   which has no answer, sends the same again.
2. one transaction a run event in ``runs.db``: the run's status (``schema``: the client declares
   ``handles_run_events_in_store_event``, so whoever stores the event moves the status).
   Killed before it: ``settle_interrupted`` does it at the next start, before anything is served.
3. the key is marked as settled. Killed before it: step 2 is done again, to the same end.

The answer is sent after step 3. A key seen before stores nothing and, if need be, does steps 2 and 3.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Final
from uuid import uuid4

import sqlalchemy
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.event_log import ConsolidatedSqliteEventLogStorage
from dagster._core.storage.event_log.base import EventLogConnection
from dagster._core.storage.event_log.schema import SqlEventLogStorageTable
from dagster._serdes import deserialize_value
from sqlalchemy.engine import Connection

from hybrid.emulator.runtime.storage.database import Database
from hybrid.emulator.runtime.storage.deliveries import Deliveries
from hybrid.emulator.runtime.storage.watchers import Callback, Watchers

MoveRunStatus = Callable[[EventLogEntry], None]

FORGET_EVERY: Final = 5_000
"""After so many event writes old keys are dropped."""

_delivery_key: ContextVar[str | None] = ContextVar("delivery_key", default=None)


@contextmanager
def delivered_as(key: str | None) -> Iterator[None]:
    """Within the block event writes of this thread are the one delivery ``key``; None stores without remembering."""
    token = _delivery_key.set(key)
    try:
        yield
    finally:
        _delivery_key.reset(token)


class JournaledEventLogStorage(ConsolidatedSqliteEventLogStorage):
    """The event log in ``event_log.db``, which exists. ``move_run_status`` is given before the first write."""

    def __init__(self, path: Path) -> None:
        self.database = Database(path)
        self._run_events = threading.RLock()
        self._written = 0
        self._move_run_status: MoveRunStatus = _unset
        self._asset_key_columns: dict[str, bool] = {}
        self._watching = Watchers(self._records_after)
        super().__init__(str(path.parent))
        with self.database.transaction() as connection:
            Deliveries.create(connection)
            Deliveries.forget_old(connection, time.time())

    # -- what Dagster's storage asks of its backend ------------------------------------------------------------------

    @contextmanager
    def _connect(self) -> Iterator[Connection]:
        with self.database.connect() as connection:
            yield connection

    def has_table(self, table_name: str) -> bool:
        return self.database.has_table(table_name)

    def _has_asset_key_col_on_connection(self, conn: Connection, column_name: str) -> bool:
        if column_name not in self._asset_key_columns:
            self._asset_key_columns[column_name] = super()._has_asset_key_col_on_connection(conn, column_name)
        return self._asset_key_columns[column_name]

    @property
    def handles_run_events_in_store_event(self) -> bool:
        return True

    def watch(self, run_id: str, cursor: str | None, callback: Callback) -> None:
        self._watching.add(run_id, cursor, callback)

    def end_watch(self, run_id: str, handler: Callback) -> None:
        self._watching.remove(run_id, handler)

    def dispose(self) -> None:
        self.database.dispose()

    # -- events, once each ------------------------------------------------------------------------------------------

    def move_run_status_with(self, move_run_status: MoveRunStatus) -> None:
        """``move_run_status(event)`` moves the run's status and is safe to repeat."""
        self._move_run_status = move_run_status

    def store_event(self, event: EventLogEntry) -> None:
        self.store_event_batch([event])

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Store all events or none, once for the delivery that is current."""
        key = _delivery_key.get()
        if any(_moves_run(event) for event in events):
            # Two events of one run must not move its status in the other order than they are stored.
            with self._run_events:
                self._take(key or f"emulator:{uuid4()}", events)
        else:
            self._take(key, events)
        for run_id in {event.run_id for event in events}:
            self._watching.tell(run_id)

    def settle_interrupted(self) -> int:
        """Finish what a killed process left undone; returns how many deliveries that were."""
        with self.database.transaction() as connection:
            left = Deliveries.unsettled(connection)
        for delivery in left:
            self._settle(delivery.key, self._events_by_id(delivery.unsettled))
        return len(left)

    def _take(self, key: str | None, events: Sequence[EventLogEntry]) -> None:
        with self.database.transaction() as connection:
            known = Deliveries.find(connection, key) if key else None
            unsettled = [] if known else self._store_all(connection, events)
            if key and not known:
                Deliveries.take(connection, key, unsettled)
        if known and known.unsettled and key:
            self._settle(key, self._events_by_id(known.unsettled))
        elif unsettled and key:
            self._settle(key, [event for event in events if _moves_run(event)])
        self._forget_sometimes()

    def _store_all(self, connection: Connection, events: Sequence[EventLogEntry]) -> list[int]:
        unsettled = []
        for event in events:
            super().store_event(event)
            if _moves_run(event):
                newest = connection.execute(sqlalchemy.select(sqlalchemy.func.max(SqlEventLogStorageTable.c.id)))
                unsettled.append(int(newest.scalar_one()))
        return unsettled

    def _settle(self, key: str, events: Sequence[EventLogEntry]) -> None:
        for event in events:
            self._move_run_status(event)
        with self.database.transaction() as connection:
            Deliveries.settle(connection, key)

    def _events_by_id(self, ids: Sequence[int]) -> list[EventLogEntry]:
        table = SqlEventLogStorageTable
        query = sqlalchemy.select(table.c.event).where(table.c.id.in_(ids)).order_by(table.c.id)
        with self.database.connect() as connection:
            return [deserialize_value(row.event, EventLogEntry) for row in connection.execute(query)]

    def _forget_sometimes(self) -> None:
        self._written += 1
        if self._written % FORGET_EVERY == 0:
            with self.database.transaction() as connection:
                Deliveries.forget_old(connection, time.time())

    def _records_after(self, run_id: str, cursor: str | None) -> EventLogConnection:
        return self.get_records_for_run(run_id, cursor)


def _moves_run(event: EventLogEntry) -> bool:
    return event.dagster_event is not None and event.dagster_event.is_job_event


def _unset(event: EventLogEntry) -> None:
    raise RuntimeError(f"An event of run {event.run_id} was stored before the storage knew how to move a run's status.")
