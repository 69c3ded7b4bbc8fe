"""Which event writes have been taken, by their ``Idempotency-Key``, in the database that holds the events.

The client puts a fresh ``Idempotency-Key`` on each event write and sends the same again on each of its retries
(``client``: dagster_cloud/storage/event_logs/storage.py ``store_event``, dagster_cloud_cli/core/graphql_client.py).
The key is written in the same transaction as the event, so there is no moment in which one is stored and the other
is not. What follows from an event in the *other* database, the run's status, is noted in the same row until done.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import sqlalchemy
from sqlalchemy.engine import Connection

KEPT_SECONDS: Final = 86_400.0
"""How long a key is remembered. The client gives up within minutes; a day leaves room for one that was suspended."""

KEPT_AT_LEAST: Final = 100_000
"""So many newest keys are remembered whatever the clock says: one that is put forward must not make a retry, which
was sent minutes after its first try, look a day late. About 12 MB."""

KEPT_AT_MOST: Final = 1_000_000
"""Older ones are dropped whatever the clock says: one that is put back must not keep keys for years."""

_metadata = sqlalchemy.MetaData()
DELIVERIES: Final = sqlalchemy.Table(
    "hybrid_deliveries",
    _metadata,
    sqlalchemy.Column("key", sqlalchemy.Text, primary_key=True),
    sqlalchemy.Column("received", sqlalchemy.Float, nullable=False),
    sqlalchemy.Column("unsettled", sqlalchemy.Text, nullable=True),
)
"""``unsettled``: a JSON list of ids in ``event_logs`` whose run status has still to be moved; null when all is done."""

_rowid = sqlalchemy.literal_column("hybrid_deliveries.rowid", sqlalchemy.Integer)
"""SQLite numbers rows as they come, one above the highest that there is; the newest is never dropped."""


@dataclass(frozen=True)
class Delivery:
    """An event write that has been taken before."""

    key: str
    unsettled: tuple[int, ...]


class Deliveries:
    """The table of taken event writes. Every method works on a connection that is within a write transaction."""

    @staticmethod
    def create(connection: Connection) -> None:
        _metadata.create_all(connection)

    @staticmethod
    def find(connection: Connection, key: str) -> Delivery | None:
        row = connection.execute(sqlalchemy.select(DELIVERIES).where(DELIVERIES.c.key == key)).first()
        return None if row is None else Delivery(row.key, tuple(json.loads(row.unsettled or "[]")))

    @staticmethod
    def take(connection: Connection, key: str, unsettled: Sequence[int]) -> None:
        noted = json.dumps(list(unsettled)) if unsettled else None
        connection.execute(sqlalchemy.insert(DELIVERIES).values(key=key, received=time.time(), unsettled=noted))

    @staticmethod
    def settle(connection: Connection, key: str) -> None:
        connection.execute(sqlalchemy.update(DELIVERIES).where(DELIVERIES.c.key == key).values(unsettled=None))

    @staticmethod
    def unsettled(connection: Connection) -> list[Delivery]:
        """What a killed process left undone, in the order in which it was taken."""
        rows = connection.execute(sqlalchemy.select(DELIVERIES).where(DELIVERIES.c.unsettled.is_not(None)))
        deliveries = [Delivery(row.key, tuple(json.loads(row.unsettled))) for row in rows]
        return sorted(deliveries, key=lambda delivery: delivery.unsettled)

    @staticmethod
    def forget_old(connection: Connection, now: float) -> None:
        """Drop keys that no client can still be retrying. Keys count as old by the order in which they came."""
        newest = (
            connection.execute(sqlalchemy.select(sqlalchemy.func.max(_rowid)).select_from(DELIVERIES)).scalar() or 0
        )
        late = DELIVERIES.c.received < now - KEPT_SECONDS
        connection.execute(
            sqlalchemy.delete(DELIVERIES)
            .where(DELIVERIES.c.unsettled.is_(None))
            .where(((_rowid <= newest - KEPT_AT_LEAST) & late) | (_rowid <= newest - KEPT_AT_MOST))
        )
