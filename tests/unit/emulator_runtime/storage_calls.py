"""Calls of each query-backed method of the Dagster+ client's storages, to be made on both sides of ``storage_world``.

A call is a function of a side. ``own`` says how the same is had from Dagster's own storages where they have not the
method, or answer less than the client is promised; the reason stands beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from dagster import DagsterRun, DagsterRunStatus, job, op
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.execution.api import create_execution_plan
from dagster._core.execution.backfill import BulkActionsFilter, BulkActionStatus, PartitionBackfill
from dagster._core.execution.telemetry import RunTelemetryData
from dagster._core.remote_origin import RemoteJobOrigin
from dagster._core.scheduler.instigation import InstigatorState, InstigatorStatus, TickData, TickStatus
from dagster._core.snap import JobSnap, snapshot_from_execution_plan
from dagster._core.storage.dagster_run import JobBucket, RunsFilter, TagBucket
from dagster._daemon.types import DaemonHeartbeat

from tests.unit.emulator_runtime.storage_world import REPOSITORY, SENSOR, Side

Do = Callable[[Side], Any]


@dataclass(frozen=True)
class Call:
    """One call, of ``method`` of the storage ``storage`` (runs, events or schedules)."""

    storage: str
    method: str
    do: Do
    own: Do | None = None


CALLS: list[Call] = []


def runs(method: str, *calls: Do, own: Do | None = None) -> None:
    CALLS.extend(Call("runs", method, do, own) for do in calls)


def events(method: str, *calls: Do, own: Do | None = None) -> None:
    CALLS.extend(Call("events", method, do, own) for do in calls)


def schedules(method: str, *calls: Do) -> None:
    CALLS.extend(Call("schedules", method, do) for do in calls)


# -- runs -------------------------------------------------------------------------------------------------------------


@op
def nothing() -> None: ...


@job
def small() -> None:
    nothing()


SNAPSHOT = JobSnap.from_job_def(small)
PLAN = snapshot_from_execution_plan(create_execution_plan(small), SNAPSHOT.snapshot_id)
NEW = DagsterRun(job_name="job", run_id="new", tags={"team": "ops"})
OF_DATA = RunsFilter(tags={"team": "data", "number": ["0", "1"]})
ENDED = RunsFilter(statuses=[DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE])
LONG_AGO = datetime(2001, 1, 1, tzinfo=UTC)
FILTERS = [
    None,
    OF_DATA,
    ENDED,
    RunsFilter(run_ids=["run1", "none"]),
    RunsFilter(job_name="other"),
    RunsFilter(snapshot_id="missing"),
    RunsFilter(updated_after=LONG_AGO, created_after=LONG_AGO),
    RunsFilter(created_before=LONG_AGO),
    RunsFilter(updated_before=LONG_AGO),
]


def added(side: Side, run: DagsterRun) -> Any:
    side.runs.add_run(run)
    return side.runs.get_runs()


runs("add_run", lambda s: added(s, NEW), lambda s: added(s, NEW._replace(run_id="run0")))
runs("add_run", lambda s: added(s, NEW._replace(job_snapshot_id="missing")))
runs(
    "add_historical_run",
    lambda s: (s.runs.add_historical_run(NEW, LONG_AGO), next(r.create_timestamp for r in s.runs.get_run_records()))[1],
)
for given in FILTERS:
    runs("get_runs", lambda s, f=given: s.runs.get_runs(f), lambda s, f=given: s.runs.get_runs(f, limit=1))
    runs("get_run_ids", lambda s, f=given: s.runs.get_run_ids(f))
    runs("get_runs_count", lambda s, f=given: s.runs.get_runs_count(f))
    runs("get_run_records", lambda s, f=given: s.runs.get_run_records(f))
runs("get_runs", lambda s: s.runs.get_runs(cursor="run2"), lambda s: s.runs.get_runs(ascending=True))
runs("get_runs", lambda s: s.runs.get_runs(bucket_by=JobBucket(["job", "other"], 1)))
runs("get_runs", lambda s: s.runs.get_runs(bucket_by=TagBucket("team", ["data"], 2)))
runs("get_run_ids", lambda s: s.runs.get_run_ids(cursor="run2", limit=1))
runs("get_run_records", lambda s: s.runs.get_run_records(limit=2, order_by="start_time", ascending=True))
runs("get_run_records", lambda s: s.runs.get_run_records(cursor="run2", bucket_by=JobBucket(["job"], 1)))
runs("get_run_group", lambda s: s.runs.get_run_group("run0"), lambda s: s.runs.get_run_group("none"))
for name in ("run0", "run1", "run2", "none"):
    # Dagster's own storages have no such method; its instance asks them for the runs with this id.
    runs(
        "get_run_by_id",
        lambda s, name=name: s.runs.get_run_by_id(name),
        own=lambda s, name=name: next(iter(s.runs.get_runs(RunsFilter(run_ids=[name]))), None),
    )
runs("get_run_tags", lambda s: s.runs.get_run_tags(["number", "team"]))
runs("get_run_tags", lambda s: s.runs.get_run_tags(["dagster/partition"], value_prefix="p1", limit=1))
runs("get_run_tag_keys", lambda s: set(s.runs.get_run_tag_keys()))
runs("add_run_tags", lambda s: (s.runs.add_run_tags("run0", {"team": "new", "more": "yes"}), s.runs.get_runs())[1])
runs("has_run", lambda s: s.runs.has_run("run0"), lambda s: s.runs.has_run("none"))
runs("has_job_snapshot", lambda s: s.runs.has_job_snapshot("none"))
runs("add_job_snapshot", lambda s: (s.runs.add_job_snapshot(SNAPSHOT), s.runs.has_job_snapshot(SNAPSHOT.snapshot_id)))
runs("get_job_snapshot", lambda s: s.runs.get_job_snapshot(s.runs.add_job_snapshot(SNAPSHOT)).snapshot_id)
runs("has_execution_plan_snapshot", lambda s: s.runs.has_execution_plan_snapshot("none"))
runs("add_execution_plan_snapshot", lambda s: s.runs.add_execution_plan_snapshot(PLAN))
runs(
    "get_execution_plan_snapshot",
    lambda s: s.runs.get_execution_plan_snapshot(s.runs.add_execution_plan_snapshot(PLAN)) == PLAN,
)
runs("get_run_partition_data", lambda s: s.runs.get_run_partition_data(RunsFilter(job_name="job")))
runs("add_daemon_heartbeat", lambda s: s.runs.add_daemon_heartbeat(DaemonHeartbeat(1.0, "SENSOR", "id", [])))
runs(
    "get_daemon_heartbeats",
    lambda s: (s.runs.add_daemon_heartbeat(DaemonHeartbeat(1.0, "SENSOR", "id", [])), s.runs.get_daemon_heartbeats())[
        1
    ],
)
# Dagster's own storages take no telemetry (``supports_run_telemetry``); nothing is what the client reads of it.
runs("add_run_telemetry", lambda s: s.runs.add_run_telemetry(RunTelemetryData(run_id="run0", datapoints={"a": 1.0})),
     own=lambda s: None)  # fmt: skip

BACKFILL = PartitionBackfill("one", BulkActionStatus.REQUESTED, False, {"team": "data"}, 50.0, partition_names=["p"])
DONE = BACKFILL.with_status(BulkActionStatus.COMPLETED_SUCCESS)


def backfilled(side: Side, *more: Any) -> Any:
    for backfill in (BACKFILL, BACKFILL._replace(backfill_id="two", backfill_timestamp=60.0)):
        side.runs.add_backfill(backfill)
    return [read() for read in more]


runs("add_backfill", lambda s: backfilled(s, lambda: s.runs.get_backfills()))
runs("get_backfill", lambda s: backfilled(s, lambda: s.runs.get_backfill("one")))
runs("get_backfills", lambda s: backfilled(s, lambda: s.runs.get_backfills(limit=1)))
runs("get_backfills", lambda s: backfilled(s, lambda: s.runs.get_backfills(status=BulkActionStatus.FAILED)))
runs("get_backfills", lambda s: backfilled(s, lambda: s.runs.get_backfills(cursor="two")))
runs(
    "get_backfills",
    lambda s: backfilled(
        s,
        lambda: s.runs.get_backfills(BulkActionsFilter(statuses=[BulkActionStatus.REQUESTED], created_after=LONG_AGO)),
    ),
)
runs(
    "update_backfill",
    lambda s: backfilled(s, lambda: s.runs.update_backfill(DONE), lambda: s.runs.get_backfills()),
)
runs(
    "replace_job_origin",
    lambda s: (
        s.runs.replace_job_origin(s.runs.get_runs(RunsFilter(["run0"]))[0], RemoteJobOrigin(REPOSITORY, "renamed")),
        s.runs.get_runs(RunsFilter(["run0"])),
    )[1],
)

# -- schedules --------------------------------------------------------------------------------------------------------

STATE = InstigatorState(SENSOR, InstigatorType.SENSOR, InstigatorStatus.RUNNING)
ORIGIN, SELECTOR = STATE.instigator_origin_id, STATE.selector_id


def with_state(side: Side) -> Any:
    side.schedules.add_instigator_state(STATE)
    return side.schedules


def with_ticks(side: Side) -> Any:
    for at, status in ((1.0, TickStatus.SUCCESS), (2.0, TickStatus.SKIPPED), (3.0, TickStatus.SUCCESS)):
        data = TickData(
            ORIGIN, "sensor", InstigatorType.SENSOR, status, at, selector_id=SELECTOR, cursor=str(at), run_ids=[]
        )
        side.schedules.create_tick(data)
    return side.schedules


STOPPED = STATE.with_status(InstigatorStatus.STOPPED)
schedules(
    "add_instigator_state", lambda s: with_state(s).all_instigator_state(), lambda s: with_state(with_state_of(s))
)
schedules("update_instigator_state", lambda s: (with_state(s).update_instigator_state(STOPPED), states(s))[1])
schedules("get_instigator_state", lambda s: with_state(s).get_instigator_state(ORIGIN, SELECTOR))
schedules("get_instigator_state", lambda s: s.schedules.get_instigator_state(ORIGIN, SELECTOR))
schedules("all_instigator_state", lambda s: states(s))
schedules(
    "all_instigator_state",
    lambda s: with_state(s).all_instigator_state(
        REPOSITORY.get_id(), REPOSITORY.get_selector_id(), InstigatorType.SENSOR, {InstigatorStatus.RUNNING}
    ),
    lambda s: with_state(s).all_instigator_state(instigator_type=InstigatorType.SCHEDULE),
    lambda s: with_state(s).all_instigator_state(instigator_statuses={InstigatorStatus.STOPPED}),
)
schedules("create_tick", lambda s: with_ticks(s).get_ticks(ORIGIN, SELECTOR))
schedules("get_ticks", lambda s: with_ticks(s).get_ticks(ORIGIN, SELECTOR, before=3.0, after=1.0))
schedules("get_ticks", lambda s: with_ticks(s).get_ticks(ORIGIN, SELECTOR, limit=1, statuses=[TickStatus.SUCCESS]))
schedules("update_tick", lambda s: changed_tick(s))


def states(side: Side) -> Any:
    return side.schedules.all_instigator_state()


def with_state_of(side: Side) -> Side:
    """Adding the same state twice is refused on both sides."""
    with_state(side)
    return side


def changed_tick(side: Side) -> Any:
    [newest] = list(with_ticks(side).get_ticks(ORIGIN, SELECTOR, limit=1))
    side.schedules.update_tick(newest.with_status(TickStatus.FAILURE))
    return side.schedules.get_ticks(ORIGIN, SELECTOR)
