"""The definitions as Dagster runs them, in this process, with values kept in a temporary folder.

They cannot prove that the location loads in its own environment or image; the stack's readiness does.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from dagster import (
    DagsterInstance,
    Definitions,
    RunRequest,
    SkipReason,
    build_schedule_context,
    build_sensor_context,
    materialize,
)
from hello import shop
from hello.definitions import defs
from hello.defs.assets import orders, price_list, prices_are_plausible, revenue, stock
from hello.defs.jobs import INBOX, every_morning, price_files

DAY = "2026-02-03"


@pytest.fixture(scope="module")
def definitions() -> Definitions:
    return defs()


def test_a_day_of_revenue_agrees_with_its_orders() -> None:
    with DagsterInstance.ephemeral() as instance:
        result = materialize([price_list, orders, revenue, prices_are_plausible], partition_key=DAY, instance=instance)
    sold: list[shop.Order] = result.output_for_node("orders")
    expected = sum(order.quantity * shop.read_prices()[order.product].cents for order in sold)
    assert sum(result.output_for_node("revenue").values()) == expected, "revenue must not lose an order"
    assert [check.passed for check in result.get_asset_check_evaluations()] == [True]


@pytest.mark.parametrize(("cents", "plausible"), [(49, False), (50, True), (2000, True), (2001, False)])
def test_the_check_doubts_a_slip_of_the_comma(cents: int, plausible: bool) -> None:
    assert prices_are_plausible({"espresso": shop.Price(cents, 1)}).passed is plausible


@pytest.mark.parametrize("name", shop.SHOPS)
def test_stock_counts_units_of_whole_cases(name: str) -> None:
    result = materialize([price_list, stock], partition_key=name)
    prices = shop.read_prices()
    units: dict[str, int] = result.output_for_node("stock")
    assert all(count % prices[product].units_per_case == 0 for product, count in units.items())


@pytest.mark.parametrize(
    ("job", "partition"), [("greet", None), ("refresh_prices", None), ("daily_revenue", DAY), ("stocktake", "berlin")]
)
def test_a_job_runs_on_a_deployment_where_nothing_has_run_yet(
    definitions: Definitions, job: str, partition: str | None
) -> None:
    result = definitions.resolve_job_def(job).execute_in_process(partition_key=partition)
    assert result.success


def test_greet_greets_whom_it_is_told_to(definitions: Definitions) -> None:
    config = {"ops": {"say_hello": {"config": {"name": "Ada"}}}}
    result = definitions.resolve_job_def("greet").execute_in_process(run_config=config)
    assert result.output_for_node("say_hello") == "Hello, Ada!"


def test_the_schedule_asks_for_yesterday(definitions: Definitions) -> None:
    schedule = definitions.resolve_schedule_def(every_morning.name)
    tick = schedule.evaluate_tick(
        build_schedule_context(
            scheduled_execution_time=datetime(2026, 2, 4, 6, tzinfo=UTC),
            repository_def=definitions.get_repository_def(),
        )
    )
    assert [request.partition_key for request in tick.run_requests or []] == [DAY]


def test_the_sensor_asks_for_one_run_for_each_new_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(INBOX, str(tmp_path))
    _arrive(tmp_path / "b.csv", at=1)
    _arrive(tmp_path / "a.csv", at=2)
    with build_sensor_context() as context:
        assert [_file(request) for request in price_files(context)] == ["b.csv", "a.csv"]
        cursor = context.cursor
    with build_sensor_context(cursor=cursor) as context:
        assert [type(answer) for answer in price_files(context)] == [SkipReason], "a file must not be asked for twice"
    _arrive(tmp_path / "c.csv", at=2)  # the same instant as the last one seen
    with build_sensor_context(cursor=cursor) as context:
        assert [_file(request) for request in price_files(context)] == ["c.csv"]


def test_the_sensor_says_what_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(INBOX, raising=False)
    with build_sensor_context() as context:
        (answer,) = price_files(context)
    assert isinstance(answer, SkipReason)
    assert INBOX in (answer.skip_message or "")


def _arrive(path: Path, *, at: int) -> None:
    path.write_text("product,price_cents,units_per_case\n")
    os.utime(path, ns=(at, at))


def _file(answer: object) -> str:
    assert isinstance(answer, RunRequest)
    return answer.tags["hello/price_file"]
