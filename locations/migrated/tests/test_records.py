"""What the pipelines compute, without Dagster."""

from __future__ import annotations

from pathlib import Path

import pytest
from migrated.records import DATA, converted, left, orders_in, products, rates_in, wanted


@pytest.mark.parametrize("line", ["7,pencil", "x,pencil,2", "7,pencil,two"])
def test_a_line_that_is_no_order_is_named(tmp_path: Path, line: str) -> None:
    file = tmp_path / "orders-2026-01-05.csv"
    file.write_text(f"number,product,quantity\n6,pencil,1\n{line}\n")
    with pytest.raises(ValueError, match=r"orders-2026-01-05\.csv, line 3: not an order"):
        orders_in(file)


def test_a_price_is_converted_at_the_exact_rate() -> None:
    prices = [{"product": "car", "price_cents": 1_000_000_00, "delivered": 1}]
    rates = [{"currency": "DEM", "per_euro": "1.95583"}, {"currency": "IEP", "per_euro": "0.787564"}]
    found = {row["currency"]: row["hundredths"] for row in converted(prices, rates)}
    assert found == {"DEM": 195_583_000, "IEP": 78_756_400}, "a float would lose the last figures"


def test_half_a_hundredth_is_rounded_up() -> None:
    half = [{"currency": "X", "per_euro": "0.5"}]
    assert converted([{"product": "a", "price_cents": 5, "delivered": 1}], half)[0]["hundredths"] == 3


def test_the_shelf_is_what_was_delivered_less_what_was_sold() -> None:
    delivered = [{"product": "pencil", "price_cents": 80, "delivered": 50}]
    stock = left(delivered, [{"number": 1, "product": "pencil", "quantity": 20}])
    assert stock == [{"product": "pencil", "units": 30}]
    assert wanted(stock) == [{"product": "pencil", "units": 70}], "below forty, a hundred are to be there again"


def test_the_packaged_files_are_read() -> None:
    assert len(rates_in(DATA / "euro_rates.csv")) == 20, "the currencies that the euro has replaced"
    assert {row["product"] for row in products()} == {"notebook", "pencil", "eraser", "ruler"}
    assert [len(orders_in(file)) for file in sorted((DATA / "orders").iterdir())] == [24] * 5
