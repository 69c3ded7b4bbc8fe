"""Operations of the event log storage on pools and their slots (dagster_cloud/storage/event_logs/queries.py).

Dagster's slots lean on row locks, which SQLite has not: each operation that changes slots is one write transaction.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from dagster._core.errors import DagsterInvalidInvocationError
from dagster._utils.concurrency import ConcurrencyClaimStatus

from hybrid.emulator.runtime.bridge.events import MUTATION, QUERY
from hybrid.emulator.runtime.bridge.operation import Bridge
from hybrid.emulator.runtime.bridge.wire import Wire


@QUERY.serves("getConcurrencyKeys")
def keys(bridge: Bridge) -> list[str]:
    return sorted(bridge.storages.events.get_concurrency_keys())


@QUERY.serves("getPoolLimits")
def pool_limits(bridge: Bridge) -> list[Wire]:
    return [
        {"name": pool.name, "limit": pool.limit, "fromDefault": pool.from_default}
        for pool in bridge.storages.events.get_pool_limits()
    ]


@QUERY.serves("getPoolConfig")
def pool_config(bridge: Bridge) -> Wire:
    config = bridge.storages.events.get_pool_config()
    return {
        "poolGranularity": config.pool_granularity.value if config.pool_granularity else None,
        "defaultPoolLimit": config.default_pool_limit,
        "opGranularityRunBuffer": config.op_granularity_run_buffer,
    }


@QUERY.serves("getConcurrencyInfo")
def info(bridge: Bridge, concurrency_key: str) -> Wire:
    found = bridge.storages.events.get_concurrency_info(concurrency_key)
    return {
        "concurrencyKey": found.concurrency_key,
        "slotCount": found.slot_count,
        "claimedSlots": [{"runId": slot.run_id, "stepKey": slot.step_key} for slot in found.claimed_slots],
        "pendingSteps": [
            {
                "runId": step.run_id,
                "stepKey": step.step_key,
                "enqueuedTimestamp": _timestamp(step.enqueued_timestamp),
                "assignedTimestamp": _timestamp(step.assigned_timestamp),
                "priority": step.priority,
            }
            for step in found.pending_steps
        ],
        "limit": found.limit,
        "usingDefaultLimit": found.using_default_limit,
    }


@QUERY.serves("getCheckConcurrencyClaim")
def check_claim(bridge: Bridge, concurrency_key: str, run_id: str, step_key: str) -> Wire:
    return _claim(bridge.storages.events.check_concurrency_claim(concurrency_key, run_id, step_key))


@MUTATION.serves("ClaimConcurrencySlot")
def claim_slot(bridge: Bridge, concurrency_key: str, run_id: str, step_key: str, priority: int) -> Wire:
    with bridge.storages.events.database.transaction():
        claim = bridge.storages.events.claim_concurrency_slot(concurrency_key, run_id, step_key, priority)
    return {"status": _claim(claim)}


def _claim(claim: ConcurrencyClaimStatus) -> Wire:
    return {
        "slotStatus": claim.slot_status.value,
        "priority": claim.priority,
        "assignedTimestamp": _timestamp(claim.assigned_timestamp),
        "enqueuedTimestamp": _timestamp(claim.enqueued_timestamp),
    }


def _timestamp(moment: datetime | None) -> float | None:
    return moment.timestamp() if moment else None


@MUTATION.serves("FreeConcurrencySlotsForRun")
def free_slots_for_run(bridge: Bridge, run_id: str) -> Wire:
    with bridge.storages.events.database.transaction():
        bridge.storages.events.free_concurrency_slots_for_run(run_id)
    return {"success": True}


@MUTATION.serves("FreeConcurrencySlotForStep")
def free_slot_for_step(bridge: Bridge, run_id: str, step_key: str) -> Wire:
    with bridge.storages.events.database.transaction():
        bridge.storages.events.free_concurrency_slot_for_step(run_id, step_key)
    return {"success": True}


@MUTATION.serves("SetConcurrencySlots")
def set_slots(bridge: Bridge, concurrency_key: str, num: int) -> Wire:
    return _changing_limit(
        bridge, lambda: bridge.storages.events.set_concurrency_slots(concurrency_key, num), answers_change=False
    )


@MUTATION.serves("DeleteConcurrencyLimit")
def delete_limit(bridge: Bridge, concurrency_key: str) -> Wire:
    return _changing_limit(
        bridge, lambda: bridge.storages.events.delete_concurrency_limit(concurrency_key), answers_change=False
    )


@MUTATION.serves("InitializeConcurrencyLimit")
def initialize_limit(bridge: Bridge, concurrency_key: str) -> Wire:
    return _changing_limit(
        bridge,
        lambda: bridge.storages.events.initialize_concurrency_limit_to_default(concurrency_key),
        answers_change=True,
    )


def _changing_limit(bridge: Bridge, change: Any, *, answers_change: bool) -> Wire:
    """The client turns this one error, by class name, back into what it is."""
    try:
        with bridge.storages.events.database.transaction():
            changed = change()
    except DagsterInvalidInvocationError as refused:
        error: Wire = {"message": str(refused), "className": type(refused).__name__, "stack": [], "cause": None}
        return {"success": False, "error": error}
    return {"success": bool(changed) if answers_change else True, "error": None}
