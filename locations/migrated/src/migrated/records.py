"""What the three pipelines compute, as plain functions on rows. No Dagster here, so that it is tested without it.

``data/euro_rates.csv`` has the rates at which currencies were replaced by the euro, which are fixed by law and never
change; orders and products are made up.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

DATA = Path(__file__).parent / "data"
LOW = 40
FULL = 100

Rows = list[dict[str, Any]]


def orders_in(file: Path) -> Rows:
    """The order lines in ``file``: ``number``, ``product``, ``quantity``. Raises ``ValueError`` that names a line."""
    rows: Rows = []
    for line, row in enumerate(_read(file), start=2):
        try:
            rows.append({"number": int(row["number"]), "product": row["product"], "quantity": int(row["quantity"])})
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{file.name}, line {line}: not an order ({error})") from error
    return rows


def ordered(rows: Sequence[dict[str, Any]]) -> Rows:
    """The lines that order something."""
    return [row for row in rows if row["quantity"] > 0]


def products() -> Rows:
    """``product``, ``price_cents`` (euro cents), ``delivered`` (units)."""
    rows = _read(DATA / "products.csv")
    return [
        {"product": row["product"], "price_cents": int(row["price_cents"]), "delivered": int(row["delivered"])}
        for row in rows
    ]


def rates_in(file: Path) -> Rows:
    """``currency`` and ``per_euro``, the latter as text, because a rate is exact and a float is not."""
    return [{"currency": row["currency"], "per_euro": str(Decimal(row["per_euro"]))} for row in _read(file)]


def converted(prices: Rows, rates: Rows) -> Rows:
    """Each price in hundredths of each currency, rounded half up as the law on these rates says."""
    return [
        {
            "product": price["product"],
            "currency": rate["currency"],
            "hundredths": int((Decimal(price["price_cents"]) * Decimal(rate["per_euro"])).quantize(0, ROUND_HALF_UP)),
        }
        for price in prices
        for rate in rates
    ]


def left(delivered: Rows, sold: Rows) -> Rows:
    """How many units of each product are on the shelf."""
    gone: Counter[str] = Counter()
    for row in sold:
        gone[row["product"]] += row["quantity"]
    return [{"product": row["product"], "units": row["delivered"] - gone[row["product"]]} for row in delivered]


def wanted(stock: Rows) -> Rows:
    """What to order of products of which fewer than ``LOW`` units are left, so that there are ``FULL``."""
    short = [row for row in stock if row["units"] < LOW]
    return [
        {"product": row["product"], "units": FULL - row["units"]}
        for row in sorted(short, key=lambda row: row["product"])
    ]


def _read(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))
