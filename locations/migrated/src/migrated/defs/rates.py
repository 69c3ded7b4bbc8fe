"""From Prefect: the price list in other currencies. What tasks returned to each other, the IO manager hands on."""

from dagster import AssetSelection, Backoff, RetryPolicy, ScheduleDefinition, asset, define_asset_job

from migrated import records
from migrated.connections import RateFile
from migrated.records import Rows
from migrated.warehouse import OF_SHOP, SHOP

RETRIES = RetryPolicy(max_retries=3, delay=10, backoff=Backoff.EXPONENTIAL)


@asset(key_prefix=SHOP, group_name="prices", retry_policy=RETRIES, pool="migrated", tags={"from": "prefect"})
def exchange_rates(rate_file: RateFile) -> Rows:
    """How much of each currency a euro is."""
    return records.rates_in(rate_file.path())


@asset(key_prefix=SHOP, group_name="prices", pool="migrated", tags={"from": "prefect"})
def products() -> Rows:
    """What the shop sells, with its price and how much was delivered."""
    return records.products()


@asset(
    key_prefix=SHOP,
    ins={"products": OF_SHOP, "exchange_rates": OF_SHOP},
    group_name="prices",
    pool="migrated",
    tags={"from": "prefect"},
)
def price_lists(products: Rows, exchange_rates: Rows) -> Rows:
    """Each product's price in each currency."""
    return records.converted(products, exchange_rates)


convert_prices = define_asset_job(
    "convert_prices",
    selection=AssetSelection.assets(exchange_rates, products, price_lists),
    description="The price list in other currencies.",
)
daily_prices = ScheduleDefinition(
    name="daily_prices", job=convert_prices, cron_schedule="0 4 * * *", execution_timezone="UTC"
)
