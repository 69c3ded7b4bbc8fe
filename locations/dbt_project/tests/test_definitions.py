"""The definitions as Dagster runs them, in this process: dbt builds a DuckDB file in a temporary folder."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest
from dagster import DagsterInstance, Definitions, ExecuteInProcessResult, build_schedule_context, materialize
from dbt_project import database
from dbt_project.definitions import defs
from dbt_project.defs.execution import defs as execution
from dbt_project.defs.jobs import every_evening
from dbt_project.defs.models import bakery, bakery_by_day

DAY = "2026-02-03"


# dbt takes some five seconds for each command, so two builds serve all tests.


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The database, new."""
    with pytest.MonkeyPatch.context() as patch:
        file = tmp_path_factory.mktemp("database") / "bakery.duckdb"
        patch.setenv(database.NAMED, str(file))
        yield file


@pytest.fixture(scope="module")
def built(file: Path) -> ExecuteInProcessResult:
    """Everything is built, and one day."""
    return _build([bakery, bakery_by_day], partition_key=DAY)


@pytest.fixture(scope="module")
def rebuilt(built: ExecuteInProcessResult, file: Path) -> ExecuteInProcessResult:
    """Three days are built, the one from before among them, beside two equal rows that somebody put into another."""
    with duckdb.connect(str(file)) as connection:
        connection.execute("CREATE TEMP TABLE one AS SELECT * FROM main_marts.daily_sales LIMIT 1")
        connection.execute("UPDATE one SET day = DATE '2026-12-30'")
        connection.execute("INSERT INTO main_marts.daily_sales SELECT * FROM one UNION ALL SELECT * FROM one")
    tags = {"dagster/asset_partition_range_start": "2026-02-02", "dagster/asset_partition_range_end": "2026-02-04"}
    return _build([bakery_by_day], tags=tags)


def _build(assets: list[object], **of: object) -> ExecuteInProcessResult:
    with DagsterInstance.ephemeral() as instance:
        return materialize(
            assets,  # type: ignore[arg-type]
            instance=instance,
            resources=execution.resources,
            raise_on_error=False,
            **of,  # type: ignore[arg-type]
        )


def _rows(file: Path, query: str) -> list[tuple[object, ...]]:
    with duckdb.connect(str(file), read_only=True) as connection:
        return connection.execute(query).fetchall()


def test_the_models_are_built_and_dbts_tests_are_checks(built: ExecuteInProcessResult, file: Path) -> None:
    assert built.success
    checks = {check.check_name: check.passed for check in built.get_asset_check_evaluations()}
    assert {"unique_stg_products_product", "a_product_is_sold_once_a_day"} <= set(checks), "generic and singular tests"
    assert all(checks.values()), checks
    assert _rows(file, "SELECT count(*) FROM main_marts.best_sellers") == [(3,)]


def test_a_days_earnings_agree_with_its_sales(built: ExecuteInProcessResult, file: Path) -> None:
    ((earned,),) = _rows(file, "SELECT sum(earned_cents) FROM main_marts.daily_sales WHERE day = '2026-02-03'")
    ((expected,),) = _rows(
        file,
        "SELECT sum(sold * price_cents) FROM main_raw.raw_sales JOIN main_raw.raw_products USING (product) "
        "WHERE day = '2026-02-03'",
    )
    assert earned == expected, "no sale of the day is lost"


def test_days_are_built_alone_and_again_without_doubles(rebuilt: ExecuteInProcessResult, file: Path) -> None:
    found = _rows(file, "SELECT cast(day AS VARCHAR), count(*) FROM main_marts.daily_sales GROUP BY 1 ORDER BY 1")
    expected = {"2026-02-02": 3, DAY: 3, "2026-02-04": 3, "2026-12-30": 2}
    assert dict(found) == expected, "days that were not asked for are as they were, one built twice is there once"


def test_a_row_that_breaks_a_test_fails_its_check(rebuilt: ExecuteInProcessResult) -> None:
    checks = {check.check_name: check.passed for check in rebuilt.get_asset_check_evaluations()}
    assert checks["a_product_is_sold_once_a_day"] is False


def test_the_job_of_a_day_builds_what_it_needs() -> None:
    job = defs().resolve_job_def("build_day")
    made = {key.path[-1] for key in job.asset_layer.executable_asset_keys}
    assert made == {"raw_products", "raw_sales", "stg_products", "stg_sales", "daily_sales"}, "on a new deployment too"


def test_the_database_is_in_the_deployments_folder_unless_a_variable_names_another(tmp_path: Path) -> None:
    assert database.duckdb_file(tmp_path, {}) == tmp_path / "dbt_project" / "bakery.duckdb"
    assert database.duckdb_file(tmp_path, {database.NAMED: "/data/b.duckdb"}) == Path("/data/b.duckdb")


def test_a_second_run_waits_for_the_first(tmp_path: Path) -> None:
    with (
        database.alone(tmp_path / "b.duckdb"),
        pytest.raises(TimeoutError, match="in use by another run"),
        database.alone(tmp_path / "b.duckdb", seconds=0),
    ):
        pytest.fail("two writers at once would be refused by DuckDB")


def test_the_schedule_asks_for_yesterday() -> None:
    definitions: Definitions = defs()
    tick = definitions.resolve_schedule_def(every_evening.name).evaluate_tick(
        build_schedule_context(
            scheduled_execution_time=datetime(2026, 2, 4, 1, tzinfo=UTC),
            repository_def=definitions.get_repository_def(),
        )
    )
    assert [request.partition_key for request in tick.run_requests or []] == [DAY]
