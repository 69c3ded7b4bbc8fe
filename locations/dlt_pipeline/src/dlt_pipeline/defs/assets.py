"""The tables in the warehouse, their partitions and their check."""

# Dagster reads the annotation of `context` as an object, so annotations are not postponed here.

import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import dlt
from dagster import (
    AssetCheckExecutionContext,
    AssetCheckResult,
    AssetExecutionContext,
    AssetKey,
    AssetSpec,
    DailyPartitionsDefinition,
    MaterializeResult,
    asset_check,
)
from dagster_dlt import DagsterDltResource, DagsterDltTranslator, dlt_assets
from dagster_dlt.translator import DltResourceTranslatorData

from dlt_pipeline import files, warehouse

DAYS = DailyPartitionsDefinition(start_date=files.FIRST_DAY.isoformat(), end_date=files.AFTER_LAST_DAY.isoformat())

# dlt reports every load to its makers unless it is told not to.
os.environ.setdefault("RUNTIME__DLTHUB_TELEMETRY", "false")

# dagster-dlt wants a pipeline to describe the assets with. It loads nothing, and dlt makes its folder at once: in the
# home folder, which an image's user does not have.
_FOLDER = TemporaryDirectory(prefix="dlt-", ignore_cleanup_errors=True)
_DESCRIBED = dlt.pipeline("dlt_pipeline", dataset_name=warehouse.DATASET, pipelines_dir=_FOLDER.name)


class Tables(DagsterDltTranslator):
    """An asset has its table's name, in the dataset's group, and nothing above it."""

    def get_asset_spec(self, data: DltResourceTranslatorData) -> AssetSpec:
        spec = super().get_asset_spec(data)
        kind = os.environ.get(warehouse.DESTINATION, "duckdb")
        return spec.replace_attributes(
            key=AssetKey(data.resource.name), deps=[], group_name=warehouse.DATASET, kinds={"dlt", kind}
        )


@dlt_assets(
    dlt_source=files.places(), dlt_pipeline=_DESCRIBED, name="places", dagster_dlt_translator=Tables(), pool="warehouse"
)
def places(context: AssetExecutionContext, dlt: DagsterDltResource) -> Iterator[MaterializeResult]:
    """Where the observatories are."""
    with warehouse.pipeline(_storage(context)) as pipeline:
        yield from dlt.run(context=context, dlt_source=files.places(), dlt_pipeline=pipeline)


@dlt_assets(
    dlt_source=files.sky(),
    dlt_pipeline=_DESCRIBED,
    name="sky",
    dagster_dlt_translator=Tables(),
    partitions_def=DAYS,
    pool="warehouse",
)
def sky(context: AssetExecutionContext, dlt: DagsterDltResource) -> Iterator[MaterializeResult]:
    """Daylight of the days that the run is for: one, or in a backfill all of them at once."""
    days = context.partition_time_window
    source = files.sky(days.start.date(), days.end.date())
    with warehouse.pipeline(_storage(context)) as pipeline:
        yield from dlt.run(context=context, dlt_source=source, dlt_pipeline=pipeline)


@asset_check(asset=AssetKey("daylight"), description="Each observatory has each loaded day once, and the sun sets.")
def each_day_once(context: AssetCheckExecutionContext) -> AssetCheckResult:
    """Asks the table itself, whichever warehouse it is in."""
    with warehouse.pipeline(Path(context.instance.storage_directory())) as pipeline, pipeline.sql_client() as client:
        table = client.make_qualified_table_name("daylight")
        rows = client.execute_sql(
            # the name is dlt's, quoted
            "SELECT count(*), count(DISTINCT day), count(DISTINCT observatory), "  # noqa: S608
            f"sum(CASE WHEN sunset <= sunrise THEN 1 ELSE 0 END) FROM {table}"
        )
    found, days, observatories, odd = rows[0]
    return AssetCheckResult(
        passed=found == days * observatories and not odd,
        metadata={"rows": found, "days": days, "observatories": observatories, "odd": odd or 0},
    )


def _storage(context: AssetExecutionContext) -> Path:
    return Path(context.instance.storage_directory())
