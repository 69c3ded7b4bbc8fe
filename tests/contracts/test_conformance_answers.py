"""What `dg api` asks of Dagster's own part, asked by its own generated client of a served organization.

The client reads the answers into typed models, so that an answer of another shape fails. The code location is uploaded
by a stand-in for an agent, its events are sent by the real client's storages; no code server or run worker runs. That
real ones get as far is proved in tier ``emulated``.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluation,
    AssetCheckEvaluationPlanned,
)
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.events import AssetObservationData, ComputeLogsCaptureData, StepMaterializationData
from dagster._core.execution.backfill import BulkActionStatus
from dagster_cloud.storage.runs.storage import GraphQLRunStorage
from dagster_cloud_cli import gql
from dagster_rest_resources.__generated__ import enums, input_types
from dagster_rest_resources.gql_client import DagsterPlusGraphQLClient

from tests.contracts.greeting_location import (
    IN_REPOSITORY,
    LOCATION,
    PARTED,
    PLAIN,
    REPOSITORY,
    SCHEDULE,
    SENSOR,
    definitions,
    launched,
    sender,
    ticked,
    until,
)
from tests.contracts.served import Served, StandinAgent

pytestmark = pytest.mark.contracts


@pytest.fixture(scope="module", autouse=True)
def agent(served: Served, client: DagsterPlusGraphQLClient) -> Iterator[StandinAgent]:
    client.add_or_update_code_location(document={"location_name": LOCATION, "code_source": {"module_name": "hello"}})
    serving = StandinAgent(served, LOCATION, definitions()).start()
    yield serving
    serving.end()


@pytest.fixture(scope="module")
def run_id(served: Served, client: DagsterPlusGraphQLClient, agent: StandinAgent) -> str:
    """A finished run with an event of each kind that is asked for here."""
    run = launched(client, agent, team="core", origin="test")
    send = sender(served, run)
    send("PIPELINE_START", None)
    for partition in ("a", "b"):
        made = dg.AssetMaterialization("parted", partition=partition, metadata={"rows": 3})
        send("ASSET_MATERIALIZATION", StepMaterializationData(made))
    send("ASSET_OBSERVATION", AssetObservationData(dg.AssetObservation("plain", metadata={"rows": 4})))
    check = {"asset_key": dg.AssetKey("plain"), "check_name": "good"}
    send("ASSET_CHECK_EVALUATION_PLANNED", AssetCheckEvaluationPlanned(**check))
    send("ASSET_CHECK_EVALUATION", AssetCheckEvaluation(**check, passed=False, metadata={}))
    send("LOGS_CAPTURED", ComputeLogsCaptureData("greet", ["greet"]))
    send("PIPELINE_SUCCESS", None)
    return run


def test_runs_are_listed_by_what_is_asked_for(client: DagsterPlusGraphQLClient, run_id: str) -> None:
    asked = [input_types.ExecutionTag(key="origin", value="test")]
    found = client.list_runs(filter=input_types.RunsFilter(tags=asked), limit=5).runs_or_error
    assert [run.run_id for run in found.results] == [run_id], "the tag chooses this run"
    assert {tag.key: tag.value for tag in found.results[0].tags}["origin"] == "test"
    nothing = client.list_runs(filter=input_types.RunsFilter(pipelineName="other"), limit=5).runs_or_error
    assert (nothing.results, nothing.count) == ([], 0), "and the job's name leaves it out"


def test_a_run_is_shown_with_its_statistics(client: DagsterPlusGraphQLClient, run_id: str) -> None:
    run = client.get_run(run_id=run_id).run_or_error
    assert (run.run_id, run.status, run.job_name) == (run_id, enums.RunStatus.SUCCESS, "greeting")
    assert run.stats.materializations == 2, "both materializations are counted"
    assert client.get_run(run_id="no-such-run").run_or_error.typename__ == "RunNotFoundError"


def test_the_command_line_reads_a_runs_status(served: Served, run_id: str) -> None:
    assert served.data_of(gql.GET_RUN_STATUS_QUERY, {"runId": run_id})["runOrError"]["status"] == "SUCCESS"
    other = served.data_of(gql.GET_RUN_STATUS_QUERY, {"runId": "no-such-run"})["runOrError"]
    assert other["__typename"] == "RunNotFoundError", "another run is another answer"


def test_the_command_line_launches_a_run(served: Served, agent: StandinAgent) -> None:
    params = {"selector": {**IN_REPOSITORY, "jobName": "greeting"}, "runConfigData": {}, "mode": "default"}
    found = served.data_of(gql.LAUNCH_RUN_MUTATION, {"executionParams": params})["launchRun"]
    assert found["run"]["runId"], f"no run was launched: {found}"
    until(lambda: found["run"]["runId"] in agent.launched, "the agent to launch the run")


def test_the_command_line_sees_how_locations_are_loaded(served: Served) -> None:
    entries = served.data_of(gql.REPOSITORY_LOCATIONS_QUERY)["workspaceOrError"]["locationEntries"]
    assert [(entry["name"], entry["loadStatus"]) for entry in entries] == [(LOCATION, "LOADED")]


def test_events_of_a_run_are_paged(client: DagsterPlusGraphQLClient, run_id: str) -> None:
    first = client.get_run_events(run_id=run_id, limit=3).logs_for_run
    assert (len(first.events), first.has_more) == (3, True), "no more than asked for"
    rest = client.get_run_events(run_id=run_id, limit=100, after_cursor=first.cursor).logs_for_run
    kinds = [event.typename__ for event in [*first.events, *rest.events]]
    assert kinds.count("MaterializationEvent") == 2, "the second page begins where the first ends"
    assert (kinds[-1], rest.has_more) == ("RunSuccessEvent", False)


def test_captured_output_is_found_and_read(served: Served, client: DagsterPlusGraphQLClient, run_id: str) -> None:
    events = client.get_logs_captured_events(run_id=run_id, limit=100).logs_for_run.events
    [captured] = [event for event in events if event.typename__ == "LogsCapturedEvent"]
    assert (captured.file_key, captured.step_keys) == ("greet", ["greet"])
    log_key = [run_id, "compute_logs", captured.file_key]
    answer = served.http.get(
        "/gen_logs_url",
        params={"log_key": log_key, "io_type": "stdout"},
        headers=served.headers(served.agent_token),
    )
    assert served.http.put(answer.json()["url"], content=b"hello\n").is_success
    assert client.get_captured_logs(log_key=log_key, limit=100).captured_logs.stdout == "hello\n"
    shown = client.get_captured_logs_metadata(log_key=log_key).captured_logs_metadata
    assert shown.stdout_download_url, "what was uploaded can be downloaded"


def test_a_run_that_goes_on_is_terminated_through_its_agent(
    served: Served, client: DagsterPlusGraphQLClient, agent: StandinAgent, run_id: str
) -> None:
    going_on = launched(client, agent)
    sender(served, going_on)("PIPELINE_START", None)
    found = client.terminate_run(
        run_id=going_on, terminate_policy=enums.TerminateRunPolicy.SAFE_TERMINATE
    ).terminate_run
    assert found.typename__ == "TerminateRunSuccess"
    until(lambda: going_on in agent.terminated, "the agent to be told")
    ended = client.terminate_run(run_id=run_id).terminate_run
    assert ended.typename__ == "TerminateRunFailure", "a run that has ended cannot be"


def test_a_run_is_run_again_under_the_same_root(
    client: DagsterPlusGraphQLClient, agent: StandinAgent, run_id: str
) -> None:
    params = input_types.ReexecutionParams(parentRunId=run_id, strategy=enums.ReexecutionStrategy.ALL_STEPS)
    run = client.rerun_run(reexecution_params=params).launch_run_reexecution.run
    assert (run.parent_run_id, run.root_run_id, run.job_name) == (run_id, run_id, "greeting")
    until(lambda: run.run_id in agent.launched, "the agent to launch it")


def test_a_backfill_that_failed_is_run_again(served: Served, client: DagsterPlusGraphQLClient) -> None:
    launch = (
        "mutation Launch($params: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $params) "
        "{ __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }"
    )
    params = {"assetSelection": [{"path": ["parted"]}], "partitionNames": ["a", "b"], "fromFailure": False}
    backfill_id = served.data_of(launch, {"params": params})["launchPartitionBackfill"]["backfillId"]
    runs = GraphQLRunStorage(override_graphql_client=served)
    first = runs.get_backfill(backfill_id)
    assert first is not None
    runs.update_backfill(first.with_status(BulkActionStatus.COMPLETED_FAILED).with_end_timestamp(time.time()))
    again = input_types.ReexecutionParams(parentRunId=backfill_id, strategy=enums.ReexecutionStrategy.ALL_STEPS)
    found = client.rerun_backfill(reexecution_params=again).reexecute_partition_backfill
    assert found.typename__ == "LaunchBackfillSuccess"
    second = runs.get_backfill(found.backfill_id)
    assert second is not None
    assert second.tags["dagster/parent_backfill_id"] == backfill_id, "it knows what it repeats"


def test_assets_are_listed_page_by_page(client: DagsterPlusGraphQLClient, run_id: str) -> None:
    first = client.list_asset_records(limit=1).asset_records_or_error
    assert [asset.key.path for asset in first.assets] == [["parted"]]
    rest = client.list_asset_records(limit=5, cursor=first.cursor).asset_records_or_error
    assert [asset.key.path for asset in rest.assets] == [["plain"]], "the page after it has the other"


def test_an_asset_is_described_as_it_is_defined(client: DagsterPlusGraphQLClient, run_id: str) -> None:
    [asset] = client.get_asset_details(asset_keys=[PLAIN]).assets_or_error.nodes
    assert (asset.definition.description, asset.definition.group_name) == ("Plain.", "simple")
    assert asset.definition.automation_condition.label == "eager"
    [health] = client.get_asset_health(asset_keys=[PARTED]).assets_or_error.nodes
    assert health.asset_materializations[0].run_id == run_id, "the other asset was asked for, and it was made"


def test_an_assets_events_are_those_asked_for(client: DagsterPlusGraphQLClient, run_id: str) -> None:
    [asset] = client.get_asset_materialization_events(
        asset_keys=[PARTED], limit=9, partitions=["a"]
    ).assets_or_error.nodes
    [made] = asset.asset_materializations
    assert (made.partition, made.run_id, made.metadata_entries[0].int_value) == ("a", run_id, 3)
    [asset] = client.get_asset_observation_events(asset_keys=[PLAIN], limit=9).assets_or_error.nodes
    assert asset.asset_observations[0].metadata_entries[0].int_value == 4
    [asset] = client.get_asset_observation_events(asset_keys=[PARTED], limit=9).assets_or_error.nodes
    assert asset.asset_observations == [], "the other asset was not observed"


def test_partitions_of_an_asset_are_counted(client: DagsterPlusGraphQLClient, run_id: str) -> None:
    stats = client.get_asset_partition_status(asset_key=PARTED).asset_node_or_error.partition_stats
    assert (stats.num_materialized, stats.num_partitions) == (2, 2)
    assert client.get_asset_partition_status(asset_key=PLAIN).asset_node_or_error.partition_stats is None


def test_an_asset_is_found_in_its_location(client: DagsterPlusGraphQLClient) -> None:
    assert client.get_asset_location(asset_key=PLAIN).asset_node_or_error.repository.location.name == LOCATION
    found = client.get_asset_locations(asset_keys=[PLAIN]).asset_nodes
    assert [(node.asset_key.path, node.repository.location.name) for node in found] == [(["plain"], LOCATION)]
    nothing = client.get_asset_location(asset_key=input_types.AssetKeyInput(path=["absent"])).asset_node_or_error
    assert nothing.typename__ == "AssetNotFoundError"


def test_checks_and_their_executions_are_listed(client: DagsterPlusGraphQLClient, run_id: str) -> None:
    checks = client.list_asset_checks(asset_key=PLAIN).asset_node_or_error.asset_checks_or_error.checks
    assert [(check.name, check.blocking) for check in checks] == [("good", False)]
    [done] = client.list_asset_check_executions(asset_key=PLAIN, check_name="good", limit=5).asset_check_executions
    assert (done.run_id, done.status) == (run_id, enums.AssetCheckExecutionResolvedStatus.FAILED)
    other = client.list_asset_check_executions(asset_key=PLAIN, check_name="other", limit=5).asset_check_executions
    assert other == [], "another check has not been executed"


def test_evaluations_of_an_automation_condition_are_listed(served: Served, client: DagsterPlusGraphQLClient) -> None:
    start = (
        "mutation Start($sensor: SensorSelector!) { startSensor(sensorSelector: $sensor) { __typename "
        "... on Sensor { sensorState { status } } } }"
    )
    sensor = {**IN_REPOSITORY, "sensorName": "default_automation_condition_sensor"}
    assert served.data_of(start, {"sensor": sensor})["startSensor"]["sensorState"]["status"] == "RUNNING"

    def records() -> Any:
        asked = client.get_asset_condition_evaluations(asset_key=PLAIN, limit=5)
        return asked.asset_condition_evaluation_records_or_error.records

    record = until(records, "the daemon to evaluate the condition")[0]
    assert record.root_unique_id in [node.unique_id for node in record.evaluation_nodes], "the condition, taken apart"
    nothing = client.get_asset_condition_evaluations(asset_key=PARTED, limit=5)
    assert nothing.asset_condition_evaluation_records_or_error.records == [], "the other asset has no condition"


def test_repositories_are_listed_with_jobs_schedules_and_sensors(client: DagsterPlusGraphQLClient) -> None:
    [repository] = client.list_repositories().repositories_or_error.nodes
    jobs = {job.name: job for job in repository.jobs}
    assert {tag.key: tag.value for tag in jobs["greeting"].tags} == {"team": "data"}
    [with_schedules] = client.list_repositories_with_schedules().repositories_or_error.nodes
    assert [schedule.cron_schedule for schedule in with_schedules.schedules] == ["0 5 * * *"]
    [with_sensors] = client.list_repositories_with_sensors().repositories_or_error.nodes
    assert "watching" in [sensor.name for sensor in with_sensors.sensors]
    [for_ticks] = client.list_repositories_for_ticks().repositories_or_error.nodes
    assert [schedule.name for schedule in for_ticks.schedules] == ["every_day"]


def test_schedules_and_sensors_are_those_of_the_repository_asked_for(client: DagsterPlusGraphQLClient) -> None:
    here = input_types.RepositorySelector(**IN_REPOSITORY)
    elsewhere = input_types.RepositorySelector(repositoryName=REPOSITORY, repositoryLocationName="elsewhere")
    schedules = client.list_schedules(repository_selector=here).schedules_or_error.results
    assert [schedule.pipeline_name for schedule in schedules] == ["greeting"]
    assert client.list_schedules(repository_selector=elsewhere).schedules_or_error.typename__ != "Schedules"
    sensors = client.list_sensors(repository_selector=here).sensors_or_error.results
    assert "watching" in [sensor.name for sensor in sensors]
    assert client.list_sensors(repository_selector=elsewhere).sensors_or_error.typename__ != "Sensors"


def test_one_schedule_and_one_sensor_are_shown(client: DagsterPlusGraphQLClient) -> None:
    schedule = client.get_schedule(schedule_selector=SCHEDULE).schedule_or_error
    assert (schedule.name, schedule.schedule_state.status) == ("every_day", enums.InstigationStatus.STOPPED)
    sensor = client.get_sensor(sensor_selector=SENSOR).sensor_or_error
    assert (sensor.name, sensor.sensor_type) == ("watching", enums.SensorType.STANDARD)
    absent = input_types.SensorSelector(**IN_REPOSITORY, sensorName="absent")
    assert client.get_sensor(sensor_selector=absent).sensor_or_error.typename__ == "SensorNotFoundError"


def test_a_schedules_ticks_are_listed_by_their_status(served: Served, client: DagsterPlusGraphQLClient) -> None:
    schedule = client.get_schedule(schedule_selector=SCHEDULE).schedule_or_error
    ticked(served, schedule.id, "every_day", InstigatorType.SCHEDULE)

    def statuses(**arguments: Any) -> list[str]:
        found = client.get_schedule_ticks(schedule_selector=SCHEDULE, **arguments).schedule_or_error
        return [tick.status.value for tick in found.schedule_state.ticks]

    assert statuses(limit=5) == ["FAILURE", "SUCCESS"], "the latest first"
    assert statuses(limit=5, statuses=[enums.InstigationTickStatus.SUCCESS]) == ["SUCCESS"]
    assert statuses(limit=1) == ["FAILURE"], "no more than asked for"


def test_a_sensors_ticks_are_listed_by_their_status(served: Served, client: DagsterPlusGraphQLClient) -> None:
    sensor = client.get_sensor(sensor_selector=SENSOR).sensor_or_error
    ticked(served, sensor.id, "watching", InstigatorType.SENSOR)

    def statuses(**arguments: Any) -> list[str]:
        found = client.get_sensor_ticks(sensor_selector=SENSOR, **arguments).sensor_or_error
        return [tick.status.value for tick in found.sensor_state.ticks]

    assert statuses(limit=5) == ["FAILURE", "SUCCESS"], "the latest first"
    assert statuses(limit=5, statuses=[enums.InstigationTickStatus.FAILURE]) == ["FAILURE"]
    assert statuses(limit=1) == ["FAILURE"], "no more than asked for"


def test_locations_are_listed_with_their_state(client: DagsterPlusGraphQLClient) -> None:
    [entry] = client.get_location_statuses().location_statuses_or_error.entries
    assert (entry.name, entry.load_status.value) == (LOCATION, "LOADED")
    [listed] = client.list_code_locations().workspace.workspace_entries
    assert '"module_name": "hello"' in listed.serialized_deployment_metadata, "as the agents get it"


def test_a_location_comes_and_goes(client: DagsterPlusGraphQLClient) -> None:
    document = {"location_name": "passing", "code_source": {"package_name": "passing"}}
    added = client.add_or_update_code_location(document=document).add_or_update_location_from_document
    assert added.location_name == "passing"
    assert len(client.list_code_locations().workspace.workspace_entries) == 2
    gone = client.delete_code_location(location_name="passing").delete_location
    assert gone.location_name == "passing"
    assert [one.location_name for one in client.list_code_locations().workspace.workspace_entries] == [LOCATION]


def test_a_deployment_is_found_by_its_name(client: DagsterPlusGraphQLClient) -> None:
    [listed] = client.list_deployments().full_deployments
    found = client.get_deployment(deployment_name="prod").deployment_by_name
    assert (found.deployment_id, found.agent_type) == (listed.deployment_id, enums.DeploymentAgentType.HYBRID)
    assert client.get_deployment(deployment_name="absent").deployment_by_name.typename__ == "DeploymentNotFoundError"
