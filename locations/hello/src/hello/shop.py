"""The shops' own records, as plain values. No Dagster here, so that it is tested without it.

A real location would ask a till and a warehouse. This one makes the same records for the same day and shop every
time, so that it needs no network and a repeated run gives the same result.
"""

from __future__ import annotations

import csv
import hashlib
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

SHOPS = ("amsterdam", "berlin", "lisbon")
PRICE_FILE = Path(__file__).parent / "data" / "prices.csv"


@dataclass(frozen=True)
class Price:
    """What one product costs, in euro cents, and how many of it come in a case."""

    cents: int
    units_per_case: int


@dataclass(frozen=True)
class Order:
    """One line on a receipt."""

    shop: str
    product: str
    quantity: int


def read_prices(path: Path = PRICE_FILE) -> dict[str, Price]:
    """The price list in ``path`` by product. Raises ``ValueError`` for a price below one cent."""
    with path.open(encoding="utf-8", newline="") as file:
        prices = {
            row["product"]: Price(int(row["price_cents"]), int(row["units_per_case"])) for row in csv.DictReader(file)
        }
    for product, price in prices.items():
        if price.cents < 1:
            raise ValueError(f"{path.name}: {product} costs {price.cents} cents; a price is at least one cent")
    return prices


def orders_of(day: str, products: Sequence[str]) -> list[Order]:
    """All shops' orders of ``day`` (ISO date), 40 to 120 a shop."""
    till = _records(day)
    return [
        Order(shop, till.choice(products), till.randint(1, 4)) for shop in SHOPS for _ in range(till.randint(40, 120))
    ]


def cases_in_stock(shop: str, products: Sequence[str]) -> dict[str, int]:
    """How many full cases of each product ``shop`` has."""
    shelf = _records(shop)
    return {product: shelf.randint(0, 12) for product in products}


def revenue(orders: Sequence[Order], prices: Mapping[str, Price]) -> dict[str, int]:
    """Euro cents earned by each shop; a shop without orders earned nothing."""
    earned = dict.fromkeys(SHOPS, 0)
    for order in orders:
        earned[order.shop] += order.quantity * prices[order.product].cents
    return earned


def _records(subject: str) -> random.Random:
    # random.seed of a text differs between Python versions; a digest does not
    seed = int.from_bytes(hashlib.sha256(subject.encode()).digest()[:8], "big")
    return random.Random(seed)  # noqa: S311 - sample data, not a secret
