"""Calls of the event log storage's methods; see ``storage_calls``. Importing this adds them to ``CALLS``."""

from __future__ import annotations

from typing import Any

from dagster import AssetCheckKey, AssetKey, DagsterEventType, EventRecordsFilter
from dagster._core.event_api import AssetRecordsFilter, PartitionKeyFilter, RunStatusChangeRecordsFilter
from dagster._core.storage.event_log.base import AssetRecord
from dagster_shared.record import replace

from tests.unit.emulator_runtime.storage_calls import events
from tests.unit.emulator_runtime.storage_world import (
    NEVER,
    PARTITIONS,
    A,
    B,
    Side,
    checked,
    event,
    materialized,
    observed,
    planned,
)

CHECK, OTHER_CHECK = AssetCheckKey(A, "good"), AssetCheckKey(A, "none")
KIND = DagsterEventType
VERSION = "dagster/data_version"


def of_asset(side: Side, key: AssetKey = A) -> dict[str, Any]:
    """All that can be read of an asset."""
    log = side.events
    return {
        "known": log.has_asset_key(key),
        "keys": set(log.all_asset_keys()),
        "last": log.get_latest_materialization_events([key]),
        "partitions": log.get_materialized_partitions(key),
        "ids": log.get_latest_storage_id_by_partition(key, KIND.ASSET_MATERIALIZATION),
        "attempts": log.get_latest_asset_partition_materialization_attempts_without_materializations(key),
        "materializations": log.fetch_materializations(key, 100),
        "observations": log.fetch_observations(key, 100),
        "tags": log.get_event_tags_for_asset(key),
        "planned": log.get_latest_planned_materialization_info(key),
        "checks": log.get_latest_asset_check_execution_by_key([CHECK]),
    }


def records(side: Side) -> list[AssetRecord]:
    return [without_promises(record) for record in side.events.get_asset_records()]


def without_promises(record: AssetRecord) -> AssetRecord:
    """Without the three fields that the client is promised and Dagster's SQLite leaves empty; they have own calls."""
    entry = replace(
        record.asset_entry,
        last_observation_record=None,
        last_planned_materialization_storage_id=None,
        last_planned_materialization_run_id=None,
    )
    return AssetRecord(storage_id=record.storage_id, asset_entry=entry)


# -- events of runs ---------------------------------------------------------------------------------------------------

MORE = [
    materialized("run3", 400.0, A, "r", "7"),
    planned("run3", 401.0, B, None),
    observed("run3", 402.0, B, None),
    checked("run3", 403.0, True),
]
events("get_maximum_record_id", lambda s: s.events.get_maximum_record_id())
events("store_event", lambda s: (s.store(event("run3", 400.0, "PIPELINE_START")), s.runs.get_run_records())[1])
for one in MORE:
    events("store_event", lambda s, one=one: (s.store(one), of_asset(s), s.events.get_records_for_run("run3"))[1:])
events("store_event_batch", lambda s: (s.store_batch(MORE), of_asset(s), of_asset(s, B))[1:])
events("delete_events", lambda s: (s.events.delete_events("run1"), s.events.get_records_for_run("run1"))[1].records)
for run in ("run0", "run1", "run3", "none"):
    events("get_records_for_run", lambda s, run=run: s.events.get_records_for_run(run))
    events("get_stats_for_run", lambda s, run=run: s.events.get_stats_for_run(run))
    events("get_step_stats_for_run", lambda s, run=run: s.events.get_step_stats_for_run(run))
    events("get_asset_partitions_for_run", lambda s, run=run: s.events.get_asset_partitions_for_run(run))
    events("get_asset_keys_for_run", lambda s, run=run: set(s.events.get_asset_keys_for_run(run)))
events("get_records_for_run", lambda s: s.events.get_records_for_run("run0", limit=3))
events("get_records_for_run", lambda s: s.events.get_records_for_run("run0", limit=2, ascending=False))
events(
    "get_records_for_run",
    lambda s: s.events.get_records_for_run("run0", cursor=s.events.get_records_for_run("run0", limit=4).cursor),
    lambda s: s.events.get_records_for_run("run0", of_type=KIND.ASSET_MATERIALIZATION),
    lambda s: s.events.get_records_for_run("run0", of_type={KIND.STEP_START, KIND.STEP_SUCCESS}),
)
events("get_step_stats_for_run", lambda s: s.events.get_step_stats_for_run("run1", ["s"]))
events("get_step_stats_for_run", lambda s: s.events.get_step_stats_for_run("run1", ["none"]))
events("get_asset_partitions_for_run", lambda s: s.events.get_asset_partitions_for_run("run1", KIND.STEP_START))
events(
    "get_asset_keys_for_run",
    lambda s: set(s.events.get_asset_keys_for_run("run1", {KIND.ASSET_MATERIALIZATION_PLANNED})),
)
for chosen in (
    EventRecordsFilter(KIND.ASSET_MATERIALIZATION),
    EventRecordsFilter(KIND.ASSET_MATERIALIZATION, asset_key=A, asset_partitions=["p"]),
    EventRecordsFilter(KIND.ASSET_MATERIALIZATION, asset_key=A, after_timestamp=106.0, before_timestamp=107.0),
    EventRecordsFilter(KIND.ASSET_MATERIALIZATION, after_cursor=8, before_cursor=11),
    EventRecordsFilter(KIND.PIPELINE_START),
    EventRecordsFilter(KIND.STEP_FAILURE, storage_ids=[1, 2, 23]),
):
    events("get_event_records", lambda s, f=chosen: s.events.get_event_records(f))
    events("get_event_records", lambda s, f=chosen: s.events.get_event_records(f, limit=1, ascending=True))
for kind in (KIND.PIPELINE_START, KIND.PIPELINE_FAILURE, RunStatusChangeRecordsFilter(KIND.PIPELINE_START, 150.0)):
    events("fetch_run_status_changes", lambda s, kind=kind: s.events.fetch_run_status_changes(kind, 2))
    events("fetch_run_status_changes", lambda s, kind=kind: s.events.fetch_run_status_changes(kind, 1, ascending=True))
# Dagster's SQLite cannot sift by job names, which the client leaves to its server.
events(
    "fetch_run_status_changes",
    lambda s: (
        s.events.fetch_run_status_changes(
            RunStatusChangeRecordsFilter(KIND.PIPELINE_START, job_names=["other"]), 10
        ).records
    ),
    own=lambda s: [
        record
        for record in s.events.fetch_run_status_changes(KIND.PIPELINE_START, 10).records
        if record.event_log_entry.job_name == "other"
    ],
)

# -- the storage itself -----------------------------------------------------------------------------------------------

events("is_persistent", lambda s: s.events.is_persistent)
# Dagster's own storages have no such property; all of them know assets.
events("is_asset_aware", lambda s: s.events.is_asset_aware, own=lambda s: True)
# What the next four answer is not read by the client; what counts is that nothing is lost or, with wipe, everything.
events("upgrade", lambda s: (s.events.upgrade(), records(s))[1], own=records)
events("reindex_events", lambda s: (s.events.reindex_events(), records(s))[1])
events("reindex_assets", lambda s: (s.events.reindex_assets(), records(s))[1])
events("wipe", lambda s: (s.events.wipe(), records(s), s.events.get_records_for_run("run0").records)[1:])
# Dagster's own method has no ``run_id``.
events(
    "enable_secondary_index",
    lambda s: (s.events.enable_secondary_index("index", run_id="run0"), records(s))[1],
    own=lambda s: (s.events.enable_secondary_index("index"), records(s))[1],
)

# -- assets and checks ------------------------------------------------------------------------------------------------

for key in (A, B, NEVER):
    events("has_asset_key", lambda s, key=key: s.events.has_asset_key(key))
    # Dagster's own storage names assets without a materialization, the client leaves them out.
    events(
        "get_latest_materialization_events",
        lambda s, k=key: s.events.get_latest_materialization_events([k]),
        own=lambda s, k=key: {a: e for a, e in s.events.get_latest_materialization_events([k]).items() if e},
    )
    events("get_asset_records", lambda s, key=key: [without_promises(r) for r in s.events.get_asset_records([key])])
    events("get_materialized_partitions", lambda s, key=key: s.events.get_materialized_partitions(key, 100, 1))
    events("get_event_tags_for_asset", lambda s, key=key: s.events.get_event_tags_for_asset(key))
    events("fetch_materializations", lambda s, key=key: s.events.fetch_materializations(key, 2))
    events("fetch_observations", lambda s, key=key: s.events.fetch_observations(key, 2, ascending=True))
    events("get_latest_planned_materialization_info",
           lambda s, key=key: s.events.get_latest_planned_materialization_info(key))  # fmt: skip
events("all_asset_keys", lambda s: list(s.events.all_asset_keys()))
events("get_asset_records", records)
# What Dagster's SQLite leaves empty in its records, it answers when asked otherwise.
events(
    "get_asset_records",
    lambda s: [r.asset_entry.last_observation_record for r in s.events.get_asset_records([A])],
    own=lambda s: list(s.events.fetch_observations(A, 1).records),
)
events(
    "get_asset_records",
    lambda s: [
        (r.asset_entry.last_planned_materialization_storage_id, r.asset_entry.last_planned_materialization_run_id)
        for r in s.events.get_asset_records([A])
    ],
    own=lambda s: [tuple(vars_of(s.events.get_latest_planned_materialization_info(A)))],
)
events("get_asset_check_summary_records", lambda s: s.events.get_asset_check_summary_records([CHECK, OTHER_CHECK]))
events(
    "get_latest_asset_check_execution_by_key",
    lambda s: s.events.get_latest_asset_check_execution_by_key([CHECK, OTHER_CHECK]),
    lambda s: s.events.get_latest_asset_check_execution_by_key([CHECK], PartitionKeyFilter(key=None)),
    lambda s: s.events.get_latest_asset_check_execution_by_key([CHECK], PartitionKeyFilter(key="p")),
)
events("get_event_tags_for_asset", lambda s: s.events.get_event_tags_for_asset(A, {VERSION: "2"}))
events("get_event_tags_for_asset", lambda s: s.events.get_event_tags_for_asset(A, filter_event_id=10))
events(
    "fetch_materializations",
    lambda s: s.events.fetch_materializations(AssetRecordsFilter(A, ["p"], 105.0, 108.0, 20, 2), 10, ascending=True),
    lambda s: s.events.fetch_materializations(A, 1, cursor=s.events.fetch_materializations(A, 1).cursor),
)
# Dagster's own storages have no such methods; the events are the same that they answer by kind.
events(
    "fetch_planned_materializations",
    lambda s: s.events.fetch_planned_materializations(A, 10).records,
    own=lambda s: s.events.get_event_records(EventRecordsFilter(KIND.ASSET_MATERIALIZATION_PLANNED, asset_key=A)),
)
events(
    "fetch_failed_materializations",
    lambda s: s.events.fetch_failed_materializations(A, 10).records,
    own=lambda s: s.events.get_event_records(EventRecordsFilter(KIND.ASSET_FAILED_TO_MATERIALIZE, asset_key=A)),
)
events(
    "get_asset_status_cache_values",
    lambda s: s.events.get_asset_status_cache_values([(A, PARTITIONS), (B, None), (NEVER, None)], s.context),
)
events(
    "wipe_asset_cached_status",
    lambda s: (s.events.wipe_asset_cached_status(A), records(s))[1],
)
events("wipe_asset", lambda s: (s.events.wipe_asset(A), of_asset(s), of_asset(s, B), records(s))[1:])
events("wipe_asset", lambda s: (s.events.wipe_asset(A), s.store(MORE[0]), of_asset(s))[2])

# -- partitions -------------------------------------------------------------------------------------------------------

# Dagster's own storages no longer count.
events(
    "get_materialization_count_by_partition",
    lambda s: s.events.get_materialization_count_by_partition([A, B], 1),
    own=lambda s: {A: {"p": 2, "q": 1}, B: {}},
)
for given in (None, {"p"}, {"none"}):
    events(
        "get_latest_storage_id_by_partition",
        lambda s, g=given: s.events.get_latest_storage_id_by_partition(A, KIND.ASSET_MATERIALIZATION, g),
        lambda s, g=given: s.events.get_latest_storage_id_by_partition(A, KIND.ASSET_OBSERVATION, g, 3),
    )
events(
    "get_latest_tags_by_partition",
    lambda s: s.events.get_latest_tags_by_partition(A, KIND.ASSET_MATERIALIZATION, [VERSION]),
    lambda s: s.events.get_latest_tags_by_partition(A, KIND.ASSET_MATERIALIZATION, [VERSION], ["q"], 100, 1),
    lambda s: s.events.get_latest_tags_by_partition(A, KIND.ASSET_MATERIALIZATION, ["none"]),
)
events(
    "get_latest_asset_partition_materialization_attempts_without_materializations",
    lambda s: s.events.get_latest_asset_partition_materialization_attempts_without_materializations(A),
    lambda s: s.events.get_latest_asset_partition_materialization_attempts_without_materializations(A, 24),
)
events("get_updated_data_version_partitions", lambda s: s.events.get_updated_data_version_partitions(A, ["p", "q"], 9))
events("get_latest_planned_materialization_info", lambda s: s.events.get_latest_planned_materialization_info(A, "p"))
events("get_dynamic_partitions", lambda s: s.events.get_dynamic_partitions("colors"))
events("get_dynamic_partitions", lambda s: s.events.get_dynamic_partitions("none"))
for ascending in (True, False):
    events(
        "get_paginated_dynamic_partitions",
        lambda s, a=ascending: s.events.get_paginated_dynamic_partitions("colors", 2, a),
        lambda s, a=ascending: s.events.get_paginated_dynamic_partitions(
            "colors", 2, a, s.events.get_paginated_dynamic_partitions("colors", 2, a).cursor
        ),
    )
events("has_dynamic_partition", *(lambda s, k=k: s.events.has_dynamic_partition("colors", k) for k in ("red", "none")))
events(
    "add_dynamic_partitions",
    lambda s: (s.events.add_dynamic_partitions("colors", ["red", "new"]), s.events.get_dynamic_partitions("colors"))[1],
)
events(
    "delete_dynamic_partition",
    lambda s: (s.events.delete_dynamic_partition("colors", "red"), s.events.get_dynamic_partitions("colors"))[1],
)


def of_the_rest(side: Side) -> dict[str, Any]:
    """What is left of asset A when partition ``q`` is wiped, from what Dagster's own storage has of the others."""
    whole = of_asset(side)
    kept = [
        record for record in whole["materializations"].records if record.event_log_entry.dagster_event.partition != "q"
    ]
    return {
        "known": True,
        "last": {A: kept[0].event_log_entry},
        "partitions": whole["partitions"] - {"q"},
        "ids": {name: number for name, number in whole["ids"].items() if name != "q"},
        "attempts": whole["attempts"],
        "materializations": kept,
        "observations": [],
        "planned": whole["planned"],
    }


# Dagster's own storages cannot wipe single partitions; what is left has to be what there is without them.
events(
    "wipe_asset_partitions",
    lambda s: (s.events.wipe_asset_partitions(A, ["q"]), shape(of_asset(s)))[1],
    own=of_the_rest,
)
events(
    "wipe_asset_partitions",
    lambda s: (s.events.wipe_asset_partitions(A, ["p", "q", "r"]), s.events.has_asset_key(A), records(s))[1:],
    own=lambda s: (s.events.wipe_asset(A), s.events.has_asset_key(A), records(s))[1:],
)


def shape(asset: dict[str, Any]) -> dict[str, Any]:
    """As ``of_the_rest`` has it."""
    wanted = ("known", "last", "partitions", "ids", "attempts", "planned")
    pages = {name: list(asset[name].records) for name in ("materializations", "observations")}
    return {**{name: asset[name] for name in wanted}, **pages}


def vars_of(info: Any) -> tuple[Any, ...]:
    return (info.storage_id, info.run_id) if info else (None, None)


# -- pools ------------------------------------------------------------------------------------------------------------


def pool(side: Side) -> Any:
    return side.events.get_concurrency_info("pool")


events("get_concurrency_keys", lambda s: s.events.get_concurrency_keys())
events("get_concurrency_info", pool, lambda s: s.events.get_concurrency_info("none"))
events("get_pool_limits", lambda s: s.events.get_pool_limits())
events("get_pool_config", lambda s: s.events.get_pool_config())
events(
    "set_concurrency_slots", *(lambda s, n=n: (s.events.set_concurrency_slots("pool", n), pool(s))[1] for n in (0, 5))
)
events("set_concurrency_slots", lambda s: s.events.set_concurrency_slots("pool", 100_000))
events(
    "delete_concurrency_limit",
    lambda s: (s.events.delete_concurrency_limit("pool"), s.events.get_concurrency_keys())[1],
)
events("initialize_concurrency_limit_to_default", lambda s: s.events.initialize_concurrency_limit_to_default("pool"))
events(
    "claim_concurrency_slot",
    lambda s: [s.events.claim_concurrency_slot("pool", "run1", step, 2) for step in ("second", "third", "first")],
    lambda s: (s.events.claim_concurrency_slot("pool", "run1", "second"), pool(s))[1],
)
events("check_concurrency_claim", lambda s: s.events.check_concurrency_claim("pool", "run1", "first"))
events("check_concurrency_claim", lambda s: s.events.check_concurrency_claim("pool", "run1", "none"))
events("free_concurrency_slots_for_run", lambda s: (s.events.free_concurrency_slots_for_run("run1"), pool(s))[1])
events(
    "free_concurrency_slot_for_step", lambda s: (s.events.free_concurrency_slot_for_step("run1", "first"), pool(s))[1]
)
