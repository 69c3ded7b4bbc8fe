"""The Dagster+ client's own storages, talking to the bridge, answer as the storages behind it do.

The client's classes are real; between them and the bridge stands GraphQL execution and JSON, but no HTTP. Proves that
what goes in and out survives the wire in the shapes that the pinned client writes and reads. Cannot prove that
Dagster+ would answer alike.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import graphql
import pytest
from dagster import (
    AssetCheckKey,
    AssetKey,
    AssetMaterialization,
    DagsterEventType,
    DagsterInvalidInvocationError,
    DagsterRun,
    DagsterRunStatus,
    EventRecordsFilter,
)
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluation,
    AssetCheckEvaluationPlanned,
)
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.errors import DagsterRunAlreadyExists, DagsterRunNotFoundError, DagsterSnapshotDoesNotExist
from dagster._core.event_api import AssetRecordsFilter, RunStatusChangeRecordsFilter
from dagster._core.events import AssetMaterializationPlannedData, StepMaterializationData
from dagster._core.execution.plan.handle import StepHandle
from dagster._core.execution.plan.objects import StepFailureData as _StepFailureData
from dagster._core.scheduler.instigation import TickData, TickStatus
from dagster._core.storage.dagster_run import RunsFilter
from dagster._daemon.types import DaemonHeartbeat
from dagster_cloud.storage.event_logs.storage import GraphQLEventLogStorage
from dagster_cloud.storage.runs.storage import GraphQLRunStorage
from dagster_cloud.storage.schedules.storage import GraphQLScheduleStorage
from dagster_shared.error import SerializableErrorInfo

from hybrid.emulator.runtime import storage_sdl
from hybrid.emulator.runtime.bridge import Bridge, storage_resolvers

pytestmark = pytest.mark.unit
A, B = AssetKey(["group", "a"]), AssetKey("b")
CHECK = AssetCheckKey(A, "good")


class BridgeClient:
    """The GraphQL client that the client's storages are given: everything passes through JSON, as over HTTP."""

    def __init__(self, bridge: Bridge) -> None:
        self._schema = graphql.build_schema("type Query { _: Boolean }\ntype Mutation { _: Boolean }\n" + storage_sdl())
        roots = {"Query": self._schema.query_type, "Mutation": self._schema.mutation_type}
        for kind, fields in storage_resolvers(lambda _context: bridge).items():
            for field, resolve in fields.items():
                (roots.get(kind) or self._schema.type_map[kind]).fields[field].resolve = resolve

    def execute(
        self,
        query: str,
        variable_values: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        idempotent_mutation: bool = False,
    ) -> Any:
        variables = json.loads(json.dumps(variable_values or {}))
        result = graphql.graphql_sync(
            self._schema, query, variable_values=variables, context_value={"headers": dict(headers or {})}
        )
        if result.errors:
            raise result.errors[0].original_error or result.errors[0]
        return json.loads(json.dumps({"data": result.data}))


class Sides:
    """The client's storages and the ones behind the bridge."""

    def __init__(self, bridge: Bridge) -> None:
        client = BridgeClient(bridge)
        self.runs = GraphQLRunStorage(override_graphql_client=client)
        self.events = GraphQLEventLogStorage(override_graphql_client=client)
        self.schedules = GraphQLScheduleStorage(override_graphql_client=client)
        self.behind = bridge.storages


@pytest.fixture
def sides(bridge: Bridge) -> Sides:
    return Sides(bridge)


@pytest.fixture
def filled(sides: Sides, make_event: Callable[..., Any]) -> Sides:
    """One run of a partitioned asset with a check, that fails in the end."""
    sides.runs.add_run(DagsterRun(job_name="job", run_id="run", tags={"team": "data"}))
    send = sides.events.store_event
    send(make_event("run", "start", "PIPELINE_START"))
    planned = AssetMaterializationPlannedData(A, partition="p")
    send(make_event("run", "planned", "ASSET_MATERIALIZATION_PLANNED", event_specific_data=planned))
    planned_check = AssetCheckEvaluationPlanned(asset_key=A, check_name="good")
    send(make_event("run", "planned", "ASSET_CHECK_EVALUATION_PLANNED", event_specific_data=planned_check))
    for partition in ("p", "p", "q"):
        materialization = AssetMaterialization(
            A, partition=partition, metadata={"rows": 3}, tags={"dagster/data_version": "1"}
        )
        send(
            make_event(
                "run", "m", "ASSET_MATERIALIZATION", event_specific_data=StepMaterializationData(materialization)
            )
        )
    evaluation = AssetCheckEvaluation(asset_key=A, check_name="good", passed=True, metadata={})
    send(make_event("run", "c", "ASSET_CHECK_EVALUATION", event_specific_data=evaluation))
    failure = _StepFailureData(
        error=SerializableErrorInfo("boom", ["line\n"], "ValueError", SerializableErrorInfo("why", [], None)),
        user_failure_data=None,
    )
    step = StepHandle.parse_from_key("step[dynamic]")
    send(
        make_event("run", "f", "STEP_FAILURE", event_specific_data=failure, step_key="step[dynamic]", step_handle=step)
    )
    send(make_event("run", "end", "PIPELINE_FAILURE"))
    return sides


def test_events_come_back_as_they_were_sent(filled: Sides) -> None:
    ours = filled.events.get_records_for_run("run")
    theirs = filled.behind.events.get_records_for_run("run")
    assert ours == theirs, "records, cursor and whether there are more"
    assert len(ours.records) == 9
    failure = ours.records[7].event_log_entry.get_dagster_event()
    assert failure.step_failure_data.error.cause.message == "why", "errors keep their causes"


def test_events_are_paged_and_sifted_as_asked(filled: Sides) -> None:
    first = filled.events.get_records_for_run("run", limit=2)
    assert [record.event_log_entry.user_message for record in first.records] == ["start", "planned"]
    assert first.has_more
    rest = filled.events.get_records_for_run("run", cursor=first.cursor)
    assert len(rest.records) == 7
    last = filled.events.get_records_for_run("run", limit=1, ascending=False)
    assert last.records[0].event_log_entry.user_message == "end"
    failures = filled.events.get_records_for_run("run", of_type={DagsterEventType.STEP_FAILURE})
    assert len(failures.records) == 1


def test_a_run_is_moved_by_its_events(filled: Sides) -> None:
    run = filled.runs.get_run_by_id("run")
    assert run is not None
    assert run.status == DagsterRunStatus.FAILURE, "the client relies on it (handles_run_events_in_store_event)"


def test_statistics_agree(filled: Sides) -> None:
    assert filled.events.get_stats_for_run("run") == filled.behind.events.get_stats_for_run("run")
    assert list(filled.events.get_step_stats_for_run("run")) == list(filled.behind.events.get_step_stats_for_run("run"))


def test_assets_agree(filled: Sides) -> None:
    ours, behind = filled.events, filled.behind.events
    assert ours.has_asset_key(A)
    assert not ours.has_asset_key(B)
    assert list(ours.all_asset_keys()) == list(behind.all_asset_keys())
    [mine], [theirs] = ours.get_asset_records([A]), behind.get_asset_records([A])
    assert mine.asset_entry.last_materialization_record == theirs.asset_entry.last_materialization_record
    assert mine.asset_entry.last_planned_materialization_run_id == "run", "the client asks for it in no other way"
    assert list(ours.get_asset_records()) == [mine], "no keys is all assets"
    assert ours.get_latest_materialization_events([A]) == behind.get_latest_materialization_events([A])
    assert ours.get_asset_partitions_for_run("run") == {A: {"p", "q"}}
    assert ours.get_asset_keys_for_run("run") == {A}
    assert ours.get_latest_planned_materialization_info(A, "p") == behind.get_latest_planned_materialization_info(
        A, "p"
    )
    assert ours.get_latest_planned_materialization_info(B) is None
    assert ours.get_event_tags_for_asset(A) == behind.get_event_tags_for_asset(A)


def test_pages_of_asset_events_agree(filled: Sides) -> None:
    wanted = AssetRecordsFilter(A, asset_partitions=["p"])
    assert filled.events.fetch_materializations(wanted, 10) == filled.behind.events.fetch_materializations(wanted, 10)
    first = filled.events.fetch_materializations(A, 2, ascending=True)
    assert (len(first.records), first.has_more) == (2, True)
    second = filled.events.fetch_materializations(A, 2, cursor=first.cursor, ascending=True)
    assert len(second.records) == 1
    assert len(filled.events.fetch_planned_materializations(A, 10).records) == 1
    assert filled.events.fetch_observations(A, 10).records == []
    assert filled.events.fetch_failed_materializations(A, 10).records == []
    wanted_events = EventRecordsFilter(DagsterEventType.ASSET_MATERIALIZATION, asset_key=A)
    assert list(filled.events.get_event_records(wanted_events)) == list(
        filled.behind.events.get_event_records(wanted_events)
    )


def test_partitions_agree(filled: Sides) -> None:
    ours, behind = filled.events, filled.behind.events
    assert ours.get_materialized_partitions(A) == {"p", "q"}
    assert ours.get_materialization_count_by_partition([A, B]) == {A: {"p": 2, "q": 1}, B: {}}
    kind = DagsterEventType.ASSET_MATERIALIZATION
    assert ours.get_latest_storage_id_by_partition(A, kind) == behind.get_latest_storage_id_by_partition(A, kind)
    tags = ["dagster/data_version"]
    assert ours.get_latest_tags_by_partition(A, kind, tags) == behind.get_latest_tags_by_partition(A, kind, tags)
    attempts = ours.get_latest_asset_partition_materialization_attempts_without_materializations(A)
    assert attempts == behind.get_latest_asset_partition_materialization_attempts_without_materializations(A)
    assert ours.get_updated_data_version_partitions(A, ["p"], 0) == behind.get_updated_data_version_partitions(
        A, ["p"], 0
    )


def test_a_wiped_asset_has_no_partitions_left(filled: Sides) -> None:
    filled.events.wipe_asset(A)
    assert filled.events.get_materialization_count_by_partition([A]) == {A: {}}
    assert not filled.events.has_asset_key(A)


def test_checks_agree(filled: Sides) -> None:
    ours, behind = filled.events, filled.behind.events
    assert ours.get_asset_check_summary_records([CHECK]) == behind.get_asset_check_summary_records([CHECK])
    assert ours.get_latest_asset_check_execution_by_key([CHECK]) == behind.get_latest_asset_check_execution_by_key(
        [CHECK]
    )


def test_run_status_changes_can_be_asked_of_some_jobs(sides: Sides, make_event: Callable[..., Any]) -> None:
    for number in range(5):
        event = make_event(f"run{number}", "s", "PIPELINE_SUCCESS")
        sides.events.store_event(event if number % 2 else event._replace(job_name="other"))
    wanted = RunStatusChangeRecordsFilter(DagsterEventType.PIPELINE_SUCCESS, job_names=["other"])
    first = sides.events.fetch_run_status_changes(wanted, limit=2, ascending=True)
    second = sides.events.fetch_run_status_changes(wanted, limit=2, cursor=first.cursor, ascending=True)
    found = [record.event_log_entry.run_id for page in (first, second) for record in page.records]
    assert found == ["run0", "run2", "run4"], "the client says that its server can do this, SQLite cannot"
    everything = sides.events.fetch_run_status_changes(DagsterEventType.PIPELINE_SUCCESS, limit=10)
    assert len(everything.records) == 5


def test_dynamic_partitions(sides: Sides) -> None:
    sides.events.add_dynamic_partitions("colors", ["red", "green"])
    sides.events.add_dynamic_partitions("colors", ["red", "blue"])
    assert list(sides.events.get_dynamic_partitions("colors")) == ["red", "green", "blue"]
    page = sides.events.get_paginated_dynamic_partitions("colors", 2, True)
    assert (list(page.results), page.has_more) == (["red", "green"], True)
    assert sides.events.has_dynamic_partition("colors", "red")
    sides.events.delete_dynamic_partition("colors", "red")
    assert not sides.events.has_dynamic_partition("colors", "red")


def test_a_pools_slots_are_claimed_and_freed(sides: Sides) -> None:
    sides.events.set_concurrency_slots("db", 1)
    assert sides.events.get_concurrency_keys() == {"db"}
    assert [(pool.name, pool.limit) for pool in sides.events.get_pool_limits()] == [("db", 1)]
    assert sides.events.claim_concurrency_slot("db", "run", "one").is_claimed
    assert not sides.events.claim_concurrency_slot("db", "run", "two").is_claimed
    assert not sides.events.check_concurrency_claim("db", "run", "two").is_claimed
    info = sides.events.get_concurrency_info("db")
    assert [slot.step_key for slot in info.claimed_slots] == ["one"]
    assert [step.step_key for step in info.pending_steps] == ["one", "two"]
    sides.events.free_concurrency_slot_for_step("run", "one")
    assert sides.events.claim_concurrency_slot("db", "run", "two").is_claimed, "a freed slot is the next one's"
    sides.events.free_concurrency_slots_for_run("run")
    sides.events.delete_concurrency_limit("db")
    assert sides.events.get_concurrency_keys() == set()
    assert sides.events.get_pool_config().default_pool_limit is None


def test_a_limit_that_cannot_be_is_refused_with_the_error_that_the_client_knows(sides: Sides) -> None:
    with pytest.raises(DagsterInvalidInvocationError):
        sides.events.set_concurrency_slots("db", 100_000)


def test_runs_agree(sides: Sides) -> None:
    for number in range(3):
        tags = {"team": "data", "number": str(number)}
        sides.runs.add_run(DagsterRun(job_name=f"job{number}", run_id=f"run{number}", tags=tags))
    sides.runs.add_run_tags("run1", {"more": "yes"})
    behind = sides.behind.runs
    some = RunsFilter(tags={"team": "data", "number": ["0", "1"]}, statuses=[DagsterRunStatus.NOT_STARTED])
    assert list(sides.runs.get_runs(some)) == list(behind.get_runs(some))
    assert list(sides.runs.get_run_ids(some)) == ["run1", "run0"]
    assert sides.runs.get_runs_count(some) == 2
    assert sides.runs.get_run_records(limit=2) == list(behind.get_run_records(limit=2))
    assert sides.runs.has_run("run1")
    assert not sides.runs.has_run("none")
    assert sides.runs.get_run_by_id("none") is None
    assert ("more", {"yes"}) in sides.runs.get_run_tags(["more", "team"])
    assert set(sides.runs.get_run_tag_keys()) == {"team", "number", "more"}
    group = sides.runs.get_run_group("run1")
    assert group is not None
    assert group[0] == "run1"


def test_errors_of_the_run_storage_are_the_ones_that_the_client_knows(sides: Sides) -> None:
    sides.runs.add_run(DagsterRun(job_name="job", run_id="run"))
    with pytest.raises(DagsterRunAlreadyExists):
        sides.runs.add_run(DagsterRun(job_name="job", run_id="run"))
    with pytest.raises(DagsterSnapshotDoesNotExist):
        sides.runs.add_run(DagsterRun(job_name="job", run_id="other", job_snapshot_id="missing"))
    with pytest.raises(DagsterRunNotFoundError):
        sides.runs.get_run_group("missing")


def test_daemon_heartbeats_agree(sides: Sides) -> None:
    beat = DaemonHeartbeat(1.0, "CUSTOM", "id", [])
    sides.runs.add_daemon_heartbeat(beat)
    assert sides.runs.get_daemon_heartbeats()["CUSTOM"] == beat


def test_ticks_agree(sides: Sides) -> None:
    data = TickData("origin", "name", InstigatorType.SENSOR, TickStatus.STARTED, 1.0, selector_id="selector")
    tick = sides.schedules.create_tick(data)
    sides.schedules.update_tick(tick.with_status(TickStatus.SUCCESS))
    found = list(sides.schedules.get_ticks("origin", "selector", statuses=[TickStatus.SUCCESS]))
    assert [(one.tick_id, one.status) for one in found] == [(tick.tick_id, TickStatus.SUCCESS)]
    assert list(sides.schedules.all_instigator_state()) == []
    assert sides.schedules.get_instigator_state("origin", "selector") is None
