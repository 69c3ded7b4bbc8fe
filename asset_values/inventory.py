"""What a code location has stored, by its definitions and its instance's event log; no value is touched."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from asset_values.value_key import value_key

if TYPE_CHECKING:
    from dagster import (
        AssetKey,
        AssetsDefinition,
        DagsterInstance,
        EventLogRecord,
        PartitionsDefinition,
        ResourceDefinition,
    )
    from dagster._core.definitions.assets.graph.asset_graph import AssetGraph

_ASKED_AT_ONCE: Final = 500
"""Assets or events in one question, which over Dagster+'s API is one request."""


@dataclass(frozen=True)
class StoredAsset:
    """One asset of the location with what the event log says is stored.

    ``events``: by partition key (None: not partitioned) the storage id of the event that stored it last. ``outside``:
    partitions with such an event that the definition does not have any more. ``stores_nothing``: its output's type
    leaves nothing for an IO manager (``-> None``, ``-> MaterializeResult``). ``instance``: whose event log it is.
    """

    key: AssetKey
    definition: AssetsDefinition
    events: Mapping[str | None, int]
    outside: tuple[str, ...]
    stores_nothing: bool
    instance: DagsterInstance

    @property
    def label(self) -> str:
        return self.key.to_user_string()

    @property
    def partitions_def(self) -> PartitionsDefinition | None:
        return self.definition.partitions_def

    @property
    def io_manager_key(self) -> str:
        return self.definition.get_io_manager_key_for_asset_key(self.key)

    @property
    def resources(self) -> dict[str, ResourceDefinition]:
        """All that its IO manager may need, by key; the default IO manager is there even when nobody named it."""
        from dagster._core.definitions.job_definition import default_job_io_manager_with_fs_io_manager_schema

        return {"io_manager": default_job_io_manager_with_fs_io_manager_schema, **self.definition.resource_defs}

    def dimensions(self, partition: str | None) -> Mapping[str, str] | None:
        """Each dimension's name and key, of a partition of several."""
        from dagster import MultiPartitionsDefinition

        if partition is None or not isinstance(self.partitions_def, MultiPartitionsDefinition):
            return None
        return self.partitions_def.get_partition_key_from_str(partition).keys_by_dimension

    def partition_context(self) -> AbstractContextManager[object]:
        """Within it Dagster's partitions definitions know the partitions that were added while running."""
        from dagster._core.definitions.partitions.context import partition_loading_context
        from dagster._core.instance.types import CachingDynamicPartitionsLoader

        return partition_loading_context(dynamic_partitions_store=CachingDynamicPartitionsLoader(self.instance))

    def value_key(self, partition: str | None) -> str:
        """Where the value lies, relative to its IO manager's base."""
        return value_key(self.key.path, partition, self.dimensions(partition))


def stored_assets(graph: AssetGraph, keys: Collection[AssetKey], instance: DagsterInstance) -> list[StoredAsset]:
    """Of the assets ``keys`` those that have something stored, by name."""
    executable = sorted((key for key in keys if graph.get(key).is_materializable), key=lambda key: list(key.path))
    plain = [key for key in executable if graph.assets_def_for_key(key).partitions_def is None]
    last = dict(_last_events(plain, instance))
    found = []
    for key in executable:
        definition = graph.assets_def_for_key(key)
        if definition.partitions_def is None:
            events: dict[str | None, int] = {None: last[key]} if key in last else {}
            outside: tuple[str, ...] = ()
        else:
            events, outside = _partition_events(key, definition.partitions_def, instance)
        if events or outside:
            found.append(StoredAsset(key, definition, events, outside, _stores_nothing(definition, key), instance))
    return found


def event_times(ids: Collection[int], instance: DagsterInstance) -> dict[int, float]:
    """When the events with these storage ids happened, in seconds since 1970; those that are gone are left out."""
    return {record.storage_id: record.timestamp for record in _events(ids, instance)}


def paths_left(ids: Collection[int], instance: DagsterInstance) -> dict[int, bool]:
    """Whether the events with these storage ids say where the value lies, as Dagster's IO managers of files do for what
    they have stored: ``MaterializeResult`` without a type annotation leaves an event and no value."""
    left = {}
    for record in _events(ids, instance):
        event = record.event_log_entry.asset_materialization
        left[record.storage_id] = event is None or bool({"path", "uri"} & set(event.metadata))
    return left


def _events(ids: Collection[int], instance: DagsterInstance) -> Iterator[EventLogRecord]:
    from dagster import DagsterEventType, EventRecordsFilter

    ordered = sorted(ids)
    for start in range(0, len(ordered), _ASKED_AT_ONCE):
        some = ordered[start : start + _ASKED_AT_ONCE]
        wanted = EventRecordsFilter(event_type=DagsterEventType.ASSET_MATERIALIZATION, storage_ids=some)
        yield from instance.event_log_storage.get_event_records(wanted)


def _last_events(keys: list[AssetKey], instance: DagsterInstance) -> Iterator[tuple[AssetKey, int]]:
    for start in range(0, len(keys), _ASKED_AT_ONCE):
        for record in instance.get_asset_records(keys[start : start + _ASKED_AT_ONCE]):
            stored = record.asset_entry.last_materialization_storage_id
            if stored is not None:
                yield record.asset_entry.asset_key, stored


def _partition_events(
    key: AssetKey, partitions: PartitionsDefinition, instance: DagsterInstance
) -> tuple[dict[str | None, int], tuple[str, ...]]:
    from dagster import DagsterEventType
    from dagster._core.definitions.partitions.context import partition_loading_context
    from dagster._core.instance.types import CachingDynamicPartitionsLoader

    events = instance.event_log_storage.get_latest_storage_id_by_partition(key, DagsterEventType.ASSET_MATERIALIZATION)
    with partition_loading_context(dynamic_partitions_store=CachingDynamicPartitionsLoader(instance)):
        known = _known(partitions, events.keys())
    inside: dict[str | None, int] = {key: stored for key, stored in sorted(events.items()) if key in known}
    return inside, tuple(sorted(events.keys() - known))


def _known(partitions: PartitionsDefinition, keys: Collection[str]) -> set[str]:
    from dagster import DagsterError, MultiPartitionsDefinition, TimeWindowPartitionsDefinition

    if not isinstance(partitions, TimeWindowPartitionsDefinition | MultiPartitionsDefinition):
        return {str(key) for key in partitions.get_partition_keys()} & set(keys)
    known = set()
    for key in keys:  # by arithmetic, of dimensions and times there may be millions
        try:
            if partitions.has_partition_key(key):
                known.add(key)
        except (DagsterError, ValueError):
            continue  # not even a key of that kind
    return known


def _stores_nothing(definition: AssetsDefinition, key: AssetKey) -> bool:
    from dagster._core.definitions.dependency import NodeHandle

    if not definition.is_executable:
        return False
    outer = definition.get_output_name_for_asset_key(key)
    inner, _ = definition.node_def.resolve_output_to_origin(outer, NodeHandle(definition.node_def.name, parent=None))
    return inner.dagster_type.is_nothing
