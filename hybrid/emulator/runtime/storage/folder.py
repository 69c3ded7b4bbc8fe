"""The folder with Dagster's three SQLite files: made whole or not at all, opened without Alembic."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from dagster._core.events.log import EventLogEntry
from dagster._core.storage.event_log import ConsolidatedSqliteEventLogStorage
from dagster._core.storage.runs import SqliteRunStorage
from dagster._core.storage.schedules import SqliteScheduleStorage
from dagster._time import datetime_from_timestamp

from hybrid.emulator.runtime.storage.events import JournaledEventLogStorage
from hybrid.emulator.runtime.storage.runs import PooledRunStorage, PooledScheduleStorage
from hybrid.emulator.runtime.storage.upgrade import bring_up_to_date, mark, stamp_events


@dataclass(frozen=True)
class Storages:
    """The storages of one Dagster instance."""

    folder: Path
    runs: PooledRunStorage
    events: JournaledEventLogStorage
    schedules: PooledScheduleStorage

    def dispose(self) -> None:
        self.events.dispose()
        self.runs.dispose()
        self.schedules.dispose()


def open_storages(folder: Path) -> Storages:
    """Open the storages in ``folder``, made first if it is not there, and finish what a killed process left undone.

    Raises ``DataFolderError`` for what another release of Dagster wrote and this one cannot read.
    """
    bring_up_to_date(folder)
    if not folder.is_dir():
        _make(folder)
    storages = Storages(
        folder=folder,
        runs=PooledRunStorage(folder / "runs.db"),
        events=JournaledEventLogStorage(folder / "event_log.db"),
        schedules=PooledScheduleStorage(folder / "schedules.db"),
    )

    def move_run_status(event: EventLogEntry) -> None:
        storages.runs.handle_run_event(
            event.run_id, event.get_dagster_event(), datetime_from_timestamp(event.timestamp)
        )

    storages.events.move_run_status_with(move_run_status)
    storages.events.settle_interrupted()
    return storages


def _make(folder: Path) -> None:
    """Dagster makes and stamps its files in several steps; under another name, so that half of them is never seen."""
    fresh = folder.with_name(f"{folder.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    SqliteRunStorage.from_local(str(fresh)).dispose()
    SqliteScheduleStorage.from_local(str(fresh)).dispose()
    ConsolidatedSqliteEventLogStorage(str(fresh)).dispose()  # type: ignore[no-untyped-call]
    stamp_events(fresh, "head")
    mark(fresh)
    fresh.replace(folder)
