"""The definitions as Dagster runs them, in this process, with a DuckDB file in a temporary folder."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest
from dagster import (
    AssetsDefinition,
    DagsterInstance,
    Definitions,
    ExecuteInProcessResult,
    build_schedule_context,
    materialize,
)
from dagster_dlt import DagsterDltResource
from dlt_pipeline import warehouse
from dlt_pipeline.definitions import defs
from dlt_pipeline.defs.assets import each_day_once, places, sky
from dlt_pipeline.defs.jobs import every_night

DAY = "2026-02-03"


@pytest.fixture
def instance() -> Iterator[DagsterInstance]:
    with DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture(autouse=True)
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(warehouse.DUCKDB, str(tmp_path / "w.duckdb"))
    monkeypatch.delenv(warehouse.DESTINATION, raising=False)
    return tmp_path / "w.duckdb"


def _load(instance: DagsterInstance, assets: AssetsDefinition, **of: object) -> ExecuteInProcessResult:
    return materialize(
        [assets, *([each_day_once] if assets is sky else [])],
        instance=instance,
        resources={"dlt": DagsterDltResource()},
        **of,  # type: ignore[arg-type]
    )


def _rows(database: Path, query: str) -> list[tuple[object, ...]]:
    with duckdb.connect(str(database), read_only=True) as connection:
        return connection.execute(query).fetchall()


def test_the_observatories_are_loaded_once_however_often_they_are_loaded(
    instance: DagsterInstance, database: Path
) -> None:
    for _ in range(2):
        assert _load(instance, places).success
    assert _rows(database, "SELECT observatory, latitude FROM sky.observatories ORDER BY latitude") == [
        ("Siding Spring", -31.2733),
        ("Arecibo", 18.3464),
        ("Greenwich", 51.4779),
        ("Pulkovo", 59.7717),
    ]


def test_a_partition_loads_its_day_alone_and_again_without_doubles(instance: DagsterInstance, database: Path) -> None:
    for day in (DAY, "2026-02-05", DAY):
        result = _load(instance, sky, partition_key=day)
        assert [check.passed for check in result.get_asset_check_evaluations()] == [True], f"after {day}"
    found = _rows(database, "SELECT cast(day AS VARCHAR), count(*) FROM sky.daylight GROUP BY 1 ORDER BY 1")
    assert found == [(DAY, 4), ("2026-02-05", 4)], "a day that was not asked for is not there, one loaded twice is once"


def test_a_backfill_of_many_days_is_one_load(instance: DagsterInstance, database: Path) -> None:
    tags = {"dagster/asset_partition_range_start": "2026-02-01", "dagster/asset_partition_range_end": "2026-02-28"}
    assert _load(instance, sky, tags=tags).success
    assert _rows(database, "SELECT count(*), count(DISTINCT day) FROM sky.daylight") == [(28 * 4, 28)]


def test_the_check_sees_a_row_that_is_there_twice(instance: DagsterInstance, database: Path) -> None:
    _load(instance, sky, partition_key=DAY)
    with duckdb.connect(str(database)) as connection:
        connection.execute("INSERT INTO sky.daylight SELECT * FROM sky.daylight LIMIT 1")
    found = each_day_once(_check_context(instance))
    assert found.passed is False


def _check_context(instance: DagsterInstance) -> object:
    from dagster import build_asset_check_context

    return build_asset_check_context(instance=instance)


@pytest.mark.parametrize(("job", "partition"), [("load_places", None), ("load_day", DAY)])
def test_a_job_runs_on_a_deployment_where_nothing_has_run_yet(job: str, partition: str | None) -> None:
    assert defs().resolve_job_def(job).execute_in_process(partition_key=partition).success


def test_a_wrong_setting_fails_the_run_with_its_words(
    instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(warehouse.DESTINATION, "bigquery")
    monkeypatch.setenv(warehouse.KEY, "'{}'")
    with pytest.raises(warehouse.SettingError, match="quotes around the JSON"):
        _load(instance, places)


def test_the_schedule_asks_for_yesterday() -> None:
    definitions: Definitions = defs()
    tick = definitions.resolve_schedule_def(every_night.name).evaluate_tick(
        build_schedule_context(
            scheduled_execution_time=datetime(2026, 2, 4, 1, tzinfo=UTC),
            repository_def=definitions.get_repository_def(),
        )
    )
    assert [request.partition_key for request in tick.run_requests or []] == [DAY]
