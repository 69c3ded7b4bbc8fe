"""``migrate_io_storage``: Dagster's shape, and what is better in it."""

from __future__ import annotations

import logging
import pickle
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.storage.fs_io_manager import PickledObjectFilesystemIOManager

from asset_values import migrate_io_storage
from asset_values.result import MigrateIOStorageResult, NotAllCopiedError
from tests.unit.asset_values.stored_location import DAYS, Location, coloured, daily, location, plain, store_all

pytestmark = pytest.mark.unit

ALL = {"coloured": 4, "daily": 5, "raw/plain": 1, "shops": 2}
NOTHING = {"nothing": 1, "only_a_result": 1}


@pytest.fixture
def stored(tmp_path: Path) -> Iterator[Location]:
    with location(tmp_path / "location") as place:
        store_all(place)
        yield place


def folder(path: Path) -> PickledObjectFilesystemIOManager:
    return PickledObjectFilesystemIOManager(str(path))


def sizes(subsets: Any) -> Mapping[str, int]:
    return {subset.key.to_user_string(): subset.size for subset in subsets}


def moved(place: Location, destination: Any, **more: Any) -> MigrateIOStorageResult:
    return migrate_io_storage(
        definitions=place.definitions, instance=place.instance, destination_io_manager=destination, **more
    )


def unpickled(path: Path) -> object:
    return pickle.loads(path.read_bytes())  # noqa: S301 - of this test


class Remembering(dg.IOManager):
    """One that no one knows: what it is handed, by asset and partitions."""

    def __init__(self) -> None:
        self.got: dict[tuple[str, ...], Any] = {}
        self.metadata: dict[str, Any] = {}

    def handle_output(self, context: dg.OutputContext, obj: object) -> None:
        partitions = tuple(context.asset_partition_keys) if context.has_asset_partitions else ()
        self.got[(context.asset_key.to_user_string(), *map(str, partitions))] = obj
        self.metadata[context.asset_key.to_user_string()] = dict(context.definition_metadata or {})

    def load_input(self, context: dg.InputContext) -> object:
        raise NotImplementedError


def test_all_that_is_stored_is_copied_byte_by_byte_to_canonical_keys(stored: Location, tmp_path: Path) -> None:
    result = moved(stored, folder(tmp_path / "new"))
    assert (sizes(result.migrated), sizes(result.skipped), sizes(result.failed)) == (ALL, NOTHING, {})
    source = {path.relative_to(stored.stored): path.read_bytes() for path in stored.stored.rglob("*") if path.is_file()}
    copied = {path.relative_to(tmp_path / "new"): path.read_bytes() for path in (tmp_path / "new").rglob("*")
              if path.is_file()}  # fmt: skip
    assert copied == source
    assert Path("coloured/blue/2024-01-01") in copied, "by dimension's names, as a run would store it"
    assert result.bytes_by_asset["raw/plain"] == len((stored.stored / "raw/plain").read_bytes())


def test_the_result_names_partitions_as_dagsters_does(stored: Location, tmp_path: Path) -> None:
    result = moved(stored, folder(tmp_path / "new"))
    by_name = {subset.key.to_user_string(): subset for subset in result.migrated}
    assert set(by_name["daily"].expensively_compute_partition_keys()) == set(DAYS.get_partition_keys())
    assert sum(subset.size for subset in result.migrated) == 12, "the guide's example adds them up so"


def test_no_value_is_unpickled_on_the_way(stored: Location, tmp_path: Path) -> None:
    (stored.stored / "daily/2024-01-02").write_bytes(b"\x80\x04not a pickle at all")
    result = moved(stored, folder(tmp_path / "new"))
    assert not result.failures
    assert (tmp_path / "new/daily/2024-01-02").read_bytes() == b"\x80\x04not a pickle at all"


def test_values_that_lie_at_the_key_with_bars_are_found_and_land_at_the_canonical_one(
    stored: Location, tmp_path: Path
) -> None:
    (stored.stored / "coloured/red/2024-01-02").rename(stored.stored / "coloured/red|2024-01-02")
    assert not moved(stored, folder(tmp_path / "new")).failures
    assert unpickled(tmp_path / "new/coloured/red/2024-01-02") == "red|2024-01-02"


def test_a_missing_value_fails_alone_with_its_reason(stored: Location, tmp_path: Path) -> None:
    (stored.stored / "daily/2024-01-03").unlink()
    result = moved(stored, folder(tmp_path / "new"))
    assert [(failure.label, failure.reason[:23]) for failure in result.failures] == [
        ("daily [2024-01-03]", "expired or never stored")
    ]
    assert sizes(result.failed) == {"daily": 1}
    assert sizes(result.migrated) == {**ALL, "daily": 4}


def test_what_failed_raises_on_demand_and_names_the_values(stored: Location, tmp_path: Path) -> None:
    (stored.stored / "daily/2024-01-03").unlink()
    with pytest.raises(NotAllCopiedError, match=r"daily \[2024-01-03\]: expired or never stored") as raised:
        moved(stored, folder(tmp_path / "new"), raise_on_failure=True)
    assert sizes(raised.value.result.migrated) == {**ALL, "daily": 4}, "the result is not lost"


def test_another_call_goes_on_where_the_manifest_ends(stored: Location, tmp_path: Path) -> None:
    (stored.stored / "daily/2024-01-03").rename(tmp_path / "away")
    memory = tmp_path / "manifest.sqlite"
    assert len(moved(stored, folder(tmp_path / "new"), manifest=memory).failures) == 1
    (tmp_path / "away").rename(stored.stored / "daily/2024-01-03")
    written = (tmp_path / "new/daily/2024-01-02").stat().st_mtime_ns
    again = moved(stored, folder(tmp_path / "new"), manifest=memory)
    assert (sizes(again.migrated), sizes(again.skipped)) == ({"daily": 1}, {**ALL, **NOTHING, "daily": 4})
    assert (tmp_path / "new/daily/2024-01-02").stat().st_mtime_ns == written, "done is not done again"


def test_what_was_written_at_the_destination_later_stays(stored: Location, tmp_path: Path) -> None:
    newer = tmp_path / "new/daily/2024-01-02"
    newer.parent.mkdir(parents=True)
    newer.write_bytes(b"of a run after the switch")
    result = moved(stored, folder(tmp_path / "new"))
    assert newer.read_bytes() == b"of a run after the switch"
    assert (result.kept, sizes(result.failed)) == ((("daily", "2024-01-02"),), {})
    moved(stored, folder(tmp_path / "new"), overwrite_newer=True)
    assert unpickled(newer) == "2024-01-02"


def test_partitions_outside_of_the_definition_are_told_and_left(
    stored: Location, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for partition in ("2031-01-01", "no day at all"):
        stored.report(daily, partition, 1)
    stored.instance.delete_dynamic_partition("shops", "süd")
    with caplog.at_level(logging.WARNING):
        result = moved(stored, folder(tmp_path / "new"))
    assert result.outside == {"daily": ("2031-01-01", "no day at all"), "shops": ("süd",)}
    assert sizes(result.migrated) == {**ALL, "shops": 1}
    assert "no day at all" in caplog.text


def test_selection_and_should_skip_are_followed(stored: Location, tmp_path: Path) -> None:
    result = moved(
        stored,
        folder(tmp_path / "new"),
        selection=dg.AssetSelection.assets("daily", "coloured"),
        should_skip=lambda key, partition: key == dg.AssetKey("coloured") or partition == "2024-01-01",
    )
    assert sizes(result.migrated) == {"daily": 4}
    assert sum(subset.size for subset in result.skipped) == 5


@pytest.mark.parametrize("batches", [False, True])
def test_a_transform_gets_each_value_and_what_it_gives_is_pickled(
    stored: Location, tmp_path: Path, batches: bool
) -> None:
    result = moved(stored, folder(tmp_path / "new"), transform=lambda value: [value], batch_partitions=batches)
    assert (sizes(result.migrated), sizes(result.skipped)) == (ALL, NOTHING), "one file a partition takes no batches"
    assert unpickled(tmp_path / "new/daily/2024-01-02") == ["2024-01-02"]
    assert unpickled(tmp_path / "new/coloured/blue/2024-01-01") == ["blue|2024-01-01"]


def test_a_transform_that_raises_fails_its_value_alone(stored: Location, tmp_path: Path) -> None:
    def transform(value: object) -> object:
        if value == "2024-01-03":
            raise ValueError("see https://example.com/x?token=secret and postgres://me:secret@host/db")
        return value

    result = moved(stored, folder(tmp_path / "new"), transform=transform)
    (failure,) = result.failures
    assert failure.label == "daily [2024-01-03]"
    assert "the transform failed: ValueError" in failure.reason
    assert "secret" not in failure.reason, "addresses in errors carry tokens"


def test_an_io_manager_that_nobody_knows_gets_values_by_its_own_code(stored: Location) -> None:
    destination = Remembering()
    result = moved(stored, destination)
    assert (sizes(result.migrated), sizes(result.skipped)) == (ALL, NOTHING)
    assert destination.got["daily", "2024-01-02"] == "2024-01-02"
    assert destination.got["coloured", "blue|2024-01-01"] == "blue|2024-01-01"
    assert destination.got["raw/plain",] == {"rows": 1}


def test_batches_go_where_they_are_taken_and_a_missing_partition_costs_no_other(stored: Location) -> None:
    (stored.stored / "shops/süd").unlink()
    destination = Remembering()
    result = moved(stored, destination, batch_partitions=True)
    assert destination.got["daily", *DAYS.get_partition_keys()]["2024-01-02"] == "2024-01-02"
    assert destination.got["shops", "north"] == "north"
    assert [failure.label for failure in result.failures] == ["shops [süd]"]


def test_values_of_one_asset_wait_for_no_other(stored: Location) -> None:
    together = threading.Barrier(3, timeout=20)

    class Meeting(Remembering):
        def handle_output(self, context: dg.OutputContext, obj: object) -> None:
            if context.asset_key == dg.AssetKey("daily") and context.partition_key < "2024-01-04":
                together.wait()
            super().handle_output(context, obj)

    assert not moved(stored, Meeting()).failures, "three values of one asset are in work at the same time"


def test_each_thread_has_the_sources_io_manager_to_itself(tmp_path: Path) -> None:
    users: dict[int, set[int]] = {}

    class Single(dg.ConfigurableIOManager):
        def load_input(self, context: dg.InputContext) -> object:
            users.setdefault(id(self), set()).add(threading.get_ident())
            return context.partition_key

        def handle_output(self, context: dg.OutputContext, obj: object) -> None: ...

    with location(tmp_path / "location", [daily], {"io_manager": Single()}) as place:
        for day in DAYS.get_partition_keys():
            place.report(daily, day, day)
        assert not moved(place, Remembering()).failures
    assert all(len(threads) == 1 for threads in users.values())


def test_an_io_manager_that_cannot_be_set_up_fails_its_assets_alone(tmp_path: Path, stored: Location) -> None:
    @dg.io_manager
    def broken(_context: dg.InitResourceContext) -> dg.IOManager:
        raise RuntimeError("no password for the warehouse")

    @dg.asset(io_manager_key="warehouse")
    def sales() -> int:
        return 1

    stored.report(sales, None, 1)
    definitions = dg.Definitions(
        [plain, sales],
        resources={"io_manager": dg.FilesystemIOManager(base_dir=str(stored.stored)), "warehouse": broken},
    )
    result = migrate_io_storage(
        definitions=definitions, instance=stored.instance, destination_io_manager=folder(tmp_path / "new")
    )
    assert sizes(result.migrated) == {"raw/plain": 1}
    (failure,) = result.failures
    assert "'warehouse' cannot be set up" in failure.reason
    assert "no password for the warehouse" in failure.reason


def test_the_place_itself_is_no_destination(stored: Location) -> None:
    with pytest.raises(ValueError, match="is the destination itself"):
        moved(stored, folder(stored.stored))


def test_a_call_that_cannot_be_meant_is_refused(stored: Location, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Exactly one"):
        migrate_io_storage(destination_io_manager=folder(tmp_path))
    with pytest.raises(ValueError, match="event log"):
        migrate_io_storage(definitions=stored.definitions, destination_io_manager=folder(tmp_path))


def test_nothing_stored_is_nothing_to_do(tmp_path: Path) -> None:
    with location(tmp_path / "location", [coloured, plain]) as place:
        result = moved(place, folder(tmp_path / "new"))
    assert (result.migrated, result.skipped, result.failed) == ((), (), ())
