"""From cron: what is on the shelf, and what has to be ordered.

The script made two things, so there are two assets: each has its own history, and the second can be made again alone.
That orders are loaded before is no longer hoped for by the hour: it is what `orders` as an input means.
"""

from dagster import (
    AssetCheckResult,
    AssetCheckSeverity,
    AssetSelection,
    ScheduleDefinition,
    asset,
    asset_check,
    define_asset_job,
)

from migrated import records
from migrated.records import Rows
from migrated.warehouse import OF_SHOP, SHOP


@asset(
    key_prefix=SHOP,
    ins={"products": OF_SHOP, "orders": OF_SHOP},
    group_name="stock",
    pool="migrated",
    tags={"from": "cron"},
)
def stock(products: Rows, orders: Rows) -> Rows:
    """What is left of each product after the orders of all days that were loaded."""
    return records.left(products, orders)


@asset(key_prefix=SHOP, ins={"stock": OF_SHOP}, group_name="stock", pool="migrated", tags={"from": "cron"})
def reorder_list(stock: Rows) -> Rows:
    """What to order."""
    return records.wanted(stock)


@asset_check(asset=stock, description="No more was sold than delivered.")
def nothing_is_below_zero(stock: Rows) -> AssetCheckResult:
    below = sorted(row["product"] for row in stock if row["units"] < 0)
    return AssetCheckResult(passed=not below, severity=AssetCheckSeverity.WARN, metadata={"below": below})


take_stock = define_asset_job(
    "take_stock", selection=AssetSelection.assets(stock, reorder_list), description="The shelf and the order."
)
nightly_stock = ScheduleDefinition(
    name="nightly_stock", job=take_stock, cron_schedule="30 5 * * *", execution_timezone="UTC"
)
