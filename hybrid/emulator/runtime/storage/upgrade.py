"""Bringing the storages of another Dagster release to this one's schema, or refusing to, with what to run.

The files are never changed where they lie. They are copied, the copy is brought up to date and then takes their
place; what was there before is kept beside it under ``<folder>.of-<version>``, the newest one only. A kill at any
moment leaves one of these, and the next start goes on from it:

==========================================================  =======================================================
what lies there                                             what the next start does
==========================================================  =======================================================
the folder, and ``.upgrading`` without its version file      throws the half-made copy away and begins again
the folder, and ``.upgrading`` with its version file         as above: the folder may have been written to since
no folder, ``.upgrading`` with its version file              puts the finished copy in the folder's place
==========================================================  =======================================================

Rests on: ``client`` for the steps, which are those of ``dagster instance migrate``
(dagster/_core/instance/instance.py ``upgrade``); ``invented`` for the rest.
"""

from __future__ import annotations

import logging
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from dagster import DagsterInstance
from dagster._core.instance import InstanceRef, InstanceType
from dagster._core.launcher import DefaultRunLauncher
from dagster._core.run_coordinator import DefaultRunCoordinator
from dagster._core.storage.event_log import ConsolidatedSqliteEventLogStorage
from dagster._core.storage.event_log.sqlite import consolidated_sqlite_event_log
from dagster._core.storage.noop_compute_log_manager import NoOpComputeLogManager
from dagster._core.storage.root import LocalArtifactStorage
from dagster._core.storage.runs import SqliteRunStorage
from dagster._core.storage.schedules import SqliteScheduleStorage
from dagster._core.storage.sql import check_alembic_revision, get_alembic_config, stamp_alembic_rev
from dagster._core.storage.sqlite import LAST_KNOWN_STAMPED_SQLITE_ALEMBIC_REVISION
from dagster.version import __version__ as installed_version
from packaging.version import InvalidVersion, Version

from hybrid.emulator.errors import DataFolderError

VERSION_FILE: Final = "dagster-version"
DATABASES: Final = ("runs.db", "event_log.db", "schedules.db")

_log = logging.getLogger(__name__)


def bring_up_to_date(folder: Path) -> None:
    """Make ``folder`` one of the installed Dagster's, if it is there at all. Nobody else may have it open.

    Raises ``DataFolderError`` for a folder that a newer Dagster wrote, and for one that cannot be migrated; then
    everything lies as it was.
    """
    copy = folder.with_name(f"{folder.name}.upgrading")
    if not folder.is_dir() and (copy / VERSION_FILE).exists():
        copy.replace(folder)
    shutil.rmtree(copy, ignore_errors=True)
    if not folder.is_dir():
        return
    written_by = _version_of(folder)
    if written_by == installed_version:
        return
    _refuse_newer(folder, written_by)
    _log.info("Migrating %s from Dagster %s to %s", folder, written_by or "of unknown version", installed_version)
    try:
        _make_upgraded(folder, copy)
    except Exception as error:  # migrations run SQL and Dagster's own code; whatever fails, the original is untouched
        shutil.rmtree(copy, ignore_errors=True)
        raise _not_migrated(folder, written_by, error) from error
    _swap(folder, copy, written_by)


def mark(folder: Path) -> None:
    """Note that the files in ``folder`` are of the installed Dagster; the last thing that is written there."""
    draft = folder / f"{VERSION_FILE}.new"
    with draft.open("w") as stream:
        stream.write(installed_version)
        stream.flush()
        os.fsync(stream.fileno())
    draft.replace(folder / VERSION_FILE)


def _version_of(folder: Path) -> str | None:
    """The Dagster release that last wrote to ``folder``; None when nothing says so."""
    file = folder / VERSION_FILE
    return file.read_text().strip() if file.exists() else None


def _refuse_newer(folder: Path, written_by: str | None) -> None:
    try:
        newer = written_by is not None and Version(written_by) > Version(installed_version)
    except InvalidVersion as error:
        raise DataFolderError(
            f"{folder / VERSION_FILE} does not hold a version of Dagster.",
            why=f"It holds {written_by!r}; without it nobody knows how the files beside it are to be read.",
            next_step=_ways_out("the version of Dagster that wrote them", folder),
        ) from error
    if newer:
        raise DataFolderError(
            f"The runs and events in {folder} were written by Dagster {written_by}; installed is {installed_version}.",
            why="Dagster's storages can be brought forward, not back.",
            next_step=_ways_out(f"dagster=={written_by}", folder),
        )


def _not_migrated(folder: Path, written_by: str | None, error: Exception) -> DataFolderError:
    origin = f"dagster=={written_by}" if written_by else "the version of Dagster that wrote them"
    return DataFolderError(
        f"The runs and events in {folder} could not be migrated to Dagster {installed_version}; they are as they were.",
        why=f"{type(error).__name__}: {error}",
        next_step=_ways_out(origin, folder),
    )


def _ways_out(version: str, folder: Path) -> str:
    return (
        f"put {version} back (`make setup` with the requirements.lock that names it), or begin without these runs: "
        f"`hybrid down`, then `mv {folder} {folder}.old`, then `hybrid up`."
    )


def _make_upgraded(folder: Path, copy: Path) -> None:
    shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("*.db", "*.db-wal", "*.db-shm", f"{VERSION_FILE}*"))
    for name in DATABASES:
        with closing(sqlite3.connect(folder / name)) as source, closing(sqlite3.connect(copy / name)) as target:
            source.backup(target)  # with what is still in the write-ahead log
            target.execute("PRAGMA journal_mode=WAL")
    stamp_events(copy, LAST_KNOWN_STAMPED_SQLITE_ALEMBIC_REVISION)
    instance = DagsterInstance(
        instance_type=InstanceType.PERSISTENT,
        local_artifact_storage=LocalArtifactStorage(str(copy)),
        run_storage=SqliteRunStorage(f"sqlite:///{copy / 'runs.db'}"),
        event_storage=ConsolidatedSqliteEventLogStorage(str(copy)),
        schedule_storage=SqliteScheduleStorage(f"sqlite:///{copy / 'schedules.db'}"),
        run_coordinator=DefaultRunCoordinator(),
        compute_log_manager=NoOpComputeLogManager(),
        run_launcher=DefaultRunLauncher(),
        settings={"telemetry": {"enabled": False}},
        ref=InstanceRef.from_dir(str(copy)),
    )
    instance.upgrade()
    mark(copy)


def stamp_events(folder: Path, revision: str) -> None:
    """Stamp the event log, if it is not, as Dagster does with run storages that it left without their stamp.

    Dagster's consolidated event log writes its stamp into a transaction that it never commits
    (dagster/_core/storage/event_log/sqlite/consolidated_sqlite_event_log.py ``_init_db``); unstamped files would be
    migrated from release 0.6 on, which fails.
    """
    events = ConsolidatedSqliteEventLogStorage(str(folder))
    config = get_alembic_config(consolidated_sqlite_event_log.__file__)
    with events._connect() as connection:
        if check_alembic_revision(config, connection)[0] is None:
            stamp_alembic_rev(config, connection, revision)


def _swap(folder: Path, copy: Path, written_by: str | None) -> None:
    for kept in folder.parent.glob(f"{folder.name}.of-*"):
        shutil.rmtree(kept, ignore_errors=True)
    folder.replace(folder.with_name(f"{folder.name}.of-{written_by or 'unknown'}"))
    copy.replace(folder)
