"""Between the wire's dicts and Dagster's objects. Each function names its counterpart in dagster_cloud's storage.py."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dagster._core.definitions.asset_key import AssetCheckKey
from dagster._core.definitions.dependency import NodeHandle
from dagster._core.definitions.events import AssetKey
from dagster._core.event_api import (
    AssetRecordsFilter,
    EventLogRecord,
    EventRecordsFilter,
    EventRecordsResult,
    RunStatusChangeRecordsFilter,
)
from dagster._core.events import DagsterEvent, DagsterEventType
from dagster._core.events.log import EventLogEntry
from dagster._core.execution.plan.handle import StepHandle
from dagster._core.storage.dagster_run import DagsterRunStatus, JobBucket, RunRecord, RunsFilter, TagBucket
from dagster._core.storage.event_log.base import AssetRecord, EventLogConnection
from dagster._core.storage.partition_status_cache import AssetStatusCacheValue
from dagster._serdes import deserialize_value, serialize_value
from dagster._time import datetime_from_timestamp
from dagster_shared.error import SerializableErrorInfo

Wire = Mapping[str, Any]


def asset_key(text: str) -> AssetKey:
    key = AssetKey.from_db_string(text)
    if key is None:
        raise ValueError("An asset key is empty.")
    return key


def asset_check_key(text: str) -> AssetCheckKey:
    """The inverse of ``AssetCheckKey.to_user_string``; a check's name has no colon, an asset's may."""
    asset, _, name = text.rpartition(":")
    return AssetCheckKey(AssetKey.from_user_string(asset), name)


def event_types(names: Iterable[str] | None) -> set[DagsterEventType] | None:
    return {DagsterEventType(name) for name in names} if names else None


def _tags(pairs: Sequence[Wire] | None) -> dict[str, str | Sequence[str]]:
    return {pair["key"]: pair["value"] if pair.get("value") is not None else pair["values"] for pair in pairs or ()}


def _moment(timestamp: float | None) -> Any:
    return None if timestamp is None else datetime_from_timestamp(timestamp)


# -- runs: _get_filters_input, _get_bucket_input, _run_record_from_graphql ----------------------------------------


def runs_filter(wire: Wire | None) -> RunsFilter | None:
    if wire is None:
        return None
    return RunsFilter(
        run_ids=wire.get("runIds"),
        job_name=wire.get("pipelineName"),
        statuses=[DagsterRunStatus(status) for status in wire.get("statuses") or ()],
        tags=_tags(wire.get("tags")),
        snapshot_id=wire.get("snapshotId"),
        updated_after=_moment(wire.get("updatedAfter")),
        updated_before=_moment(wire.get("updatedBefore")),
        created_after=_moment(wire.get("createdAfter")),
        created_before=_moment(wire.get("createdBefore")),
    )


def bucket(wire: Wire | None) -> JobBucket | TagBucket | None:
    if wire is None:
        return None
    if wire["bucketType"] == "job":
        return JobBucket(job_names=wire["values"], bucket_limit=wire.get("bucketLimit"))
    return TagBucket(tag_key=wire["tagKey"], tag_values=wire["values"], bucket_limit=wire.get("bucketLimit"))


def run_record(record: RunRecord) -> Wire:
    return {
        "storageId": record.storage_id,
        "serializedPipelineRun": serialize_value(record.dagster_run),
        "createTimestamp": record.create_timestamp.timestamp(),
        "updateTimestamp": record.update_timestamp.timestamp(),
        "startTime": record.start_time,
        "endTime": record.end_time,
    }


# -- events in: _input_for_event, _input_for_dagster_event, _input_for_serializable_error_info -----------------------


def event_from_client(wire: Wire) -> EventLogEntry:
    dagster_event = wire.get("dagsterEvent")
    return EventLogEntry(  # type: ignore[no-untyped-call]
        error_info=_error_from_client(wire.get("errorInfo")),
        level=wire["level"],
        user_message=wire["userMessage"],
        run_id=wire["runId"],
        timestamp=wire["timestamp"],
        step_key=wire.get("stepKey"),
        job_name=wire.get("pipelineName"),
        dagster_event=_dagster_event_from_client(dagster_event) if dagster_event else None,
    )


def _dagster_event_from_client(wire: Wire) -> DagsterEvent:
    tags, data = wire.get("loggingTags"), wire.get("eventSpecificData")
    node, step = wire.get("solidHandleId"), wire.get("stepHandleKey")
    return DagsterEvent(
        event_type_value=wire["eventTypeValue"],
        job_name=wire["pipelineName"],
        step_handle=StepHandle.parse_from_key(step) if step else None,  # type: ignore[arg-type]  # never unresolved
        node_handle=NodeHandle.from_string(node) if node else None,
        step_kind_value=wire.get("stepKindValue"),
        logging_tags=json.loads(tags) if tags else None,
        event_specific_data=deserialize_value(data) if data else None,  # type: ignore[arg-type]  # one of a union
        message=wire.get("message"),
        pid=wire.get("pid"),
        step_key=wire.get("stepKey"),
    )


def _error_from_client(wire: Wire | None) -> SerializableErrorInfo | None:
    if wire is None:
        return None
    return SerializableErrorInfo(
        message=wire["message"],
        stack=list(wire["stack"]),
        cls_name=wire.get("clsName"),
        cause=_error_from_client(wire.get("cause")),
    )


# -- events out: _event_log_entry_from_graphql, _event_record_from_graphql, _event_records_result_from_graphql -------


def event(entry: EventLogEntry) -> Wire:
    return {
        "errorInfo": serialize_value(entry.error_info) if entry.error_info else None,
        "level": entry.level,
        "userMessage": entry.user_message,
        "runId": entry.run_id,
        "timestamp": entry.timestamp,
        "stepKey": entry.step_key,
        "pipelineName": entry.job_name,
        "dagsterEvent": serialize_value(entry.dagster_event) if entry.dagster_event else None,
    }


def event_record(record: EventLogRecord) -> Wire:
    return {"storageId": record.storage_id, "eventLogEntry": event(record.event_log_entry)}


def event_records(result: EventRecordsResult | EventLogConnection) -> Wire:
    return {
        "records": [event_record(record) for record in result.records],
        "cursor": result.cursor,
        "hasMore": result.has_more,
    }


# -- filters: _get_event_records_filter_input, _get_asset_records_filter_input, _fetch_run_status_changes_filter_input


def event_records_filter(wire: Wire) -> EventRecordsFilter:
    """``runUpdatedAfter`` is left out: it means something only to an event log with one file a run."""
    _refuse_tags(wire)
    return EventRecordsFilter(
        event_type=DagsterEventType(wire["eventType"]),
        asset_key=asset_key(wire["assetKey"]) if wire.get("assetKey") else None,
        asset_partitions=wire.get("assetPartitions"),
        after_cursor=wire.get("afterCursor"),
        before_cursor=wire.get("beforeCursor"),
        after_timestamp=wire.get("afterTimestamp"),
        before_timestamp=wire.get("beforeTimestamp"),
        storage_ids=wire.get("storageIds"),
    )


def _refuse_tags(wire: Wire) -> None:
    """Dagster's filters have had no tags since 1.10; to ignore some would answer another question."""
    if wire.get("tags"):
        raise ValueError("Event records cannot be filtered by tags.")


def asset_records_filter(wire: Wire) -> AssetRecordsFilter:
    _refuse_tags(wire)
    return AssetRecordsFilter(
        asset_key=asset_key(wire["assetKey"]),
        asset_partitions=wire.get("assetPartitions"),
        after_timestamp=wire.get("afterTimestamp"),
        before_timestamp=wire.get("beforeTimestamp"),
        after_storage_id=wire.get("afterStorageId"),
        before_storage_id=wire.get("beforeStorageId"),
        storage_ids=wire.get("storageIds"),
    )


def run_status_changes_filter(wire: Wire) -> RunStatusChangeRecordsFilter:
    return RunStatusChangeRecordsFilter(
        event_type=DagsterEventType(wire["eventType"]),  # type: ignore[arg-type]  # the class checks that it is one
        after_timestamp=wire.get("afterTimestamp"),
        before_timestamp=wire.get("beforeTimestamp"),
        after_storage_id=wire.get("afterStorageId"),
        before_storage_id=wire.get("beforeStorageId"),
        storage_ids=wire.get("storageIds"),
        job_names=wire.get("jobNames"),
    )


# -- assets: _asset_record_from_graphql, _asset_check_execution_record_from_graphql --------------------------------


def asset_record(record: AssetRecord, observation: EventLogRecord | None, planned: EventLogRecord | None) -> Wire:
    entry = record.asset_entry
    materialization = entry.last_materialization_record
    details = entry.asset_details
    return {
        "storageId": record.storage_id,
        "assetEntry": {
            "assetKey": {"path": list(entry.asset_key.path)},
            "lastMaterializationRecord": event_record(materialization) if materialization else None,
            "lastRunId": entry.last_run_id,
            "assetDetails": {"lastWipeTimestamp": details.last_wipe_timestamp} if details else None,
            "cachedStatus": cached_status(entry.cached_status),
            "lastObservationRecord": event_record(observation) if observation else None,
            "lastPlannedMaterializationStorageId": planned.storage_id if planned else None,
            "lastPlannedMaterializationRunId": planned.run_id if planned else None,
        },
    }


def cached_status(value: AssetStatusCacheValue | None) -> Wire | None:
    if value is None:
        return None
    return {
        "latestStorageId": value.latest_storage_id,
        "partitionsDefId": value.partitions_def_id,
        "serializedMaterializedPartitionSubset": value.serialized_materialized_partition_subset,
        "serializedFailedPartitionSubset": value.serialized_failed_partition_subset,
        "serializedInProgressPartitionSubset": value.serialized_in_progress_partition_subset,
        "earliestInProgressMaterializationEventId": value.earliest_in_progress_materialization_event_id,
    }


def check_key(key: AssetCheckKey) -> Wire:
    return {"assetKey": {"path": list(key.asset_key.path)}, "name": key.name}
