"""User code: every kind of partition, and jobs whose configuration depends on one."""

from collections.abc import Sequence

import dagster as dg

letters = dg.StaticPartitionsDefinition(["a", "b", "c"])
days = dg.DailyPartitionsDefinition(start_date="2026-01-01", end_date="2026-01-08")
places = dg.DynamicPartitionsDefinition(name="places")
grid = dg.MultiPartitionsDefinition({"day": days, "letter": letters})


@dg.asset(partitions_def=letters)
def letter(context: dg.AssetExecutionContext) -> str:
    return str(context.partition_key).upper()


@dg.asset(partitions_def=days)
def daily(context: dg.AssetExecutionContext) -> str:
    return str(context.partition_key)


@dg.asset(partitions_def=days)
def doubled(context: dg.AssetExecutionContext, daily: str) -> str:
    context.add_output_metadata({"value": daily * 2})
    return daily * 2


@dg.asset(partitions_def=grid)
def cell(context: dg.AssetExecutionContext, letter: str) -> None:
    key = context.partition_key
    assert isinstance(key, dg.MultiPartitionKey)
    context.add_output_metadata({"value": f"{letter} on {key.keys_by_dimension['day']}"})


@dg.asset(partitions_def=places)
def place(context: dg.AssetExecutionContext) -> str:
    return str(context.partition_key)


@dg.asset
def surveyed(context: dg.AssetExecutionContext) -> None:
    """Adds and deletes dynamic partitions while it runs."""
    context.instance.add_dynamic_partitions("places", ["paris", "rome", "turin"])
    context.instance.delete_dynamic_partition("places", "turin")
    known = {name: context.instance.has_dynamic_partition("places", name) for name in ("rome", "turin")}
    context.add_output_metadata(
        {"known": str(known), "all": ",".join(sorted(context.instance.get_dynamic_partitions("places")))}
    )


@dg.static_partitioned_config(partition_keys=["north", "south"], tags_for_partition_key_fn=lambda key: {"region": key})
def by_region(key: str) -> dict[str, object]:
    return {"ops": {"visit": {"config": {"region": key}}}}


def _seasons(_current_time: object = None) -> Sequence[str]:
    return ["spring", "autumn"]


@dg.dynamic_partitioned_config(partition_fn=_seasons)
def by_season(key: str) -> dict[str, object]:
    return {"ops": {"visit": {"config": {"region": key}}}}


@dg.op(config_schema={"region": str})
def visit(context: dg.OpExecutionContext) -> None:
    context.log.info(f"visited {context.op_config['region']}")


@dg.job(config=by_region)
def visiting() -> None:
    visit()


@dg.job(config=by_season)
def travelling() -> None:
    visit()


defs = dg.Definitions(
    assets=[letter, daily, doubled, cell, place, surveyed],
    jobs=[visiting, travelling],
    executor=dg.in_process_executor,
)
