"""What is run, and when. The schedule is stopped until someone turns it on: a deployment does no work unasked."""

from dagster import AssetSelection, build_schedule_from_partitioned_job, define_asset_job

load_places = define_asset_job(
    "load_places", selection=AssetSelection.assets("observatories"), description="The observatories."
)
load_day = define_asset_job(
    "load_day",
    selection=AssetSelection.assets("daylight"),
    description="Daylight of one day, or of many in a backfill.",
)
every_night = build_schedule_from_partitioned_job(
    load_day, name="every_night", hour_of_day=1, description="Yesterday, at one in the morning UTC."
)
