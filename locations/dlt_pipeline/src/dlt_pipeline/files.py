"""The dlt source: the files that this package carries. No Dagster here, so that it is tested without it.

``observatories.csv`` has four observatories; ``daylight.jsonl`` has when the sun rose and set there on each day of
2026, in minutes of UTC (below 0 and above 1439 is the day before and after), by the equations of NOAA's solar
calculator for sea level and 90.833 degrees. They are good to some two minutes.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import dlt

DATA = Path(__file__).parent / "data"
FIRST_DAY = date(2026, 1, 1)
AFTER_LAST_DAY = date(2027, 1, 1)


@dlt.resource(
    primary_key="observatory",
    write_disposition="merge",
    columns={"latitude": {"data_type": "double"}, "longitude": {"data_type": "double"}},
)
def observatories(folder: Path = DATA) -> Iterator[dict[str, Any]]:
    """Where the observatories are: ``observatory``, ``latitude``, ``longitude`` (degrees, east positive)."""
    with (folder / "observatories.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            yield row | {"latitude": float(row["latitude"]), "longitude": float(row["longitude"])}


@dlt.resource(primary_key=("observatory", "day"), write_disposition="merge", columns={"day": {"data_type": "date"}})
def daylight(start: date = FIRST_DAY, end: date = AFTER_LAST_DAY, folder: Path = DATA) -> Iterator[dict[str, Any]]:
    """One row for each observatory and day from ``start`` up to, not including, ``end``.

    Rows replace those with the same observatory and day, so that a day loaded twice is there once. There is no cursor:
    the partitions say what is loaded, and a cursor would skip a day that is loaded again.
    """
    with (folder / "daylight.jsonl").open(encoding="utf-8") as file:
        for line in file:
            row = json.loads(line)
            if start.isoformat() <= row["day"] < end.isoformat():
                yield row


@dlt.source(name="places")
def places() -> Any:
    """What does not change from day to day."""
    return observatories()


@dlt.source(name="sky")
def sky(start: date = FIRST_DAY, end: date = AFTER_LAST_DAY) -> Any:
    """What is new each day, of the days from ``start`` up to, not including, ``end``."""
    return daylight(start, end)
