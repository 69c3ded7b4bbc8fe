"""The files that ship with the package, without Dagster and without a warehouse."""

from __future__ import annotations

import csv
import importlib.util
from datetime import date
from pathlib import Path
from types import ModuleType

import pytest
from dlt_pipeline import files


@pytest.fixture(scope="module")
def sun() -> ModuleType:
    spec = importlib.util.spec_from_file_location("sun", Path(__file__).with_name("sun.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_data_agrees_with_the_sun(sun: ModuleType) -> None:
    with (files.DATA / "observatories.csv").open(encoding="utf-8", newline="") as file:
        places = {row["observatory"]: (float(row["latitude"]), float(row["longitude"])) for row in csv.DictReader(file)}
    rows = list(files.daylight())
    assert len(rows) == 365 * len(places), "each observatory has each day of 2026"
    for row in rows:
        expected = sun.rise_and_set(date.fromisoformat(row["day"]), *places[row["observatory"]])
        assert (row["sunrise"], row["sunset"]) == expected, (
            f"{row['observatory']} on {row['day']} is not what the sun does"
        )


def test_the_equations_agree_with_an_almanac(sun: ModuleType) -> None:
    rise, fall = sun.rise_and_set(date(2026, 6, 21), 51.4779, -0.0015)
    assert abs(rise - (3 * 60 + 43)) <= 2, "at Greenwich the sun rises at 03:43 UTC on the longest day"
    assert abs(fall - (20 * 60 + 21)) <= 2, "and sets at 20:21 UTC"


def test_a_window_has_its_first_day_and_not_its_last() -> None:
    days = {row["day"] for row in files.daylight(date(2026, 2, 3), date(2026, 2, 5))}
    assert days == {"2026-02-03", "2026-02-04"}, "else two windows side by side would load a day twice, or none"
