"""Operations of the event log storage on assets and asset checks (dagster_cloud/storage/event_logs/queries.py)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from dagster._core.definitions.events import AssetKey
from dagster._core.event_api import EventRecordsResult, PartitionKeyFilter
from dagster._core.events import DagsterEventType
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecord
from dagster._core.storage.partition_status_cache import AssetStatusCacheValue

from hybrid.emulator.runtime.bridge import wire
from hybrid.emulator.runtime.bridge.events import DEFAULT_RECORDS, MUTATION, QUERY
from hybrid.emulator.runtime.bridge.operation import OK, Bridge
from hybrid.emulator.runtime.bridge.wire import Wire


@QUERY.serves("hasAssetKey")
def has_asset_key(bridge: Bridge, asset_key: str) -> bool:
    return bridge.storages.events.has_asset_key(wire.asset_key(asset_key))


@QUERY.serves("getAllAssetKeys")
def all_asset_keys(bridge: Bridge) -> list[str]:
    return [key.to_string() for key in bridge.storages.events.all_asset_keys()]  # type: ignore[no-untyped-call]


@QUERY.serves("getLatestMaterializationEvents")
def latest_materialization_events(bridge: Bridge, asset_keys: Sequence[str]) -> list[Wire]:
    found = bridge.storages.events.get_latest_materialization_events([wire.asset_key(key) for key in asset_keys])
    return [wire.event(event) for event in found.values() if event]


@QUERY.serves("getAssetRecords")
def asset_records(bridge: Bridge, asset_keys: Sequence[str] | None = None) -> list[Wire]:
    """No keys, or none given, is all assets: the client sends ``[]`` for all.

    The newest observation and planned materialization, which Dagster's SQLite records have not, are added: the client
    counts on them (``asset_records_have_last_observation``) and asks for them in no other way.
    """
    keys = [wire.asset_key(key) for key in asset_keys] if asset_keys else None
    records = bridge.storages.events.get_asset_records(keys)
    found = [record.asset_entry.asset_key for record in records]
    observed = bridge.storages.events.newest_by_asset(found, DagsterEventType.ASSET_OBSERVATION)
    planned = bridge.storages.events.newest_by_asset(found, DagsterEventType.ASSET_MATERIALIZATION_PLANNED)
    return [
        wire.asset_record(record, observed.get(key), planned.get(key))
        for key, record in zip(found, records, strict=True)
    ]


@QUERY.serves("getAssetCheckSummaryRecord")
def asset_check_summaries(bridge: Bridge, asset_check_keys: Sequence[str] | None = None) -> list[Wire]:
    keys = [wire.asset_check_key(key) for key in asset_check_keys or ()]
    return [
        {
            "assetCheckKey": wire.check_key(key),
            "lastCheckExecutionRecord": _check_execution(record.last_check_execution_record),
            "lastCompletedCheckExecutionRecord": _check_execution(record.last_completed_check_execution_record),
            "lastRunId": record.last_run_id,
        }
        for key, record in bridge.storages.events.get_asset_check_summary_records(keys).items()
    ]


@QUERY.serves("getLatestAssetCheckExecutionByKey")
def latest_asset_check_executions(
    bridge: Bridge, asset_check_keys: Sequence[str], partition_filter: Wire | None = None
) -> list[Wire]:
    keys = [wire.asset_check_key(key) for key in asset_check_keys]
    partition = PartitionKeyFilter(key=partition_filter["key"]) if partition_filter else None
    found = bridge.storages.events.get_latest_asset_check_execution_by_key(keys, partition)
    executions = [_check_execution(record) for record in found.values()]
    return [execution for execution in executions if execution]


def _check_execution(record: AssetCheckExecutionRecord | None) -> Wire | None:
    """A record without an event, which only very old planned checks are, is none: the client could not read it."""
    if record is None or record.event is None:
        return None
    return {
        "assetCheckKey": wire.check_key(record.key),
        "id": record.id,
        "runId": record.run_id,
        "status": record.status.value,
        "event": wire.event(record.event),
        "createTimestamp": record.create_timestamp,
        "partition": record.partition,
    }


@QUERY.serves("getAssetEventTags")
def asset_event_tags(
    bridge: Bridge,
    asset_key: str,
    filter_tags: Sequence[Wire] | None = None,
    filter_event_id: int | None = None,
) -> list[Wire]:
    found = bridge.storages.events.get_event_tags_for_asset(
        wire.asset_key(asset_key), {tag["key"]: tag["value"] for tag in filter_tags or ()}, filter_event_id
    )
    return [{"tags": [{"key": key, "value": value} for key, value in tags.items()]} for tags in found]


@QUERY.serves("getLatestPlannedMaterializationInfo")
def latest_planned_materialization(bridge: Bridge, asset_key: str, partition: str | None = None) -> Wire:
    """An object in every case: the client reads its fields without asking whether it is there."""
    info = bridge.storages.events.get_latest_planned_materialization_info(wire.asset_key(asset_key), partition)
    return {"storageId": info.storage_id if info else None, "runId": info.run_id if info else None}


# -- pages of records ---------------------------------------------------------------------------------------------


def _serve_pages(field: str, fetch: Callable[..., EventRecordsResult]) -> None:
    @QUERY.serves(field)
    def pages(
        bridge: Bridge,
        records_filter: Wire,
        limit: int | None = None,
        cursor: str | None = None,
        ascending: bool | None = None,
    ) -> Wire:
        wanted = wire.asset_records_filter(records_filter)
        return wire.event_records(fetch(bridge, wanted, limit or DEFAULT_RECORDS, cursor, bool(ascending)))


_serve_pages("fetchMaterializations", lambda bridge, *page: bridge.storages.events.fetch_materializations(*page))
_serve_pages("fetchObservations", lambda bridge, *page: bridge.storages.events.fetch_observations(*page))
_serve_pages(
    "fetchFailedMaterializations", lambda bridge, *page: bridge.storages.events.fetch_failed_materializations(*page)
)
_serve_pages(
    "fetchPlannedMaterializations",
    lambda bridge, wanted, limit, cursor, ascending: bridge.storages.events.fetch_of_kind(
        DagsterEventType.ASSET_MATERIALIZATION_PLANNED, wanted, limit, cursor, ascending=ascending
    ),
)


# -- the cache of partition status ---------------------------------------------------------------------------------


@QUERY.serves("getAssetStatusCacheValues")
def asset_status_cache_values(bridge: Bridge, asset_keys: Sequence[Wire]) -> list[Wire | None]:
    """Worked out here: the client may read the cache but not write it (``can_write_asset_status_cache``)."""
    with bridge.workspace() as workspace:
        partitions = []
        for key in map(AssetKey.from_graphql_input, asset_keys):
            node = workspace.asset_graph.get(key) if workspace.asset_graph.has(key) else None
            partitions.append((key, node.partitions_def if node else None))
        values = bridge.storages.events.get_asset_status_cache_values(partitions, workspace)
    return [wire.cached_status(value) for value in values]


@MUTATION.serves("UpdateAssetCachedStatusData")
def update_asset_cached_status(bridge: Bridge, asset_key: str, cache_values: Wire) -> Wire:
    bridge.storages.events.update_asset_cached_status_data(
        wire.asset_key(asset_key),
        AssetStatusCacheValue(
            latest_storage_id=cache_values["latestStorageId"],
            partitions_def_id=cache_values.get("partitionsDefId"),
            serialized_materialized_partition_subset=cache_values.get("serializedMaterializedPartitionSubset"),
            serialized_failed_partition_subset=cache_values.get("serializedFailedPartitionSubset"),
            serialized_in_progress_partition_subset=cache_values.get("serializedInProgressPartitionSubset"),
            earliest_in_progress_materialization_event_id=cache_values.get("earliestInProgressMaterializationEventId"),
        ),
    )
    return OK


@MUTATION.serves("WipeAssetCachedStatusData")
def wipe_asset_cached_status(bridge: Bridge, asset_key: str) -> Wire:
    bridge.storages.events.wipe_asset_cached_status(wire.asset_key(asset_key))
    return OK


@MUTATION.serves("WipeAsset")
def wipe_asset(bridge: Bridge, asset_key: str) -> Wire:
    bridge.storages.events.wipe_asset(wire.asset_key(asset_key))
    return OK


@MUTATION.serves("WipeAssetPartitions")
def wipe_asset_partitions(bridge: Bridge, asset_key: str, partition_keys: Sequence[str]) -> Wire:
    bridge.storages.events.wipe_asset_partitions(wire.asset_key(asset_key), partition_keys)
    return OK
