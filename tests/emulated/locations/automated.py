"""User code: what Dagster's daemons do by themselves, checks, and what else the code server is asked for."""

from pathlib import Path

import dagster as dg


@dg.asset
def source() -> int:
    return 1


@dg.asset(automation_condition=dg.AutomationCondition.eager())
def follower(source: int) -> int:
    return source + 1


@dg.asset_check(asset=source)
def is_one(source: int) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=source == 1, metadata={"value": source})


@dg.asset_check(asset=source)
def is_large(source: int) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=source > 100, severity=dg.AssetCheckSeverity.WARN, description="it is small")


@dg.asset
def guarded() -> int:
    return 3


@dg.asset_check(asset=guarded, blocking=True)
def is_even(guarded: int) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=guarded % 2 == 0)


@dg.asset
def behind_the_guard(guarded: int) -> int:
    return guarded


@dg.asset(metadata={"dagster_notebook": dg.MetadataValue.notebook(str(Path.cwd() / "told.ipynb"))})
def told() -> int:
    return 5


@dg.op
def note(context: dg.OpExecutionContext) -> None:
    context.log.info("noted")


@dg.job
def noting() -> None:
    note()


@dg.schedule(cron_schedule="* * * * *", job=noting, default_status=dg.DefaultScheduleStatus.RUNNING)
def each_minute(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    return dg.RunRequest(run_key=None, tags={"at": context.scheduled_execution_time.isoformat()})


@dg.sensor(job=noting, minimum_interval_seconds=5, default_status=dg.DefaultSensorStatus.RUNNING)
def counting(context: dg.SensorEvaluationContext) -> dg.SensorResult:
    count = int(context.cursor or 0) + 1
    return dg.SensorResult(run_requests=[dg.RunRequest(run_key="first", tags={"count": str(count)})], cursor=str(count))


@dg.multi_asset_sensor(
    monitored_assets=[dg.AssetKey("source"), dg.AssetKey("guarded")],
    job=noting,
    minimum_interval_seconds=5,
    default_status=dg.DefaultSensorStatus.RUNNING,
)
def watching(context: dg.MultiAssetSensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    records = context.latest_materialization_records_by_key()
    if not all(records.values()):
        return dg.SkipReason("not all are there")
    context.advance_all_cursors()  # type: ignore[no-untyped-call]
    return dg.RunRequest(run_key="both", tags={"watched": "source,guarded"})


automation = dg.AutomationConditionSensorDefinition(
    "automation",
    target=dg.AssetSelection.assets("follower"),
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=5,
)

defs = dg.Definitions(
    assets=[source, follower, guarded, behind_the_guard, told],
    asset_checks=[is_one, is_large, is_even],
    jobs=[noting],
    schedules=[each_minute],
    sensors=[counting, watching, automation],
    executor=dg.in_process_executor,
)
