"""The jobs, run as Dagster runs them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster import DagsterEventType

from asset_values.faults import Fault, FaultKind
from asset_values.kept_manifest import AnotherRunError, KeptManifest
from asset_values.manifest import Identity, Manifest
from asset_values.model import Condition, Note
from asset_values.stores.folder import FolderStore
from tests.aws.moto_server import Moto
from tests.unit.asset_values.stored_location import DAYS, Location, daily, location, nothing, plain

pytestmark = [pytest.mark.unit, pytest.mark.slow, pytest.mark.timeout(600)]

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def stored(tmp_path: Path) -> Iterator[Location]:
    with location(tmp_path / "location", [plain, nothing, daily]) as place:
        place.report(plain, None, {"rows": 1})
        place.instance.report_runless_asset_event(dg.AssetMaterialization(nothing.key))
        for day in DAYS.get_partition_keys():
            place.report(daily, day, day)
        yield place


def executed(place: Location, copied: Path, job: str, op: str = "", more: dict[str, str] | None = None, **config: Any):
    """The job in a process of its own, by Dagster's own command; the run and what it printed."""
    variables = {
        **os.environ,
        "DAGSTER_HOME": str(place.stored.parent / "home"),
        "STORED": str(place.stored),
        "COPIED": str(copied),
        **(more or {}),
    }
    told = copied.with_name("run.yaml")
    told.write_text(json.dumps({"ops": {op: {"config": config}}} if config else {}))
    command = [sys.executable, "-m", "dagster", "job", "execute", "-m", "tests.unit.asset_values.copying_location"]
    ended = subprocess.run(
        [*command, "-a", "defs", "-j", job, "-c", str(told)],
        cwd=ROOT,
        env=variables,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    run = place.instance.get_runs(limit=1)[0]
    assert run.job_name == job, ended.stderr[-2000:]
    return run, ended.stderr


def events(place: Location, run: dg.DagsterRun, kind: DagsterEventType) -> list[Any]:
    found = place.instance.all_logs(run.run_id, of_type=kind)
    return [entry.dagster_event for entry in found]


def test_the_guides_example_runs_with_one_changed_import(stored: Location, tmp_path: Path) -> None:
    run, printed = executed(stored, tmp_path / "copied", "migration_job")
    assert run.is_success, printed[-2000:]
    assert "Migrated 6 assets, 0 failed" in printed
    assert (tmp_path / "copied/daily/2024-01-05").read_bytes() == (stored.stored / "daily/2024-01-05").read_bytes()


def test_a_run_fails_when_a_value_was_not_copied_and_names_it(stored: Location, tmp_path: Path) -> None:
    (stored.stored / "daily/2024-01-03").unlink()
    run, _ = executed(stored, tmp_path / "copied", "migration_job")
    assert not run.is_success, "Dagster's own ends in SUCCESS here, and nobody looks"
    (failure,) = events(stored, run, DagsterEventType.STEP_FAILURE)
    assert "daily [2024-01-03]: expired or never stored" in str(failure.event_specific_data.user_failure_data)


def test_the_copying_job_tells_of_each_asset_and_goes_on_where_another_ended(stored: Location, tmp_path: Path) -> None:
    (stored.stored / "daily/2024-01-03").rename(tmp_path / "away")
    run, _ = executed(stored, tmp_path / "copied", "copy_stored_values")
    assert not run.is_success
    told = {
        event.asset_key.to_user_string(): {name: entry.value for name, entry in observation.metadata.items()}
        for event in events(stored, run, DagsterEventType.ASSET_OBSERVATION)
        if (observation := event.event_specific_data.asset_observation)
    }
    assert {name: told["daily"][name] for name in ("copied", "failed")} == {"copied": 4, "failed": 1}
    assert told["daily"]["first failure"].startswith("daily [2024-01-03]: expired")
    assert told["raw/plain"]["bytes"] > 0
    (tmp_path / "away").rename(stored.stored / "daily/2024-01-03")
    written = (tmp_path / "copied/daily/2024-01-02").stat().st_mtime_ns
    run, printed = executed(stored, tmp_path / "copied", "copy_stored_values", "copy_stored_values_op", threads=4)
    assert run.is_success, printed[-2000:]
    assert "1 values copied, 6 skipped" in printed, "the manifest was kept at the destination"
    assert (tmp_path / "copied/daily/2024-01-02").stat().st_mtime_ns == written


def test_a_dry_run_copies_nothing(stored: Location, tmp_path: Path) -> None:
    run, printed = executed(
        stored, tmp_path / "copied", "copy_stored_values", "copy_stored_values_op", dry_run=True, selection="daily"
    )
    assert run.is_success, printed[-2000:]
    assert "daily: 5 values would go to" in printed
    assert "raw/plain" not in printed.split("daily: 5")[1], "the selection leaves it out"
    assert not (tmp_path / "copied").exists()


def test_a_dry_run_to_a_bucket_logs_the_role_that_its_owner_has_to_trust(stored: Location, tmp_path: Path) -> None:
    account = Moto(tmp_path)
    try:
        taken = account.client("sts").assume_role(
            RoleArn="arn:aws:iam::123456789012:role/of-the-task", RoleSessionName="task-5f0c"
        )["Credentials"]
        run, printed = executed(
            stored,
            tmp_path / "copied",
            "copy_to_bucket",
            "copy_to_bucket_op",
            {
                "AWS_ACCESS_KEY_ID": taken["AccessKeyId"],
                "AWS_SECRET_ACCESS_KEY": taken["SecretAccessKey"],
                "AWS_SESSION_TOKEN": taken["SessionToken"],
                "AWS_ENDPOINT_URL": account.endpoint,
            },
            dry_run=True,
        )
    finally:
        account.stop()
    assert run.is_success, printed[-2000:]
    assert "of arn:aws:iam::123456789012:role/of-the-task:" in printed, "a session's name would be wrong in a trust"
    assert taken["SecretAccessKey"] not in printed
    assert taken["SessionToken"] not in printed


def test_a_dry_run_to_a_bucket_without_credentials_says_so_and_succeeds(stored: Location, tmp_path: Path) -> None:
    nobody = {"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": "/nowhere", "AWS_SHARED_CREDENTIALS_FILE": "/no"}
    run, printed = executed(
        stored, tmp_path / "copied", "copy_to_bucket", "copy_to_bucket_op", nobody, dry_run=True, selection="daily"
    )
    assert run.is_success, printed[-2000:]
    assert "daily: 5 values would go to s3://of-acme/stored" in printed
    assert "Whose credentials this run has is not known: There are no AWS credentials here" in printed


def test_the_verifying_job_loads_by_the_new_io_manager_and_finds_what_differs(stored: Location, tmp_path: Path) -> None:
    copied = tmp_path / "copied"
    assert executed(stored, copied, "copy_stored_values")[0].is_success
    new = {"LOADED_FROM": str(copied)}
    run, printed = executed(stored, copied, "verify_stored_values", more=new)
    assert run.is_success, printed[-2000:]
    assert "6 of 6 stored values loaded, 6 of them compared by checksum" in printed
    (copied / "daily/2024-01-02").unlink()
    spoilt = copied / "daily/2024-01-04"
    was = spoilt.stat()
    data = bytearray(spoilt.read_bytes())
    data[-3] ^= 1  # still a pickle, of another day
    with spoilt.open("r+b") as file:
        file.write(data)
    os.utime(spoilt, ns=(was.st_atime_ns, was.st_mtime_ns))
    run, _ = executed(stored, copied, "verify_stored_values", more=new)
    assert not run.is_success
    (failure,) = events(stored, run, DagsterEventType.STEP_FAILURE)
    words = str(failure.event_specific_data.user_failure_data)
    assert "daily [2024-01-02]: expired or never stored" in words
    assert "daily [2024-01-04]: its bytes are others than were copied" in words
    assert "2 values" in words, "the others are as they were"


def test_two_runs_that_copy_the_same_notice(tmp_path: Path) -> None:
    import threading

    store, stop = FolderStore(tmp_path / "copied"), threading.Event()
    path = tmp_path / "mine.sqlite"
    kept = KeptManifest(store, "copy", "0123", path, stop)
    assert not kept.restore()
    with Manifest(path, Identity("", "", "a", "b")):
        kept.save()
        store.put(kept.key, b"of another run", Note("manifest"), Condition(store.head(kept.key).version))  # type: ignore[union-attr]
        with pytest.raises(AnotherRunError, match="another run copies to the same"):
            kept.save()


def test_a_damaged_manifest_is_no_manifest(tmp_path: Path) -> None:
    import threading

    store = FolderStore(tmp_path / "copied")
    kept = KeptManifest(store, "copy", "0123", tmp_path / "mine.sqlite", threading.Event())
    store.put(kept.key, b"half of it", Note("manifest"), Condition())
    assert not kept.restore(), "values that are there are found again; that is no reason to stop"
    with Manifest(tmp_path / "mine.sqlite", Identity("", "", "a", "b")):
        kept.save()  # and it can be replaced
    other = KeptManifest(store, "copy", "0123", tmp_path / "other.sqlite", threading.Event())
    assert other.restore()


def test_a_destination_without_room_ends_the_run_with_that_reason(
    stored: Location, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from asset_values import migrate_io_storage

    def full(*_: Any) -> str:
        raise Fault(FaultKind.FULL, "no room is left")

    monkeypatch.setattr(FolderStore, "put", full)
    from dagster._core.storage.fs_io_manager import PickledObjectFilesystemIOManager

    result = migrate_io_storage(
        definitions=stored.definitions,
        instance=stored.instance,
        destination_io_manager=PickledObjectFilesystemIOManager(str(tmp_path / "copied")),
    )
    assert len(result.failures) == 6
    assert all("no room is left" in failure.reason for failure in result.failures)
