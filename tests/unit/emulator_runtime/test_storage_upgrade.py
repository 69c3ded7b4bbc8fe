"""Storages of another Dagster release are migrated or refused, and a kill in the middle loses nothing.

The older folder is made by Dagster's own migration scripts, run backwards to what release 1.5 had. Cannot prove what a
release that is not out yet will change.
"""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from dagster import DagsterRunStatus
from dagster._core.storage.event_log.sqlite import consolidated_sqlite_event_log
from dagster._core.storage.runs.sqlite import sqlite_run_storage
from dagster._core.storage.runs.sqlite.sqlite_run_storage import SqliteRunStorage
from dagster._core.storage.sql import get_alembic_config, run_alembic_downgrade
from dagster.version import __version__ as installed_version

from hybrid.emulator.errors import DataFolderError
from hybrid.emulator.runtime.storage import open_storages, upgrade
from hybrid.emulator.runtime.storage.events import delivered_as

pytestmark = pytest.mark.unit

OLDER_REVISION = "5771160a95ad"
"""Before asset check executions, limits of pools and backfill ids of runs came (alembic/versions/040)."""

KILLED_AT = (
    "after the copy",
    "after the runs",
    "after the events",
    "before the mark",
    "after the mark",
    "between the two moves",
    "after the moves",
)

UPGRADING_PROCESS = """
import os, signal, sys
from pathlib import Path
from hybrid.emulator.runtime.storage import open_storages, upgrade

moment = sys.argv[2]
def killed_after(owner, name, times=1):
    original, calls = getattr(owner, name), []
    def step(*arguments, **named):
        result = original(*arguments, **named)
        calls.append(1)
        if len(calls) == times:
            os.kill(os.getpid(), signal.SIGKILL)
        return result
    setattr(owner, name, step)
def killed_before(owner, name):
    setattr(owner, name, lambda *arguments: os.kill(os.getpid(), signal.SIGKILL))

if moment == "after the copy":
    killed_after(upgrade.shutil, "copytree")
elif moment == "after the runs":
    killed_after(upgrade.SqliteRunStorage, "upgrade")
elif moment == "after the events":
    killed_after(upgrade.ConsolidatedSqliteEventLogStorage, "upgrade")
elif moment == "before the mark":
    killed_before(upgrade, "mark")
elif moment == "after the mark":
    killed_after(upgrade, "mark")
elif moment == "between the two moves":
    killed_after(Path, "replace", times=2)  # the first is the mark's
elif moment == "after the moves":
    killed_after(Path, "replace", times=3)
open_storages(Path(sys.argv[1]))
"""


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory, made_storages: Path) -> Path:
    """A folder with a finished run of three events, at the schema of an older release and marked as of it."""
    folder = tmp_path_factory.mktemp("older") / "storage"
    shutil.copytree(made_storages, folder)
    fill(folder)
    (folder / "artifact").write_text("kept")
    run_storage = SqliteRunStorage(f"sqlite:///{folder / 'runs.db'}")
    events = consolidated_sqlite_event_log.ConsolidatedSqliteEventLogStorage(str(folder))
    for module, connect in (
        (sqlite_run_storage, run_storage.connect),
        (consolidated_sqlite_event_log, events._connect),
    ):
        with connect() as connection:
            run_alembic_downgrade(get_alembic_config(module.__file__), connection, OLDER_REVISION)
    (folder / upgrade.VERSION_FILE).write_text("1.5.0")
    return folder


def fill(folder: Path) -> None:
    from dagster import DagsterRun
    from dagster._core.events import DagsterEvent
    from dagster._core.events.log import EventLogEntry

    storages = open_storages(folder)
    storages.runs.add_run(DagsterRun(job_name="job", run_id="run"))
    for number, kind in enumerate(["PIPELINE_START", None, "PIPELINE_SUCCESS"]):
        event = DagsterEvent(kind, "job", message="m") if kind else None
        entry = EventLogEntry(None, 20, f"event {number}", "run", 1_000.0 + number, None, "job", event)
        with delivered_as(f"key {number}"):
            storages.events.store_event(entry)
    storages.dispose()


@pytest.fixture
def folder(tmp_path: Path, older: Path) -> Path:
    shutil.copytree(older, tmp_path / "storage")
    return tmp_path / "storage"


def check_whole(folder: Path, make_event: Callable[..., Any]) -> None:
    """Everything of the older folder is there, at the schema of the installed release, and it can be written to."""
    storages = open_storages(folder)
    texts = [record.event_log_entry.user_message for record in storages.events.get_records_for_run("run").records]
    assert texts == ["event 0", "event 1", "event 2"], "no event may be lost on the way"
    run = storages.runs.get_runs()[0]
    assert (run.run_id, run.status) == ("run", DagsterRunStatus.SUCCESS)
    assert storages.events.supports_global_concurrency_limits, "a table that the older release had not"
    assert storages.events.get_pool_limits() == []
    with delivered_as("key 1"):
        storages.events.store_event(make_event("run", "repeated"))
    assert storages.events.get_maximum_record_id() == 3, "a delivery that was taken before stays taken"
    storages.dispose()
    for name in upgrade.DATABASES:
        with closing(sqlite3.connect(folder / name)) as database:
            assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert (folder / upgrade.VERSION_FILE).read_text() == installed_version
    assert (folder / "artifact").read_text() == "kept", "what else lies in the folder comes along"


def test_the_older_folder_is_older(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "event_log.db")) as database:
        tables = {row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert "concurrency_limits" not in tables, "these tests prove nothing of a folder that has nothing to migrate"
    with closing(sqlite3.connect(folder / "runs.db")) as database:
        columns = {row[1] for row in database.execute("PRAGMA table_info(runs)")}
    assert "backfill_id" not in columns


def test_storages_of_an_older_release_are_migrated_and_a_copy_is_kept(
    folder: Path, make_event: Callable[..., Any]
) -> None:
    check_whole(folder, make_event)
    kept = folder.with_name("storage.of-1.5.0")
    assert (kept / upgrade.VERSION_FILE).read_text() == "1.5.0", "the way back is there"
    assert not folder.with_name("storage.upgrading").exists()
    check_whole(folder, make_event)


def test_storages_that_do_not_say_their_release_are_migrated(folder: Path, make_event: Callable[..., Any]) -> None:
    (folder / upgrade.VERSION_FILE).unlink()
    check_whole(folder, make_event)


def test_an_event_log_without_its_stamp_is_migrated(folder: Path, make_event: Callable[..., Any]) -> None:
    with closing(sqlite3.connect(folder / "event_log.db")) as database, database:
        database.execute("DELETE FROM alembic_version")
    check_whole(folder, make_event)


@pytest.mark.parametrize("moment", KILLED_AT)
def test_a_migration_that_is_killed_goes_on_at_the_next_start(
    folder: Path, make_event: Callable[..., Any], moment: str
) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    process = subprocess.run(
        [sys.executable, "-c", UPGRADING_PROCESS, str(folder), moment], env=environment, timeout=60
    )
    assert process.returncode == -signal.SIGKILL, f"{moment}: it has to have been killed for this to prove anything"
    check_whole(folder, make_event)


def test_storages_of_a_newer_release_are_refused_with_what_to_do_and_stay_as_they_are(folder: Path) -> None:
    (folder / upgrade.VERSION_FILE).write_text("99.1.0")
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    with pytest.raises(DataFolderError) as refused:
        open_storages(folder)
    words = refused.value.sentence()
    assert "written by Dagster 99.1.0" in words
    assert installed_version in words
    assert "dagster==99.1.0" in words, "the one way out"
    assert "hybrid down" in words, "the other"
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before, "a refusal changes nothing"


def test_a_version_that_is_none_is_refused(folder: Path) -> None:
    (folder / upgrade.VERSION_FILE).write_text("not a version")
    with pytest.raises(DataFolderError, match="does not hold a version"):
        open_storages(folder)


def test_a_migration_that_fails_leaves_everything_as_it_was(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_storage: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(upgrade.ConsolidatedSqliteEventLogStorage, "upgrade", fails)
    before = (folder / "runs.db").read_bytes()
    with pytest.raises(DataFolderError, match="they are as they were") as refused:
        open_storages(folder)
    assert "database or disk is full" in refused.value.sentence()
    assert (folder / "runs.db").read_bytes() == before
    assert (folder / upgrade.VERSION_FILE).read_text() == "1.5.0"
    assert not folder.with_name("storage.upgrading").exists(), "a half-made copy only takes room"


def test_storages_of_this_release_are_opened_without_a_copy(folder: Path, make_event: Callable[..., Any]) -> None:
    check_whole(folder, make_event)
    shutil.rmtree(folder.with_name("storage.of-1.5.0"))
    open_storages(folder).dispose()
    assert [file.name for file in folder.parent.iterdir()] == ["storage"], "a migration only when there is need"
