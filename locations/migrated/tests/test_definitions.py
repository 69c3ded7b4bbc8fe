"""The definitions as Dagster runs them, in this process, with a warehouse in a temporary folder."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from dagster import (
    AssetKey,
    DagsterInstance,
    DefaultScheduleStatus,
    DefaultSensorStatus,
    Definitions,
    ExecuteInProcessResult,
    RunRequest,
    SkipReason,
    build_sensor_context,
)
from migrated import records
from migrated.connections import Inbox
from migrated.definitions import defs
from migrated.defs import orders as airflow
from migrated.defs import rates as prefect
from migrated.defs.orders import orders_arrived
from migrated.warehouse import DUCKDB, SHOP, Warehouse, alone

DAYS = ("2026-01-05", "2026-01-06")


@pytest.fixture(scope="module")
def definitions() -> Definitions:
    return defs()


@pytest.fixture
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DagsterInstance]:
    monkeypatch.setenv(DUCKDB, str(tmp_path / "warehouse.duckdb"))
    with DagsterInstance.ephemeral() as instance:
        yield instance


def _run(
    definitions: Definitions, instance: DagsterInstance, job: str, day: str | None = None
) -> ExecuteInProcessResult:
    return definitions.resolve_job_def(job).execute_in_process(instance=instance, partition_key=day)


def _table(tmp_path: Path, query: str) -> list[tuple[object, ...]]:
    import duckdb

    with duckdb.connect(str(tmp_path / "warehouse.duckdb"), read_only=True) as connection:
        return connection.execute(query).fetchall()


def test_orders_are_handed_from_asset_to_asset_and_loaded_once(
    definitions: Definitions, instance: DagsterInstance, tmp_path: Path
) -> None:
    for day in (*DAYS, DAYS[0]):
        result = _run(definitions, instance, "load_orders", day)
        assert [check.passed for check in result.get_asset_check_evaluations()] == [True]
        assert all(row["quantity"] > 0 for row in result.output_for_node("stationery__orders"))
    found = dict(_table(tmp_path, "SELECT of_partition, count(*) FROM orders GROUP BY 1"))  # type: ignore[arg-type]
    expected = {
        day: len(records.ordered(records.orders_in(records.DATA / "orders" / f"orders-{day}.csv"))) for day in DAYS
    }
    assert found == expected, "a day that is loaded again replaces its rows and leaves the others"


def test_stock_reads_the_orders_of_all_days_from_the_warehouse(
    definitions: Definitions, instance: DagsterInstance
) -> None:
    for day in DAYS:
        _run(definitions, instance, "load_orders", day)
    _run(definitions, instance, "convert_prices")
    result = _run(definitions, instance, "take_stock")
    sold = [
        row for day in DAYS for row in records.ordered(records.orders_in(records.DATA / "orders" / f"orders-{day}.csv"))
    ]
    assert result.output_for_node("stationery__stock") == records.left(
        sorted(records.products(), key=lambda row: row["product"]), sold
    ), "an order alone would give nothing to compute with: the rows come by the IO manager, from other runs"
    assert [check.passed for check in result.get_asset_check_evaluations()] == [True]


def test_what_is_not_there_yet_is_named(definitions: Definitions, instance: DagsterInstance) -> None:
    with pytest.raises(LookupError, match="has not been materialized in this warehouse yet"):
        _run(definitions, instance, "take_stock")


def test_the_price_list_has_each_product_in_each_currency(
    definitions: Definitions, instance: DagsterInstance, tmp_path: Path
) -> None:
    assert _run(definitions, instance, "convert_prices").success
    assert _table(tmp_path, "SELECT count(*) FROM price_lists") == [(4 * 20,)]
    assert _table(tmp_path, "SELECT hundredths FROM price_lists WHERE product = 'pencil' AND currency = 'DEM'") == [
        (156,)
    ]


def test_all_keys_are_below_the_shops_name(definitions: Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    keys = graph.get_all_asset_keys()
    assert {key.path[:-1] == [SHOP] for key in keys} == {True}, (
        "another location of the deployment may have orders and stock as well"
    )
    assert all(graph.has(parent) for key in keys for parent in graph.get(key).parent_keys), (
        "an input without the prefix would be somebody else's asset"
    )
    assert {key.path[-1] for key in graph.get(AssetKey([SHOP, "stock"])).parent_keys} == {"products", "orders"}


def test_what_reads_from_elsewhere_is_tried_again() -> None:
    assert airflow.received_orders.op.retry_policy == airflow.RETRIES, "as the DAG's default_args said"
    assert prefect.exchange_rates.op.retry_policy == prefect.RETRIES, "as the task said"
    assert airflow.RETRIES.max_retries == prefect.RETRIES.max_retries == 3


def test_nothing_runs_because_it_was_deployed(definitions: Definitions) -> None:
    repository = definitions.get_repository_def()
    assert {schedule.default_status for schedule in repository.schedule_defs} == {DefaultScheduleStatus.STOPPED}
    assert {sensor.default_status for sensor in repository.sensor_defs} == {DefaultSensorStatus.STOPPED}


def test_the_past_is_not_loaded_when_the_sensor_is_turned_on(tmp_path: Path) -> None:
    for day in DAYS:
        _arrive(tmp_path, day)
    with build_sensor_context(resources={"inbox": Inbox(folder=str(tmp_path))}) as context:
        (answer,) = orders_arrived(context)
    assert isinstance(answer, SkipReason), "two files in an inbox of years would be two runs of years"
    assert "2 days were there already" in (answer.skip_message or "")


def test_each_file_that_arrives_or_changes_is_asked_for_once(tmp_path: Path) -> None:
    _arrive(tmp_path, DAYS[0])
    cursor = _tick(tmp_path, None)[1]
    _arrive(tmp_path, DAYS[1])
    _arrive(tmp_path, "2020-01-01")
    (tmp_path / "orders-2026-01-07.csv.part").write_text("")
    asked, cursor = _tick(tmp_path, cursor)
    assert asked == [DAYS[1]], "not the day from before, nor one that is no partition, nor half a file"
    assert _tick(tmp_path, cursor)[0] == [], "a file must not be asked for twice"
    _arrive(tmp_path, DAYS[0], seconds_ago=30)
    assert _tick(tmp_path, cursor)[0] == [DAYS[0]], "the old system has written it anew"


def test_a_file_that_is_still_written_to_is_left_until_it_is_whole(tmp_path: Path) -> None:
    cursor = _tick(tmp_path, None)[1]
    _arrive(tmp_path, DAYS[0], seconds_ago=0)
    asked, cursor = _tick(tmp_path, cursor)
    assert asked == [], "half a file would be loaded"
    _arrive(tmp_path, DAYS[0])
    assert _tick(tmp_path, cursor)[0] == [DAYS[0]]


def test_a_file_that_has_not_arrived_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"orders-2026-01-05\.csv has not arrived"):
        Inbox(folder=str(tmp_path)).file(DAYS[0])


def test_a_second_run_waits_for_the_first(tmp_path: Path) -> None:
    with (
        alone(tmp_path / "w.duckdb"),
        pytest.raises(TimeoutError, match="in use by another run"),
        alone(tmp_path / "w.duckdb", seconds=0),
    ):
        pytest.fail("two writers at once would be refused by DuckDB")


def test_the_warehouse_is_in_the_deployments_folder_unless_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dagster import build_init_resource_context

    monkeypatch.delenv(DUCKDB, raising=False)
    with DagsterInstance.ephemeral(str(tmp_path)) as instance:
        warehouse = Warehouse()
        warehouse.setup_for_execution(build_init_resource_context(instance=instance))
        with warehouse.connection() as connection:
            connection.execute("CREATE TABLE one (a INTEGER)")
        assert (Path(instance.storage_directory()) / "migrated" / "warehouse.duckdb").is_file()


def _arrive(inbox: Path, day: str, seconds_ago: int = 60) -> None:
    file = inbox / f"orders-{day}.csv"
    file.write_text("number,product,quantity\n")
    changed = time.time() - seconds_ago
    os.utime(file, (changed, changed))


def _tick(inbox: Path, cursor: str | None) -> tuple[list[str | None], str | None]:
    with build_sensor_context(cursor=cursor, resources={"inbox": Inbox(folder=str(inbox))}) as context:
        answers = list(orders_arrived(context))
        asked = [answer.partition_key for answer in answers if isinstance(answer, RunRequest)]
        return asked, context.cursor
