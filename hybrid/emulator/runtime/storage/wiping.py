"""Forgetting single partitions of an asset, which Dagster's own SQLite event log cannot.

Rests on ``client``: ``wipe_asset_partitions`` of dagster/_core/storage/event_log/base.py, "remove asset index history
from event log for given asset partitions". What a reader then sees is ``invented`` after what ``wipe_asset`` shows:

- who asks by asset (materializations, observations, planned and failed ones, checks, tags, partition counts and
  statuses) no longer finds anything of these partitions;
- who asks by run finds every event where it was: events leave the asset's index, none is deleted;
- the asset's row says what the newest events that are left say; when none is left, it is as if wiped whole.

A planned materialization of many partitions at once names them in its body only; it stays.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import sqlalchemy
from dagster._core.event_api import EventLogRecord
from dagster._core.events import DagsterEventType
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.event_log.schema import (
    AssetCheckExecutionsTable,
    AssetEventTagsTable,
    AssetKeyTable,
    SqlEventLogStorageTable,
)
from dagster._serdes import deserialize_value, serialize_value
from sqlalchemy.engine import Connection

KEYS_AT_ONCE: Final = 500
"""Partition keys in one statement; SQLite takes 32,766 parameters."""

_MATERIALIZED: Final = DagsterEventType.ASSET_MATERIALIZATION.value
_PLANNED: Final = DagsterEventType.ASSET_MATERIALIZATION_PLANNED.value
_OBSERVED: Final = DagsterEventType.ASSET_OBSERVATION.value
_EVENTS: Final = SqlEventLogStorageTable.c


def forget_partitions(connection: Connection, asset_key: str, partitions: Sequence[str]) -> None:
    """Take what belongs to ``partitions`` out of the index of the asset, whose key is given as the database has it."""
    for keys in _in_parts(partitions):
        of_partitions = (_EVENTS.asset_key == asset_key) & _EVENTS.partition.in_(keys)
        connection.execute(
            sqlalchemy.delete(AssetEventTagsTable).where(
                AssetEventTagsTable.c.event_id.in_(sqlalchemy.select(_EVENTS.id).where(of_partitions))
            )
        )
        connection.execute(
            sqlalchemy.delete(AssetCheckExecutionsTable)
            .where(AssetCheckExecutionsTable.c.asset_key == asset_key)
            .where(AssetCheckExecutionsTable.c.partition.in_(keys))
        )
        connection.execute(
            sqlalchemy.update(SqlEventLogStorageTable).where(of_partitions).values(asset_key=None, partition=None)
        )


def _in_parts(partitions: Sequence[str]) -> Iterator[Sequence[str]]:
    for first in range(0, len(partitions), KEYS_AT_ONCE):
        yield partitions[first : first + KEYS_AT_ONCE]


def write_row_anew(connection: Connection, asset_key: str, wiped_whole: Mapping[str, Any]) -> None:
    """Make the asset's row say what its events say now. ``wiped_whole`` is for an asset that has none left."""
    row = connection.execute(
        sqlalchemy.select(AssetKeyTable.c.wipe_timestamp).where(AssetKeyTable.c.asset_key == asset_key)
    ).first()
    if row is None:
        return
    materialized = _newest(connection, asset_key, [_MATERIALIZED], row.wipe_timestamp)
    newest_of_run = _newest(connection, asset_key, [_MATERIALIZED, _PLANNED], row.wipe_timestamp)
    seen = _last_seen(connection, asset_key, row.wipe_timestamp)
    values = {
        "last_materialization": serialize_value(materialized) if materialized else None,
        "last_run_id": newest_of_run.event_log_entry.run_id if newest_of_run else None,
        "last_materialization_timestamp": seen,
        "cached_status_data": None,
    }
    connection.execute(
        sqlalchemy.update(AssetKeyTable)
        .where(AssetKeyTable.c.asset_key == asset_key)
        .values(values if seen is not None else dict(wiped_whole))
    )


def _newest(connection: Connection, asset_key: str, kinds: Sequence[str], wiped: Any) -> EventLogRecord | None:
    query = (
        sqlalchemy.select(_EVENTS.id, _EVENTS.event)
        .where(_EVENTS.asset_key == asset_key)
        .where(_EVENTS.dagster_event_type.in_(kinds))
        .order_by(_EVENTS.id.desc())
        .limit(1)
    )
    row = connection.execute(query if wiped is None else query.where(_EVENTS.timestamp > wiped)).first()
    return None if row is None else EventLogRecord(row.id, deserialize_value(row.event, EventLogEntry))


def _last_seen(connection: Connection, asset_key: str, wiped: Any) -> Any:
    """The time of the newest event by which an asset counts as seen (dagster's ``_get_asset_entry_values``)."""
    query = (
        sqlalchemy.select(sqlalchemy.func.max(_EVENTS.timestamp))
        .where(_EVENTS.asset_key == asset_key)
        .where(_EVENTS.dagster_event_type.in_([_MATERIALIZED, _PLANNED, _OBSERVED]))
    )
    return connection.execute(query if wiped is None else query.where(_EVENTS.timestamp > wiped)).scalar_one()
