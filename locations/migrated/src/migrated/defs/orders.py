"""From Airflow: the orders of each day, from the shop system's file into the warehouse.

The DAG's three tasks are two assets: what arrived and what of it counts. Loading is the IO manager's; waiting is the
sensor's, which asks for a run when there is a file instead of holding one that looks for it.
"""

# Dagster reads the annotation of `context` as an object, so annotations are not postponed here.

import json
import time
from collections import Counter
from collections.abc import Iterator

from dagster import (
    AssetCheckResult,
    AssetExecutionContext,
    AssetSelection,
    Backoff,
    DailyPartitionsDefinition,
    RetryPolicy,
    RunRequest,
    SensorEvaluationContext,
    SkipReason,
    asset,
    asset_check,
    define_asset_job,
    sensor,
)

from migrated import records
from migrated.connections import Inbox
from migrated.records import Rows
from migrated.warehouse import OF_SHOP, SHOP

DAYS = DailyPartitionsDefinition(start_date="2026-01-05")
RETRIES = RetryPolicy(max_retries=3, delay=30, backoff=Backoff.EXPONENTIAL)
SETTLED = 10 * 10**9
"""A file that was changed in the last ten seconds may still be written to."""


@asset(
    key_prefix=SHOP,
    group_name="orders",
    partitions_def=DAYS,
    retry_policy=RETRIES,
    pool="migrated",
    tags={"from": "airflow"},
)
def received_orders(context: AssetExecutionContext, inbox: Inbox) -> Rows:
    """All lines of the day's file."""
    return records.orders_in(inbox.file(context.partition_key))


@asset(
    key_prefix=SHOP,
    ins={"received_orders": OF_SHOP},
    group_name="orders",
    partitions_def=DAYS,
    pool="migrated",
    tags={"from": "airflow"},
)
def orders(received_orders: Rows) -> Rows:
    """The day's lines that order something."""
    return records.ordered(received_orders)


@asset_check(asset=orders, description="A line's number is there once, whatever the day.")
def numbers_are_there_once(orders: Rows) -> AssetCheckResult:
    numbers = Counter(row["number"] for row in orders)
    twice = sorted(number for number, count in numbers.items() if count > 1)
    return AssetCheckResult(passed=not twice, metadata={"twice": [str(number) for number in twice]})


load_orders = define_asset_job(
    "load_orders", selection=AssetSelection.assets(received_orders, orders), description="One day's orders."
)


@sensor(job=load_orders, minimum_interval_seconds=60)
def orders_arrived(context: SensorEvaluationContext, inbox: Inbox) -> Iterator[RunRequest | SkipReason]:
    """A run for each day whose file arrives, or is changed, while the sensor is on.

    What is there when it first looks is not asked for: turning a pipeline on must not load its whole past. Those days
    are one backfill, when somebody wants it. The cursor is what was seen: each day's time of change.
    """
    now = time.time_ns()
    days = {
        day: changed
        for day, changed in inbox.arrived().items()
        if now - changed >= SETTLED and DAYS.has_partition_key(day)
    }
    if context.cursor is None:
        context.update_cursor(json.dumps(days))
        yield SkipReason(f"{len(days)} days were there already; a backfill loads them")
        return
    seen = json.loads(context.cursor)
    fresh = {day: changed for day, changed in days.items() if seen.get(day) != changed}
    if not fresh:
        yield SkipReason("no new file")
        return
    for day, changed in fresh.items():
        yield RunRequest(run_key=f"{day}:{changed}", partition_key=day)
    context.update_cursor(json.dumps(seen | fresh))
