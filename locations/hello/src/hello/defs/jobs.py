"""What is run: jobs, and what starts them.

Nothing starts by itself: the schedule and the sensor are stopped until someone turns them on in the UI, so that
standing up a stack does no work that nobody asked for.
"""

# Dagster reads the annotation of `context` as an object, so annotations are not postponed here.

import os
from collections.abc import Iterator
from pathlib import Path

from dagster import (
    AssetSelection,
    Config,
    OpExecutionContext,
    RunRequest,
    SensorEvaluationContext,
    SkipReason,
    build_schedule_from_partitioned_job,
    define_asset_job,
    job,
    op,
    sensor,
)

INBOX = "HELLO_INBOX"

# Each job makes the price list as well, so that it works on a deployment where nothing has run yet.
daily_revenue = define_asset_job(
    "daily_revenue",
    selection=AssetSelection.assets("revenue").upstream(),
    description="One day's orders and what they earned.",
)
stocktake = define_asset_job(
    "stocktake",
    selection=AssetSelection.assets("stock").upstream(),
    description="What one shop has on the shelf.",
)
refresh_prices = define_asset_job(
    "refresh_prices", selection=AssetSelection.assets("price_list"), description="The price list alone."
)
every_morning = build_schedule_from_partitioned_job(
    daily_revenue, name="every_morning", hour_of_day=6, description="Yesterday's revenue, at six in the morning UTC."
)


class Greeting(Config):
    """Whom `greet` greets."""

    name: str = "world"


@op
def say_hello(context: OpExecutionContext, config: Greeting) -> str:
    """The shortest proof that a run goes from Dagster+ to this code and back."""
    sentence = f"Hello, {config.name}!"
    context.log.info(sentence)
    return sentence


@job
def greet() -> None:
    """Greets, and needs nothing: neither partition, nor configuration, nor an earlier run."""
    say_hello()


@sensor(job=refresh_prices, minimum_interval_seconds=60)
def price_files(context: SensorEvaluationContext) -> Iterator[RunRequest | SkipReason]:
    """One run for every price file that arrives in the folder that ``HELLO_INBOX`` names.

    The cursor is the newest file seen, as ``<modified, in ns>:<name>``.
    """
    folder = os.environ.get(INBOX)
    if not folder:
        yield SkipReason(f"{INBOX} names no folder to watch")
        return
    arrived = sorted((path.stat().st_mtime_ns, path.name) for path in Path(folder).glob("*.csv"))
    seen, _, name = (context.cursor or "").partition(":")
    fresh = [file for file in arrived if file > (int(seen or 0), name)]
    if not fresh:
        yield SkipReason("no new price file")
        return
    for modified, file in fresh:
        yield RunRequest(run_key=f"{modified}:{file}", tags={"hello/price_file": file})
    context.update_cursor(f"{fresh[-1][0]}:{fresh[-1][1]}")
