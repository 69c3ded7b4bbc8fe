"""Operations of the schedule storage (dagster_cloud/storage/schedules/queries.py)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from dagster._core.definitions.run_request import InstigatorType
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    InstigatorTick,
    TickData,
    TickStatus,
)
from dagster._serdes import deserialize_value, serialize_value

from hybrid.emulator.runtime.bridge.operation import OK, Bridge, Operations
from hybrid.emulator.runtime.bridge.wire import Wire

QUERY: Final = Operations("ScheduleStorageQuery")
MUTATION: Final = Operations("ScheduleStorageMutation")


@QUERY.serves("jobStates")
def states(
    bridge: Bridge,
    repository_origin_id: str | None = None,
    repository_selector_id: str | None = None,
    job_type: str | None = None,
    statuses: Sequence[str] | None = None,
) -> list[str]:
    found = bridge.storages.schedules.all_instigator_state(
        repository_origin_id,
        repository_selector_id,
        InstigatorType(job_type) if job_type else None,
        {InstigatorStatus(status) for status in statuses} if statuses else None,
    )
    return [serialize_value(state) for state in found]


@QUERY.serves("jobState")
def state(bridge: Bridge, job_origin_id: str, selector_id: str | None = None) -> str | None:
    found = bridge.storages.schedules.get_instigator_state(job_origin_id, selector_id or "")
    return serialize_value(found) if found else None


@QUERY.serves("jobTicks")
def ticks(
    bridge: Bridge,
    job_origin_id: str,
    selector_id: str | None = None,
    before: float | None = None,
    after: float | None = None,
    limit: int | None = None,
    statuses: Sequence[str] | None = None,
) -> list[str]:
    found = bridge.storages.schedules.get_ticks(
        job_origin_id,
        selector_id or "",
        before,
        after,
        limit,
        [TickStatus(status) for status in statuses] if statuses else None,
    )
    return [serialize_value(tick) for tick in found]


@MUTATION.serves("addJobState")
def add_state(bridge: Bridge, serialized_job_state: str) -> Wire:
    bridge.storages.schedules.add_instigator_state(deserialize_value(serialized_job_state, InstigatorState))
    return OK


@MUTATION.serves("updateJobState")
def update_state(bridge: Bridge, serialized_job_state: str) -> Wire:
    bridge.storages.schedules.update_instigator_state(deserialize_value(serialized_job_state, InstigatorState))
    return OK


@MUTATION.serves("createJobTick")
def create_tick(bridge: Bridge, serialized_job_tick_data: str) -> Wire:
    tick = bridge.storages.schedules.create_tick(deserialize_value(serialized_job_tick_data, TickData))
    return {"tickId": tick.tick_id}


@MUTATION.serves("updateJobTick")
def update_tick(bridge: Bridge, tick_id: int, serialized_job_tick_data: str) -> Wire:
    tick = InstigatorTick(int(tick_id), deserialize_value(serialized_job_tick_data, TickData))
    bridge.storages.schedules.update_tick(tick)
    return OK
