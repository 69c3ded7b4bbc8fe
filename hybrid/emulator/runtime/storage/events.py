"""Dagster's event log in one SQLite file, in which every event that was acknowledged is stored exactly once.

A write goes through these steps; a kill between any two leaves what is written beside it:

1. one transaction in ``event_log.db``: the events, what they change about assets and checks, the idempotency key, and
   which of them still have to move their run's status. Killed before its commit: nothing is stored, and the client,
   which has no answer, sends the same again.
2. one transaction a run event in ``runs.db``: the run's status (``client``: dagster_cloud's event log storage
   declares ``handles_run_events_in_store_event``, so whoever stores the event moves the status).
   Killed before it: ``settle_interrupted`` does it at the next start, before anything is served. Failed before it,
   say for want of room: the next write does it first.
3. the key is marked as settled. Killed before it: step 2 is done again, to the same end.

The answer is sent after step 3. A key seen before stores nothing and, if need be, does steps 2 and 3. Whenever step 2
comes late, the run's later events are done again after it, so that an old event never has the last word.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Final, Literal
from uuid import uuid4

import sqlalchemy
from dagster._core.definitions.events import AssetKey
from dagster._core.event_api import AssetRecordsFilter, EventLogCursor, EventLogRecord, EventRecordsResult
from dagster._core.events import PIPELINE_EVENTS, DagsterEventType
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.event_log import ConsolidatedSqliteEventLogStorage
from dagster._core.storage.event_log.base import EventLogConnection
from dagster._core.storage.event_log.schema import SqlEventLogStorageTable
from dagster._serdes import deserialize_value
from sqlalchemy.engine import Connection

from hybrid.emulator.runtime.storage.database import Database
from hybrid.emulator.runtime.storage.deliveries import Deliveries
from hybrid.emulator.runtime.storage.watchers import Callback, Watchers
from hybrid.emulator.runtime.storage.wiping import KEYS_AT_ONCE, forget_partitions, write_row_anew

MoveRunStatus = Callable[[EventLogEntry], None]
KindOfAssetEvent = Literal[DagsterEventType.ASSET_MATERIALIZATION_PLANNED, DagsterEventType.ASSET_FAILED_TO_MATERIALIZE]

FORGET_EVERY: Final = 5_000
"""After so many event writes old keys are dropped."""

_MOVING_RUNS: Final = [kind.value for kind in PIPELINE_EVENTS]

_log = logging.getLogger(__name__)
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
        self._left_undone = False
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
        """Finish what a killed process or a failed write left undone; returns how many deliveries that were."""
        with self._run_events:
            with self.database.transaction() as connection:
                left = Deliveries.unsettled(connection)
            for delivery in left:
                self._settle(delivery.key, self._moving_since(delivery.unsettled))
            self._left_undone = False
        return len(left)

    def _take(self, key: str | None, events: Sequence[EventLogEntry]) -> None:
        if self._left_undone:
            self.settle_interrupted()
        with self.database.transaction() as connection:
            known = Deliveries.find(connection, key) if key else None
            unsettled = [] if known else self._store_all(connection, events)
            if key and not known:
                Deliveries.take(connection, key, unsettled)
        if known and known.unsettled and key:
            self._settle(key, self._moving_since(known.unsettled))
        elif unsettled and key:
            self._settle(key, [event for event in events if _moves_run(event)], late=False)
        self._forget_sometimes()

    def _store_all(self, connection: Connection, events: Sequence[EventLogEntry]) -> list[int]:
        unsettled = []
        for event in events:
            super().store_event(event)
            if _moves_run(event):
                newest = connection.execute(sqlalchemy.select(sqlalchemy.func.max(SqlEventLogStorageTable.c.id)))
                unsettled.append(int(newest.scalar_one()))
        return unsettled

    def _settle(self, key: str, events: Sequence[EventLogEntry], *, late: bool = True) -> None:
        """Steps 2 and 3. What fails for want of room is done again; what cannot succeed is told once, and let be."""
        impossible: Exception | None = None
        try:
            for event in events:
                try:
                    self._move_run_status(event)
                except (sqlalchemy.exc.OperationalError, OSError):
                    raise
                except Exception as error:  # Dagster's refusal: a run without origin cannot be queued, for one
                    _log.warning("Event %s cannot move run %s: %s", event.dagster_event_type, event.run_id, error)
                    impossible = error
            with self.database.transaction() as connection:
                Deliveries.settle(connection, key)
        except BaseException:
            self._left_undone = True
            raise
        if impossible is not None and not late:
            raise impossible

    def _moving_since(self, ids: Sequence[int]) -> list[EventLogEntry]:
        """The events that move the runs of the events ``ids``, from each run's first of these on, as stored."""
        table = SqlEventLogStorageTable.c
        firsts = sqlalchemy.select(table.run_id, sqlalchemy.func.min(table.id)).where(table.id.in_(ids))
        found: list[EventLogEntry] = []
        with self.database.connect() as connection:
            for run_id, first in connection.execute(firsts.group_by(table.run_id)).all():
                query = (
                    sqlalchemy.select(table.event)
                    .where(table.run_id == run_id)
                    .where(table.id >= first)
                    .where(table.dagster_event_type.in_(_MOVING_RUNS))
                    .order_by(table.id)
                )
                found += [deserialize_value(row.event, EventLogEntry) for row in connection.execute(query)]
        return found

    def _forget_sometimes(self) -> None:
        self._written += 1
        if self._written % FORGET_EVERY == 0:
            with self.database.transaction() as connection:
                Deliveries.forget_old(connection, time.time())

    # -- assets -----------------------------------------------------------------------------------------------------

    @property
    def can_store_asset_failure_events(self) -> bool:
        """The client says so of the storage that it talks to; without it, what workers send would be dropped."""
        return True

    def fetch_failed_materializations(
        self,
        records_filter: AssetKey | AssetRecordsFilter,
        limit: int,
        cursor: str | None = None,
        ascending: bool = False,
    ) -> EventRecordsResult:
        return self.fetch_of_kind(
            DagsterEventType.ASSET_FAILED_TO_MATERIALIZE, records_filter, limit, cursor, ascending=ascending
        )

    def fetch_of_kind(
        self,
        kind: KindOfAssetEvent,
        wanted: AssetKey | AssetRecordsFilter,
        limit: int,
        cursor: str | None,
        *,
        ascending: bool,
    ) -> EventRecordsResult:
        """What Dagster's ``fetch_materializations`` does, for the kinds of asset events that have no such method."""
        wanted = AssetRecordsFilter(wanted) if isinstance(wanted, AssetKey) else wanted
        records = self._get_event_records(wanted.to_event_records_filter(kind, cursor, ascending), limit, ascending)
        if records:
            cursor = EventLogCursor.from_storage_id(records[-1].storage_id).to_string()
        nothing_yet = EventLogCursor.from_storage_id(-1).to_string()
        return EventRecordsResult(records, cursor=cursor or nothing_yet, has_more=len(records) == limit)

    def newest_by_asset(self, keys: Sequence[AssetKey], kind: DagsterEventType) -> dict[AssetKey, EventLogRecord]:
        """Each asset's newest event of a kind since it was last wiped; those without one are left out."""
        table, found = SqlEventLogStorageTable.c, {}
        for first in range(0, len(keys), KEYS_AT_ONCE):
            some = keys[first : first + KEYS_AT_ONCE]
            newest: Any = (
                sqlalchemy.select(sqlalchemy.func.max(table.id))
                .where(table.asset_key.in_([key.to_string() for key in some]))
                .where(table.dagster_event_type == kind.value)
                .group_by(table.asset_key)
            )
            newest = self._add_assets_wipe_filter_to_query(newest, self._get_assets_details(some), some)
            query = sqlalchemy.select(table.id, table.asset_key, table.event).where(table.id.in_(newest))
            with self.database.connect() as connection:
                for row in connection.execute(query):
                    key = AssetKey.from_db_string(row.asset_key)
                    if key is not None:
                        found[key] = EventLogRecord(row.id, deserialize_value(row.event, EventLogEntry))
        return found

    def wipe_asset_partitions(self, asset_key: AssetKey, partition_keys: Sequence[str]) -> None:
        """See ``wiping``. One transaction."""
        with self.database.transaction() as connection:
            forget_partitions(connection, asset_key.to_string(), partition_keys)
            write_row_anew(connection, asset_key.to_string(), self._get_asset_key_values_on_wipe())

    def _records_after(self, run_id: str, cursor: str | None) -> EventLogConnection:
        return self.get_records_for_run(run_id, cursor)


def _moves_run(event: EventLogEntry) -> bool:
    return event.dagster_event is not None and event.dagster_event.is_job_event


def _unset(event: EventLogEntry) -> None:
    raise RuntimeError(f"An event of run {event.run_id} was stored before the storage knew how to move a run's status.")
