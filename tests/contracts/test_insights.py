"""Insights of a served organization, asked by `dg api`'s own client: what is defined, and who made what.

How figures come together is tested where times can be given: tests/unit/emulator_runtime/test_insights.py.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import dagster as dg
import pytest
from dagster._core.events import DagsterEvent, StepMaterializationData
from dagster._core.events.log import EventLogEntry
from dagster_cloud.storage.event_logs.storage import GraphQLEventLogStorage
from dagster_rest_resources.__generated__ import input_types
from dagster_rest_resources.api.metrics import DgApiMetricsApi
from dagster_rest_resources.gql_client import DagsterPlusGraphQLClient
from dagster_rest_resources.schemas.exception import DagsterPlusClientError

from tests.contracts.served import Served, StandinAgent

pytestmark = pytest.mark.contracts

LOCATION, REPOSITORY = "hello", "__repository__"
MADE = "__dagster_materializations"


def definitions() -> dg.Definitions:
    @dg.asset(group_name="raw")
    def source() -> None: ...

    @dg.asset(group_name="fine", deps=[source])
    def product() -> None: ...

    return dg.Definitions(assets=[source, product], jobs=[dg.define_asset_job("all_of_it")])


@pytest.fixture(scope="module")
def run_id(served: Served, client: DagsterPlusGraphQLClient) -> Iterator[str]:
    """A run of the job that made one asset twice and the other once."""
    client.add_or_update_code_location(document={"location_name": LOCATION, "code_source": {"module_name": "hello"}})
    agent = StandinAgent(served, LOCATION, definitions()).start()
    params = input_types.ExecutionParams(
        selector=input_types.JobOrPipelineSelector(
            repositoryName=REPOSITORY, repositoryLocationName=LOCATION, pipelineName="all_of_it"
        ),
        runConfigData={},
        mode="default",
    )
    run: str = client.launch_run(execution_params=params).launch_run.run.run_id
    events = GraphQLEventLogStorage(override_graphql_client=served)
    sent = [("PIPELINE_START", None), *[("ASSET_MATERIALIZATION", key) for key in ("source", "source", "product")]]
    for kind, key in [*sent, ("PIPELINE_SUCCESS", None)]:
        details = StepMaterializationData(dg.AssetMaterialization(key)) if key else None
        event = DagsterEvent(kind, "all_of_it", message="said", step_key=key, event_specific_data=details)
        events.store_event(EventLogEntry(None, 20, "said", run, time.time(), key, "all_of_it", event))
    yield run
    agent.end()


@pytest.fixture
def metrics(client: DagsterPlusGraphQLClient, run_id: str) -> DgApiMetricsApi:
    return DgApiMetricsApi(client)


def lately() -> dict[str, float]:
    return {"after": time.time() - 3_600, "before": time.time() + 60}


def test_a_selection_in_dagsters_syntax_is_told_of_what_is_defined(metrics: DgApiMetricsApi) -> None:
    def told(selection: str) -> list[float]:
        found = metrics.get_asset_selection_metrics(MADE, **lately(), asset_selection=selection)
        return [entry.aggregate_value for entry in found.items]

    assert told("group:raw") == [2], "the other group is left out"
    assert told('+key:"product"') == [3], "what is upstream belongs to it"
    assert told('key:"absent"') == [], "of nothing there is nothing to tell"
    with pytest.raises(DagsterPlusClientError, match="cannot be read"):
        told("group:raw and (")


def test_an_asset_and_a_job_are_told_with_their_places(metrics: DgApiMetricsApi) -> None:
    [asset] = metrics.get_asset_metrics(MADE, **lately(), asset_selection="group:fine").items
    place = {"codeLocationName": LOCATION, "repositoryName": REPOSITORY}
    assert asset.entity == {
        "__typename": "ReportingAsset",
        "assetKey": {"path": ["product"]},
        "assetGroup": "fine",
        **place,
    }
    [job] = metrics.get_job_metrics(MADE, **lately()).items
    assert job.entity == {"__typename": "ReportingJob", "jobName": "all_of_it", **place}, "the run's origin is known"
    assert (job.aggregate_value, job.aggregate_value_change.is_newly_available) == (3, True)
    [deployment] = metrics.get_deployment_metrics("__dagster_run_successes", **lately()).items
    assert (deployment.entity["deploymentName"], deployment.aggregate_value) == ("prod", 1)
