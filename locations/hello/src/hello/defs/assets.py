"""What the chain knows: prices, the orders and revenue of each day, the stock of each shop."""

# Dagster reads the annotation of `context` as an object, so annotations are not postponed here.

from dagster import (
    AssetCheckResult,
    AssetCheckSeverity,
    AssetExecutionContext,
    DailyPartitionsDefinition,
    MaterializeResult,
    StaticPartitionsDefinition,
    asset,
    asset_check,
)

from hello import shop

DAYS = DailyPartitionsDefinition(start_date="2026-01-01")
SHOPS = StaticPartitionsDefinition(list(shop.SHOPS))


@asset(group_name="shops", kinds={"python"})
def price_list() -> MaterializeResult[dict[str, shop.Price]]:
    """The price of every product, from the file that this package carries."""
    prices = shop.read_prices()
    return MaterializeResult(value=prices, metadata={"products": len(prices)})


@asset(group_name="shops", kinds={"python"}, partitions_def=DAYS)
def orders(context: AssetExecutionContext, price_list: dict[str, shop.Price]) -> MaterializeResult[list[shop.Order]]:
    """All shops' orders of one day."""
    lines = shop.orders_of(context.partition_key, sorted(price_list))
    context.log.info("%d orders on %s", len(lines), context.partition_key)
    return MaterializeResult(value=lines, metadata={"orders": len(lines)})


@asset(group_name="shops", kinds={"python"}, partitions_def=DAYS)
def revenue(orders: list[shop.Order], price_list: dict[str, shop.Price]) -> MaterializeResult[dict[str, int]]:
    """What each shop earned on one day, in euro cents."""
    earned = shop.revenue(orders, price_list)
    return MaterializeResult(value=earned, metadata={"euro": sum(earned.values()) / 100})


@asset(group_name="shops", kinds={"python"}, partitions_def=SHOPS)
def stock(context: AssetExecutionContext, price_list: dict[str, shop.Price]) -> MaterializeResult[dict[str, int]]:
    """How many units of each product one shop has."""
    cases = shop.cases_in_stock(context.partition_key, sorted(price_list))
    units = {product: count * price_list[product].units_per_case for product, count in cases.items()}
    return MaterializeResult(value=units, metadata={"units": sum(units.values())})


@asset_check(asset=price_list)
def prices_are_plausible(price_list: dict[str, shop.Price]) -> AssetCheckResult:
    """A price below 50 cents or above 20 euro is more likely a slip of the comma than a price."""
    odd = sorted(product for product, price in price_list.items() if not 50 <= price.cents <= 2000)
    return AssetCheckResult(passed=not odd, severity=AssetCheckSeverity.WARN, metadata={"odd": odd})
