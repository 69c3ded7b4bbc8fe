"""What an estimate is, whoever's prices it used: lines, their sum, and whose prices they are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Protocol

HOURS: Final = 730
"""Hours of a month, as the clouds' own calculators have them."""


class PriceList(Protocol):
    """Whose prices an estimate used."""

    @property
    def as_of(self) -> str:
        """The month in which they were read, YYYY-MM."""
        ...

    @property
    def region(self) -> str: ...

    @property
    def remark(self) -> str:
        """What a reader of the sum has to know, in sentences."""
        ...


@dataclass(frozen=True)
class Line:
    """One line of an estimate. ``dollars`` a month, for all ``count``."""

    what: str
    count: int
    dollars: float


@dataclass(frozen=True)
class Estimate:
    """The lines, dearest first, and whose prices they are."""

    lines: tuple[Line, ...]
    prices: PriceList

    @classmethod
    def of(cls, lines: Iterable[Line], prices: PriceList) -> Estimate:
        """What there is none of has no line."""
        return cls(tuple(sorted((line for line in lines if line.count), key=lambda line: -line.dollars)), prices)

    @property
    def dollars(self) -> float:
        """The sum, a month."""
        return sum(line.dollars for line in self.lines)

    def document(self) -> dict[str, Any]:
        """For ``--json``; the keys do not change."""
        return {
            "dollars_per_month": round(self.dollars, 2),
            "prices_as_of": self.prices.as_of,
            "prices_of": self.prices.region,
            "lines": [
                {"what": line.what, "count": line.count, "dollars_per_month": round(line.dollars, 2)}
                for line in self.lines
            ],
        }
