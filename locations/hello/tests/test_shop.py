"""The shops' records and arithmetic, without Dagster."""

from __future__ import annotations

from pathlib import Path

import pytest
from hello.shop import SHOPS, Order, Price, cases_in_stock, orders_of, read_prices, revenue


def test_the_packaged_price_list_is_read() -> None:
    prices = read_prices()
    assert prices["espresso"] == Price(cents=240, units_per_case=200)


def test_a_price_of_nothing_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "prices.csv"
    file.write_text("product,price_cents,units_per_case\nair,0,1\n")
    with pytest.raises(ValueError, match="air costs 0 cents"):
        read_prices(file)


def test_the_same_day_always_has_the_same_orders() -> None:
    products = ["espresso", "oat cookie"]
    assert orders_of("2026-02-03", products) == orders_of("2026-02-03", products)
    assert orders_of("2026-02-03", products) != orders_of("2026-02-04", products)


def test_revenue_is_quantity_times_price_by_shop() -> None:
    prices = {"espresso": Price(240, 1), "oat cookie": Price(220, 1)}
    orders = [Order("berlin", "espresso", 2), Order("berlin", "oat cookie", 1), Order("lisbon", "espresso", 1)]
    assert revenue(orders, prices) == {"amsterdam": 0, "berlin": 700, "lisbon": 240}


@pytest.mark.parametrize("shop", SHOPS)
def test_every_shop_counts_every_product(shop: str) -> None:
    assert set(cases_in_stock(shop, ["espresso", "oat cookie"])) == {"espresso", "oat cookie"}
