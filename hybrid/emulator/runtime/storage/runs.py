"""Dagster's SQLite run and schedule storages over a pooled database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dagster._core.storage.runs import SqliteRunStorage
from dagster._core.storage.schedules import SqliteScheduleStorage
from sqlalchemy.engine import Connection

from hybrid.emulator.runtime.storage.database import Database


class _Pooled:
    """Instead of an engine a call: one database for all of them, at ``path``, which exists."""

    def __init__(self, path: Path) -> None:
        self.database = Database(path)
        super().__init__(f"sqlite:///{path}")  # type: ignore[call-arg]  # Dagster's storage, which comes next

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        with self.database.connect() as connection:
            yield connection

    def dispose(self) -> None:
        self.database.dispose()


class PooledRunStorage(_Pooled, SqliteRunStorage):
    """Runs, their tags, snapshots, backfills and daemon heartbeats in ``runs.db``."""


class PooledScheduleStorage(_Pooled, SqliteScheduleStorage):
    """Schedules' and sensors' state and ticks in ``schedules.db``."""
