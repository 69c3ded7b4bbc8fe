"""A code location as a stand-in for an agent serves it, and what its runs, their workers and daemons would tell: its
runs launched, events sent, ticks written, by the real client's storages. No code server or run worker runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import dagster as dg
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.events import DagsterEvent
from dagster._core.events.log import EventLogEntry
from dagster._core.scheduler.instigation import TickData, TickStatus
from dagster_cloud.storage.event_logs.storage import GraphQLEventLogStorage
from dagster_cloud.storage.schedules.storage import GraphQLScheduleStorage
from dagster_rest_resources.__generated__ import input_types
from dagster_rest_resources.gql_client import DagsterPlusGraphQLClient
from dagster_shared.error import SerializableErrorInfo

from tests.contracts.served import DEADLINE_SECONDS, Served, StandinAgent

LOCATION, REPOSITORY = "hello", "__repository__"
PLAIN, PARTED = input_types.AssetKeyInput(path=["plain"]), input_types.AssetKeyInput(path=["parted"])
IN_REPOSITORY = {"repositoryName": REPOSITORY, "repositoryLocationName": LOCATION}
SCHEDULE = input_types.ScheduleSelector(**IN_REPOSITORY, scheduleName="every_day")
SENSOR = input_types.SensorSelector(**IN_REPOSITORY, sensorName="watching")


def definitions() -> dg.Definitions:
    @dg.op
    def greet() -> None: ...

    @dg.job(tags={"team": "data"})
    def greeting() -> None:
        greet()

    @dg.asset(partitions_def=dg.StaticPartitionsDefinition(["a", "b"]))
    def parted() -> None: ...

    @dg.asset(group_name="simple", description="Plain.", automation_condition=dg.AutomationCondition.eager())
    def plain() -> None: ...

    @dg.asset_check(asset=plain)
    def good() -> dg.AssetCheckResult: ...

    @dg.schedule(cron_schedule="0 5 * * *", target=greeting)
    def every_day() -> dict[str, Any]:
        return {}

    @dg.sensor(target=greeting)
    def watching() -> None: ...

    return dg.Definitions(
        assets=[parted, plain], asset_checks=[good], jobs=[greeting], schedules=[every_day], sensors=[watching]
    )


def launched(client: DagsterPlusGraphQLClient, agent: StandinAgent, **tags: str) -> str:
    """A run of the job that the agent was told to launch."""
    answer = client.launch_run(
        execution_params=input_types.ExecutionParams(
            selector=input_types.JobOrPipelineSelector(**IN_REPOSITORY, pipelineName="greeting"),
            runConfigData={},
            mode="default",
            executionMetadata=input_types.ExecutionMetadata(
                tags=[input_types.ExecutionTag(key=key, value=value) for key, value in tags.items()]
            ),
        )
    ).launch_run
    run_id: str = answer.run.run_id
    until(lambda: run_id in agent.launched, "the agent to launch the run")
    return run_id


def sender(served: Served, run_id: str) -> Callable[[str, Any], None]:
    """Sends a run's events as its worker does."""
    events = GraphQLEventLogStorage(override_graphql_client=served)

    def send(kind: str, details: Any) -> None:
        step = None if kind.startswith("PIPELINE") else "greet"
        event = DagsterEvent(kind, "greeting", message="said", step_key=step, event_specific_data=details)
        events.store_event(EventLogEntry(None, 20, "said", run_id, time.time(), step, "greeting", event))

    return send


def until(reached: Callable[[], Any], what: str) -> Any:
    end = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < end:
        if found := reached():
            return found
        time.sleep(0.05)
    raise AssertionError(f"waited {DEADLINE_SECONDS:g} s for {what}")


def ticked(served: Served, state_id: str, name: str, kind: InstigatorType) -> None:
    """Two ticks, a good and a bad one, as a daemon writes them."""
    origin_id, selector_id = state_id.split("::")
    storage = GraphQLScheduleStorage(override_graphql_client=served)
    for status in (TickStatus.SUCCESS, TickStatus.FAILURE):
        storage.create_tick(
            TickData(
                instigator_origin_id=origin_id,
                instigator_name=name,
                instigator_type=kind,
                status=status,
                timestamp=time.time(),
                run_ids=[],
                error=SerializableErrorInfo("boom", [], "ValueError") if status is TickStatus.FAILURE else None,
                selector_id=selector_id,
            )
        )
