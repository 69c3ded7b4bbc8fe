"""Operations of the event log storage on partitions (dagster_cloud/storage/event_logs/queries.py)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy
from dagster._core.definitions.events import AssetKey
from dagster._core.events import DagsterEventType
from dagster._core.storage.event_log.schema import SqlEventLogStorageTable

from hybrid.emulator.runtime.bridge import wire
from hybrid.emulator.runtime.bridge.events import MUTATION, QUERY
from hybrid.emulator.runtime.bridge.operation import OK, Bridge
from hybrid.emulator.runtime.bridge.wire import Wire


@QUERY.serves("getMaterializedPartitions")
def materialized_partitions(
    bridge: Bridge, asset_key: str, before_cursor: int | None = None, after_cursor: int | None = None
) -> list[str]:
    return sorted(
        bridge.storages.events.get_materialized_partitions(wire.asset_key(asset_key), before_cursor, after_cursor)
    )


@QUERY.serves("getMaterializationCountByPartition")
def materialization_counts(bridge: Bridge, asset_keys: Sequence[str], after_cursor: int | None = None) -> list[Wire]:
    return [
        {"assetKey": key, "materializationCountByPartition": _counts(bridge, wire.asset_key(key), after_cursor)}
        for key in asset_keys
    ]


def _counts(bridge: Bridge, key: AssetKey, after_cursor: int | None) -> list[Wire]:
    """Dagster's SQLite event log no longer counts; this counts what its ``get_materialized_partitions`` lists."""
    events, table = bridge.storages.events, SqlEventLogStorageTable.c
    query: Any = (
        sqlalchemy.select(table.partition, sqlalchemy.func.count(table.id))
        .where(table.asset_key == key.to_string())
        .where(table.partition.is_not(None))
        .where(table.dagster_event_type == DagsterEventType.ASSET_MATERIALIZATION.value)
        .group_by(table.partition)
    )
    query = events._add_assets_wipe_filter_to_query(query, events._get_assets_details([key]), [key])
    if after_cursor:
        query = query.where(table.id > after_cursor)
    with events.database.connect() as connection:
        return [{"partition": row[0], "materializationCount": row[1]} for row in connection.execute(query)]


@QUERY.serves("getLatestStorageIdByPartition")
def latest_storage_ids(
    bridge: Bridge,
    asset_key: str,
    event_type: str,
    partitions: Sequence[str] | None = None,
    after_cursor: int | None = None,
) -> list[Wire]:
    found = bridge.storages.events.get_latest_storage_id_by_partition(
        wire.asset_key(asset_key),
        DagsterEventType(event_type),
        set(partitions) if partitions else None,
        after_cursor,
    )
    return [{"partition": partition, "storageId": storage_id} for partition, storage_id in found.items()]


@QUERY.serves("getLatestTagsByPartition")
def latest_tags(
    bridge: Bridge,
    asset_key: str,
    event_type: str,
    tag_keys: Sequence[str] | None = None,
    asset_partitions: Sequence[str] | None = None,
    before_cursor: int | None = None,
    after_cursor: int | None = None,
) -> list[Wire]:
    found = bridge.storages.events.get_latest_tags_by_partition(
        wire.asset_key(asset_key),
        DagsterEventType(event_type),
        tag_keys or [],
        asset_partitions,
        before_cursor,
        after_cursor,
    )
    return [
        {"partition": partition, "key": key, "value": value}
        for partition, tags in found.items()
        for key, value in tags.items()
    ]


@QUERY.serves("getLatestAssetPartitionMaterializationAttemptsWithoutMaterializations")
def attempts_without_materializations(
    bridge: Bridge, asset_key: str, after_storage_id: int | None = None
) -> dict[str, list[Any]]:
    found = bridge.storages.events.get_latest_asset_partition_materialization_attempts_without_materializations(
        wire.asset_key(asset_key), after_storage_id
    )
    return {partition: list(attempt) for partition, attempt in found.items()}


@QUERY.serves("getUpdatedDataVersionPartitions")
def updated_data_version_partitions(
    bridge: Bridge, asset_key: str, partitions: Sequence[str], after_storage_id: int
) -> list[str]:
    return sorted(
        bridge.storages.events.get_updated_data_version_partitions(
            wire.asset_key(asset_key), partitions, after_storage_id
        )
    )


@QUERY.serves("getDynamicPartitions")
def dynamic_partitions(bridge: Bridge, partitions_def_name: str) -> Sequence[str]:
    return bridge.storages.events.get_dynamic_partitions(partitions_def_name)


@QUERY.serves("getPaginatedDynamicPartitions")
def paginated_dynamic_partitions(
    bridge: Bridge, partitions_def_name: str, limit: int, ascending: bool, cursor: str | None = None
) -> Wire:
    page = bridge.storages.events.get_paginated_dynamic_partitions(partitions_def_name, limit, ascending, cursor)
    return {"results": page.results, "hasMore": page.has_more, "cursor": page.cursor}


@QUERY.serves("hasDynamicPartition")
def has_dynamic_partition(bridge: Bridge, partitions_def_name: str, partition_key: str) -> bool:
    return bridge.storages.events.has_dynamic_partition(partitions_def_name, partition_key)


@MUTATION.serves("AddDynamicPartitions")
def add_dynamic_partitions(bridge: Bridge, partitions_def_name: str, partition_keys: Sequence[str]) -> Wire:
    """In one transaction: Dagster looks which keys are new before it writes them."""
    with bridge.storages.events.database.transaction():
        bridge.storages.events.add_dynamic_partitions(partitions_def_name, partition_keys)
    return OK


@MUTATION.serves("DeleteDynamicPartition")
def delete_dynamic_partition(bridge: Bridge, partitions_def_name: str, partition_key: str) -> Wire:
    bridge.storages.events.delete_dynamic_partition(partitions_def_name, partition_key)
    return OK
