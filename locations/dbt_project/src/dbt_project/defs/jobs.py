"""What is run, and when. The schedule is stopped until someone turns it on: a deployment does no work unasked."""

from dagster import AssetSelection, build_schedule_from_partitioned_job, define_asset_job

from dbt_project.defs.models import bakery, bakery_by_day

build_all = define_asset_job(
    "build_all", selection=AssetSelection.assets(bakery), description="Seeds and all models but those by day."
)
# With what they are made from, so that it works on a deployment where nothing has run yet.
build_day = define_asset_job(
    "build_day",
    selection=AssetSelection.assets(bakery_by_day).upstream(),
    description="The sales of one day, or of many in a backfill.",
)
every_evening = build_schedule_from_partitioned_job(
    build_day, name="every_evening", hour_of_day=1, description="Yesterday's sales, at one in the morning UTC."
)
