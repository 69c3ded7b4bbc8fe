"""Operations of the run storage (dagster_cloud/storage/runs/queries.py)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from dagster._core.errors import DagsterRunAlreadyExists, DagsterRunNotFoundError, DagsterSnapshotDoesNotExist
from dagster._core.execution.backfill import BulkActionsFilter, BulkActionStatus, PartitionBackfill
from dagster._core.remote_origin import RemoteJobOrigin
from dagster._core.snap import ExecutionPlanSnapshot, JobSnap
from dagster._core.storage.dagster_run import DagsterRun, RunsFilter
from dagster._daemon.types import DaemonHeartbeat
from dagster._serdes import deserialize_value, serialize_value
from dagster._time import datetime_from_timestamp

from hybrid.emulator.runtime.bridge import wire
from hybrid.emulator.runtime.bridge.operation import OK, Bridge, Operations
from hybrid.emulator.runtime.bridge.wire import Wire

QUERY: Final = Operations("RunStorageQuery")
MUTATION: Final = Operations("RunStorageMutation")


@QUERY.serves("getRuns")
def runs(
    bridge: Bridge,
    filters: Wire | None = None,
    cursor: str | None = None,
    limit: int | None = None,
    bucket_by: Wire | None = None,
    ascending: bool | None = None,
) -> list[str]:
    found = bridge.storages.runs.get_runs(
        wire.runs_filter(filters), cursor, limit, wire.bucket(bucket_by), bool(ascending)
    )
    return [serialize_value(run) for run in found]


@QUERY.serves("getRunIds")
def run_ids(
    bridge: Bridge, filters: Wire | None = None, cursor: str | None = None, limit: int | None = None
) -> Sequence[str]:
    return bridge.storages.runs.get_run_ids(wire.runs_filter(filters), cursor, limit)


@QUERY.serves("getRunsCount")
def runs_count(bridge: Bridge, filters: Wire | None = None) -> int:
    return bridge.storages.runs.get_runs_count(wire.runs_filter(filters))


@QUERY.serves("getRunById")
def run_by_id(bridge: Bridge, run_id: str) -> str | None:
    run = _run(bridge, run_id)
    return serialize_value(run) if run else None


def _run(bridge: Bridge, run_id: str) -> DagsterRun | None:
    return next(iter(bridge.storages.runs.get_runs(RunsFilter(run_ids=[run_id]))), None)


@QUERY.serves("hasRun")
def has_run(bridge: Bridge, run_id: str) -> bool:
    return bridge.storages.runs.has_run(run_id)


@QUERY.serves("getRunGroupOrError")
def run_group(bridge: Bridge, run_id: str) -> Wire:
    """``RunNotFoundError`` is what the client's code reads, ``PipelineRunNotFoundError`` what its document says."""
    try:
        group = bridge.storages.runs.get_run_group(run_id)
    except DagsterRunNotFoundError:
        group = None
    if group is None:
        return {"__typename": "RunNotFoundError", "runId": run_id}
    root, members = group
    return {
        "__typename": "SerializedRunGroup",
        "rootRunId": root,
        "serializedRuns": [serialize_value(run) for run in members],
    }


@QUERY.serves("getRunRecords")
def run_records(
    bridge: Bridge,
    filters: Wire | None = None,
    limit: int | None = None,
    order_by: str | None = None,
    ascending: bool | None = None,
    cursor: str | None = None,
    bucket_by: Wire | None = None,
) -> list[Wire]:
    records = bridge.storages.runs.get_run_records(
        wire.runs_filter(filters), limit, order_by, bool(ascending), cursor, wire.bucket(bucket_by)
    )
    return [wire.run_record(record) for record in records]


@QUERY.serves("getRunTags")
def run_tags(
    bridge: Bridge, json_tag_keys: str, value_prefix: str | None = None, limit: int | None = None
) -> list[Wire]:
    tags = bridge.storages.runs.get_run_tags(json.loads(json_tag_keys), value_prefix, limit)
    return [{"key": key, "values": sorted(values)} for key, values in tags]


@QUERY.serves("getRunTagKeys")
def run_tag_keys(bridge: Bridge) -> Sequence[str]:
    return bridge.storages.runs.get_run_tag_keys()


@QUERY.serves("hasPipelineSnapshot")
def has_job_snapshot(bridge: Bridge, pipeline_snapshot_id: str) -> bool:
    return bridge.storages.runs.has_job_snapshot(pipeline_snapshot_id)


@QUERY.serves("getPipelineSnapshot")
def job_snapshot(bridge: Bridge, pipeline_snapshot_id: str) -> str:
    return serialize_value(bridge.storages.runs.get_job_snapshot(pipeline_snapshot_id))


@QUERY.serves("hasExecutionPlanSnapshot")
def has_plan_snapshot(bridge: Bridge, execution_plan_snapshot_id: str) -> bool:
    return bridge.storages.runs.has_execution_plan_snapshot(execution_plan_snapshot_id)


@QUERY.serves("getExecutionPlanSnapshot")
def plan_snapshot(bridge: Bridge, execution_plan_snapshot_id: str) -> str:
    return serialize_value(bridge.storages.runs.get_execution_plan_snapshot(execution_plan_snapshot_id))


@QUERY.serves("getDaemonHeartbeats")
def daemon_heartbeats(bridge: Bridge) -> str:
    beats = bridge.storages.runs.get_daemon_heartbeats()
    return json.dumps({daemon: serialize_value(beat) for daemon, beat in beats.items()})


@QUERY.serves("getBackfills")
def backfills(
    bridge: Bridge,
    status: str | None = None,
    cursor: str | None = None,
    limit: int | None = None,
    filters: Wire | None = None,
) -> list[str]:
    found = bridge.storages.runs.get_backfills(
        filters=_backfills_filter(filters),
        cursor=cursor,
        limit=limit,
        status=BulkActionStatus(status) if status else None,
    )
    return [serialize_value(backfill) for backfill in found]


def _backfills_filter(given: Wire | None) -> BulkActionsFilter | None:
    if given is None:
        return None
    after, before = given.get("createdAfter"), given.get("createdBefore")
    statuses = given.get("statuses")
    return BulkActionsFilter(
        statuses=[BulkActionStatus(status) for status in statuses] if statuses else None,
        created_after=datetime_from_timestamp(after) if after else None,
        created_before=datetime_from_timestamp(before) if before else None,
        selector_id=given.get("selectorId"),
    )


@QUERY.serves("getBackfill")
def backfill(bridge: Bridge, backfill_id: str) -> str | None:
    found = bridge.storages.runs.get_backfill(backfill_id)
    return serialize_value(found) if found else None


@QUERY.serves("getRunPartitionData")
def run_partition_data(bridge: Bridge, runs_filter: Wire) -> list[str]:
    given = wire.runs_filter(runs_filter)
    return [serialize_value(data) for data in bridge.storages.runs.get_run_partition_data(given or RunsFilter())]


@MUTATION.serves("addRun")
def add_run(bridge: Bridge, serialized_pipeline_run: str) -> Wire:
    return _adding(lambda: bridge.storages.runs.add_run(deserialize_value(serialized_pipeline_run, DagsterRun)))


@MUTATION.serves("addHistoricalRun")
def add_historical_run(bridge: Bridge, serialized_pipeline_run: str, run_creation_time: float) -> Wire:
    run = deserialize_value(serialized_pipeline_run, DagsterRun)
    return _adding(lambda: bridge.storages.runs.add_historical_run(run, datetime_from_timestamp(run_creation_time)))


def _adding(add: Any) -> Wire:
    """The client turns these two errors, by class name, back into what they are."""
    try:
        add()
    except (DagsterRunAlreadyExists, DagsterSnapshotDoesNotExist) as refused:
        error: Wire = {"message": str(refused), "className": type(refused).__name__, "stack": [], "cause": None}
        return {"ok": False, "error": error}
    return {"ok": True, "error": None}


@MUTATION.serves("addRunTags")
def add_run_tags(bridge: Bridge, run_id: str, json_new_tags: str) -> Wire:
    bridge.storages.runs.add_run_tags(run_id, json.loads(json_new_tags))
    return OK


@MUTATION.serves("addPipelineSnapshot")
def add_job_snapshot(bridge: Bridge, serialized_pipeline_snapshot: str, snapshot_id: str | None = None) -> Wire:
    """The id is a hash of the snapshot, so ``snapshot_id`` says nothing new."""
    bridge.storages.runs.add_job_snapshot(deserialize_value(serialized_pipeline_snapshot, JobSnap))
    return OK


@MUTATION.serves("addExecutionPlanSnapshot")
def add_plan_snapshot(bridge: Bridge, serialized_execution_plan_snapshot: str, snapshot_id: str | None = None) -> Wire:
    snapshot = deserialize_value(serialized_execution_plan_snapshot, ExecutionPlanSnapshot)
    return {"ok": True, "snapshotId": bridge.storages.runs.add_execution_plan_snapshot(snapshot)}


@MUTATION.serves("addDaemonHeartbeat")
def add_daemon_heartbeat(bridge: Bridge, serialized_daemon_heartbeat: str) -> Wire:
    bridge.storages.runs.add_daemon_heartbeat(deserialize_value(serialized_daemon_heartbeat, DaemonHeartbeat))
    return OK


@MUTATION.serves("addRunTelemetry")
def add_run_telemetry(bridge: Bridge, serialized_telemetry: str, serialized_tags: str) -> Wire:
    """Taken and dropped (``invented``): Insights here are made of runs and events, and need nothing of it."""
    return OK


@MUTATION.serves("addBackfill")
def add_backfill(bridge: Bridge, serialized_partition_backfill: str) -> Wire:
    bridge.storages.runs.add_backfill(deserialize_value(serialized_partition_backfill, PartitionBackfill))
    return OK


@MUTATION.serves("updateBackfill")
def update_backfill(bridge: Bridge, serialized_partition_backfill: str) -> Wire:
    bridge.storages.runs.update_backfill(deserialize_value(serialized_partition_backfill, PartitionBackfill))
    return OK


@MUTATION.serves("mutateJobOrigin")
def mutate_job_origin(bridge: Bridge, run_id: str, serialized_job_origin: str) -> Wire:
    run = _run(bridge, run_id)
    if run is None:
        raise LookupError(f"Run {run_id} is not in the run storage.")
    bridge.storages.runs.replace_job_origin(run, deserialize_value(serialized_job_origin, RemoteJobOrigin))
    return OK
