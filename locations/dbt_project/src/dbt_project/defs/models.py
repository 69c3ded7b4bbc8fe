"""dbt's seeds, models and tests as assets and asset checks."""

# Dagster reads the annotation of `context` as an object, so annotations are not postponed here.

import json
import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from dagster import AssetExecutionContext, DailyPartitionsDefinition
from dagster_dbt import DbtCliResource, dbt_assets

from dbt_project import database, manifest

# The seeds have the sales of 2026; a till would go on.
DAYS = DailyPartitionsDefinition(start_date="2026-01-01", end_date="2027-01-01")
BY_DAY = "tag:by_day"

_MANIFEST = manifest.prepared() / "manifest.json"


@dbt_assets(manifest=_MANIFEST, exclude=BY_DAY, name="bakery", pool="bakery")
def bakery(context: AssetExecutionContext, dbt: DbtCliResource) -> Iterator[Any]:
    """All that is made anew as a whole."""
    yield from _build(context, dbt, {})


@dbt_assets(manifest=_MANIFEST, select=BY_DAY, name="bakery_by_day", partitions_def=DAYS, pool="bakery")
def bakery_by_day(context: AssetExecutionContext, dbt: DbtCliResource) -> Iterator[Any]:
    """What is made for the days that the run is for: one, or in a backfill all of them at once."""
    days = context.partition_time_window
    yield from _build(
        context, dbt, {"from_day": days.start.date().isoformat(), "before_day": days.end.date().isoformat()}
    )


def _build(context: AssetExecutionContext, dbt: DbtCliResource, variables: dict[str, str]) -> Iterator[Any]:
    file = database.duckdb_file(Path(context.instance.storage_directory()))
    # dbt's process inherits this; a run is one process and has one database
    os.environ[database.FOR_DBT] = str(file)
    # a folder of its own for what dbt writes: an image's user cannot write to the project's
    with TemporaryDirectory(prefix="dbt-") as target, database.alone(file):
        command = ["build", *(["--vars", json.dumps(variables)] if variables else [])]
        yield from dbt.cli(command, context=context, target_path=Path(target)).stream()
