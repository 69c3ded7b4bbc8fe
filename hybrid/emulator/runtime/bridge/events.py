"""Operations of the event log storage on events and runs (dagster_cloud/storage/event_logs/queries.py)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final

from dagster._core.event_api import EventLogCursor, EventLogRecord, EventRecordsResult
from dagster._core.events import RunFailureReason
from dagster._core.events.log import EventLogEntry
from dagster._core.execution.retries import auto_reexecution_should_retry_run
from dagster._core.storage.tags import RUN_FAILURE_REASON_TAG, WILL_RETRY_TAG
from dagster._serdes import serialize_value

from hybrid.emulator.runtime.bridge import wire
from hybrid.emulator.runtime.bridge.operation import OK, Bridge, Operations, with_headers
from hybrid.emulator.runtime.bridge.wire import Wire
from hybrid.emulator.runtime.storage.events import delivered_as

QUERY: Final = Operations("EventLogStorageQuery")
MUTATION: Final = Operations("EventLogStorageMutation")

DEFAULT_RECORDS: Final = 1_000
"""Records of an answer whose request names no limit; the client always names one (its methods demand it)."""


def take_events(bridge: Bridge, events: Sequence[EventLogEntry], headers: Mapping[str, str]) -> None:
    """Store a delivery of events, once for its ``Idempotency-Key``.

    All events go in one transaction, also those that Dagster would write one by one: the key stands for them all.
    """
    kept = [event for event in events if bridge.instance.should_store_event(event)]
    with delivered_as(headers.get("Idempotency-Key")):
        if len(kept) == 1:
            bridge.instance.handle_new_event(kept[0])
        elif kept:
            bridge.storages.events.store_event_batch(kept)
    _note_retries(bridge, kept)


def _note_retries(bridge: Bridge, events: Sequence[EventLogEntry]) -> None:
    """Tag failed runs with whether they will be tried again, as Dagster does where it moves the run's status itself.

    (dagster/_core/instance/methods/event_methods.py ``handle_new_event``.) Killed before it: the retry daemon works
    it out for runs without the tag.
    """
    if not bridge.instance.run_retries_enabled:
        return
    for event in events:
        if event.dagster_event is None or not event.dagster_event.is_run_failure:
            continue
        run = bridge.instance.get_run_by_id(event.run_id)
        if run is not None and WILL_RETRY_TAG not in run.tags:
            reason = run.tags.get(RUN_FAILURE_REASON_TAG)
            again = auto_reexecution_should_retry_run(
                bridge.instance, run, RunFailureReason(reason) if reason else None
            )
            bridge.storages.runs.add_run_tags(run.run_id, {WILL_RETRY_TAG: str(again).lower()})


@MUTATION.serves("StoreEvent")
@with_headers
def store_event(bridge: Bridge, event_record: Wire, headers: Mapping[str, str]) -> Wire:
    take_events(bridge, [wire.event_from_client(event_record)], headers)
    return OK


@MUTATION.serves("StoreEventBatch")
@with_headers
def store_event_batch(bridge: Bridge, event_records: Sequence[Wire], headers: Mapping[str, str]) -> Wire:
    take_events(bridge, [wire.event_from_client(record) for record in event_records], headers)
    return OK


@QUERY.serves("getMaximumRecordId")
def maximum_record_id(bridge: Bridge) -> int | None:
    return bridge.storages.events.get_maximum_record_id()


@QUERY.serves("getRecordsForRun")
def records_for_run(
    bridge: Bridge,
    run_id: str,
    cursor: str | None = None,
    of_type: str | None = None,
    of_types: Sequence[str] | None = None,
    limit: int | None = None,
    ascending: bool | None = None,
) -> Wire:
    """``ascending`` is true unless the client says otherwise: it leaves it out when true."""
    types = wire.event_types(of_types or ([of_type] if of_type else None))
    return wire.event_records(
        bridge.storages.events.get_records_for_run(run_id, cursor, types, limit, ascending is not False)
    )


@QUERY.serves("getAssetPartitionsForRun")
def asset_partitions_for_run(
    bridge: Bridge, run_id: str, of_types: Sequence[str] | None = None, include_partitions: bool | None = None
) -> list[Wire]:
    found = bridge.storages.events.get_asset_partitions_for_run(run_id, wire.event_types(of_types))
    return [
        {"assetKey": key.to_string(), "partitions": list(partitions) if include_partitions else None}
        for key, partitions in found.items()
    ]


@QUERY.serves("getStatsForRun")
def stats_for_run(bridge: Bridge, run_id: str) -> Wire:
    stats = bridge.storages.events.get_stats_for_run(run_id)
    return {
        "runId": stats.run_id,
        "stepsSucceeded": stats.steps_succeeded,
        "stepsFailed": stats.steps_failed,
        "materializations": stats.materializations,
        "expectations": stats.expectations,
        "enqueuedTime": stats.enqueued_time,
        "launchTime": stats.launch_time,
        "startTime": stats.start_time,
        "endTime": stats.end_time,
    }


@QUERY.serves("getStepStatsForRun")
def step_stats_for_run(bridge: Bridge, run_id: str, step_keys: Sequence[str] | None = None) -> list[Wire]:
    return [
        {
            "runId": stats.run_id,
            "stepKey": stats.step_key,
            "status": stats.status.name if stats.status else None,
            "startTime": stats.start_time,
            "endTime": stats.end_time,
            "materializationEvents": [serialize_value(event) for event in stats.materialization_events],
            "expectationResults": [serialize_value(result) for result in stats.expectation_results],
            "attempts": stats.attempts,
            "attemptsList": [serialize_value(marker) for marker in stats.attempts_list],
            "markers": [serialize_value(marker) for marker in stats.markers],
        }
        for stats in bridge.storages.events.get_step_stats_for_run(run_id, step_keys)
    ]


@QUERY.serves("isPersistent")
def is_persistent(bridge: Bridge) -> bool:
    return bridge.storages.events.is_persistent


@QUERY.serves("isAssetAware")
def is_asset_aware(bridge: Bridge) -> bool:
    return True


@QUERY.serves("getEventRecords")
def event_records(
    bridge: Bridge,
    event_records_filter: Wire | None = None,
    limit: int | None = None,
    ascending: bool | None = None,
) -> list[Wire]:
    if event_records_filter is None:
        raise ValueError("getEventRecords needs a filter that names an event type.")
    records = bridge.storages.events.get_event_records(
        wire.event_records_filter(event_records_filter), limit, bool(ascending)
    )
    return [wire.event_record(record) for record in records]


@QUERY.serves("getRunStatusChangeEventRecords")
def run_status_changes(
    bridge: Bridge,
    records_filter: Wire,
    limit: int | None = None,
    cursor: str | None = None,
    ascending: bool | None = None,
) -> Wire:
    """``jobNames`` are sifted here: the client leaves that to the server, Dagster's SQLite event log cannot do it."""
    wanted = wire.run_status_changes_filter({**records_filter, "jobNames": None})
    fetch = partial(bridge.storages.events.fetch_run_status_changes, wanted, ascending=bool(ascending))
    job_names, limit = records_filter.get("jobNames"), limit or DEFAULT_RECORDS
    if job_names is None:
        return wire.event_records(fetch(limit, cursor))
    return wire.event_records(_sifted(fetch, frozenset(job_names), limit, cursor))


def _sifted(
    fetch: Callable[[int, str | None], EventRecordsResult], job_names: frozenset[str], limit: int, cursor: str | None
) -> EventRecordsResult:
    """As many records of these jobs as ``limit``, and the cursor up to which was looked."""
    found: list[EventLogRecord] = []
    while True:
        page = fetch(limit, cursor)
        for record in page.records:
            if record.event_log_entry.job_name in job_names:
                found.append(record)
                if len(found) == limit:
                    return EventRecordsResult(found, str(EventLogCursor.from_storage_id(record.storage_id)), True)
        cursor = page.cursor
        if not page.has_more:
            return EventRecordsResult(found, cursor, False)


@MUTATION.serves("DeleteEvents")
def delete_events(bridge: Bridge, run_id: str) -> Wire:
    bridge.storages.events.delete_events(run_id)
    return OK


@MUTATION.serves("Upgrade")
def upgrade(bridge: Bridge) -> Wire:
    """Nothing to do: the emulator brings its files to the current schema when it opens them."""
    return OK


@MUTATION.serves("Reindex")
def reindex(bridge: Bridge) -> Wire:
    bridge.storages.events.reindex_events()
    bridge.storages.events.reindex_assets()
    return OK


@MUTATION.serves("Wipe")
def wipe(bridge: Bridge) -> Wire:
    bridge.storages.events.wipe()
    return OK


@MUTATION.serves("EnableSecondaryIndex")
def enable_secondary_index(bridge: Bridge, name: str, run_id: str | None = None) -> Wire:
    bridge.storages.events.enable_secondary_index(name)  # type: ignore[no-untyped-call]
    return OK
