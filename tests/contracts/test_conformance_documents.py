"""What agents, `dagster-cloud` and `dg` ask of Dagster+'s own part, each in the words of the installed client.

The documents are taken from the packages and sent over HTTP to a served organization with the variables that the
client's code sends; what comes back is what that code reads. Documents with a test of their subject elsewhere are not
repeated here: docs/conformance.md names the test of each.
"""

from __future__ import annotations

import json
import time
from typing import Any

import dagster as dg
import pytest
from dagster._core.events import DagsterEvent, StepMaterializationData
from dagster._core.events.log import EventLogEntry
from dagster._serdes import deserialize_value
from dagster_cloud.agent import dagster_cloud_agent, queries
from dagster_cloud.secrets.loader import SECRETS_QUERY
from dagster_cloud.storage.event_logs.queries import UPDATE_ASSET_CACHED_STATUS_DATA_MUTATION
from dagster_cloud.storage.event_logs.storage import GraphQLEventLogStorage
from dagster_cloud.storage.runs.storage import GraphQLRunStorage
from dagster_cloud.workspace.user_code_launcher import user_code_launcher
from dagster_cloud_cli import gql
from dagster_cloud_cli.core.workspace import CodeLocationDeployData
from dagster_dg_cli.utils.plus import gql as dg_gql
from dagster_rest_resources.__generated__ import input_types
from dagster_rest_resources.gql_client import DagsterPlusGraphQLClient

from tests.contracts.served import Served

pytestmark = pytest.mark.contracts

AGENT_ID = "8a2ee5d0-9d4c-4f0f-a8c3-6a0c9d7b8f11"


def document(name: str, **more: Any) -> dict[str, Any]:
    return {"location_name": name, "code_source": {"module_name": name}, **more}


def names(served: Served) -> list[str]:
    entries = served.data_of(gql.WORKSPACE_ENTRIES_QUERY)["workspace"]["workspaceEntries"]
    return sorted(entry["locationName"] for entry in entries)


@pytest.fixture
def heartbeat(served: Served) -> float:
    return served.heartbeat(AGENT_ID)


def test_a_heartbeat_shows_in_what_everybody_asks_of_agents(
    served: Served, client: DagsterPlusGraphQLClient, heartbeat: float
) -> None:
    since = {"heartbeatedSince": heartbeat - 60}
    assert served.data_of(queries.GET_AGENTS_QUERY, since, served.agent_token)["agents"] == [
        {"id": AGENT_ID, "status": "RUNNING"}
    ]
    later = served.data_of(queries.GET_AGENTS_QUERY, {"heartbeatedSince": heartbeat + 60}, served.agent_token)
    assert later["agents"] == [], "it was not heard since then"
    [listed] = client.list_agents().agents
    assert (listed.id, listed.status.value, listed.agent_label) == (AGENT_ID, "RUNNING", "bench")
    metadata = {entry.key: entry.value for entry in listed.metadata}
    assert metadata["version"] == "1.13.27"
    assert [agent["status"] for agent in served.data_of(gql.AGENT_STATUS_QUERY)["agents"]] == ["RUNNING"]


def test_command_lines_learn_the_agent_type_and_what_the_agent_says_of_itself(served: Served, heartbeat: float) -> None:
    assert served.data_of(gql.AGENT_TYPE_QUERY)["currentDeployment"]["agentType"] == "HYBRID"
    found = served.data_of(dg_gql.DEPLOYMENT_INFO_QUERY)
    assert found["currentDeployment"]["agentType"] == "HYBRID"
    metadata = {entry["key"]: entry["value"] for entry in found["agents"][0]["metadata"]}
    assert metadata["type"] == "ProcessUserCodeLauncher", "dg chooses what it builds by the launcher's type"


def test_an_agent_learns_which_of_its_deployments_there_are(served: Served) -> None:
    asked = {"deploymentNames": ["prod", "absent"]}
    found = served.data_of(queries.DEPLOYMENTS_QUERY, asked, served.agent_token)["deployments"]
    assert [deployment["deploymentName"] for deployment in found] == ["prod"], "an agent ends when one is missing"


def test_an_agent_learns_the_deployment_that_its_header_names(served: Served) -> None:
    name = served.data_of(dagster_cloud_agent.DEPLOYMENT_INFO_QUERY, None, served.agent_token)["deploymentInfo"]
    assert name == {"deploymentName": "prod"}
    kind = served.data_of(user_code_launcher.DEPLOYMENT_INFO_QUERY, None, served.agent_token)["deploymentInfo"]
    assert kind == {"deploymentType": "PRODUCTION"}


def test_a_location_of_a_document_reaches_the_agents_of_its_queue(served: Served) -> None:
    added = served.data_of(
        gql.ADD_OR_UPDATE_LOCATION_FROM_DOCUMENT_MUTATION, {"document": document("queued", agent_queue="gpu")}
    )["addOrUpdateLocationFromDocument"]
    assert (added["__typename"], added["locationName"]) == ("WorkspaceEntry", "queued")
    asked = {"deploymentNames": ["prod"], "includeAllServerlessDeployments": False}

    def entries(queue: str | None) -> dict[str, Any]:
        found = served.data_of(queries.WORKSPACE_ENTRIES_QUERY, {**asked, "agentQueues": [queue]}, served.agent_token)
        return {entry["locationName"]: entry for entry in found["deployments"][0]["workspaceEntries"]}

    assert "queued" not in entries(None), "the default queue has other locations"
    entry = entries("gpu")["queued"]
    assert entry["hasOutdatedData"], "the agent has to upload it"
    deployed = deserialize_value(entry["serializedDeploymentMetadata"], CodeLocationDeployData)
    assert deployed.module_name == "queued"
    first = served.data_of(user_code_launcher.INIT_UPLOAD_LOCATIONS_QUERY, None, served.agent_token)
    assert "queued" in [one["locationName"] for one in first["workspace"]["workspaceEntries"]]
    deleted = served.data_of(gql.DELETE_LOCATION_MUTATION, {"locationName": "queued"})["deleteLocation"]
    assert deleted["locationName"] == "queued"
    assert "queued" not in names(served)


def test_locations_are_deployed_reconciled_and_read_back(served: Served) -> None:
    deployed = served.data_of(
        gql.DEPLOY_LOCATIONS_FROM_DOCUMENT_MUTATION, {"document": {"locations": [document("one"), document("two")]}}
    )["deployLocations"]
    assert sorted(one["locationName"] for one in deployed["locations"]) == ["one", "two"]
    kept = served.data_of(
        gql.RECONCILE_LOCATIONS_FROM_DOCUMENT_MUTATION, {"document": {"locations": [document("two")]}}
    )["reconcileLocationsFromDocument"]
    assert [one["locationName"] for one in kept["locations"]] == ["two"]
    assert names(served) == ["two"], "what the document does not name is deleted"
    read = served.data_of(gql.GET_LOCATIONS_AS_DOCUMENT_QUERY)["locationsAsDocument"]["document"]
    assert [(one["location_name"], one["code_source"]) for one in read["locations"]] == [
        ("two", {"module_name": "two"})
    ]


@pytest.mark.parametrize("text", [gql.FULL_DEPLOYMENTS_QUERY, dg_gql.FULL_DEPLOYMENTS_QUERY])
def test_full_deployments_are_listed(served: Served, text: str) -> None:
    [deployment] = served.data_of(text)["fullDeployments"]
    assert (deployment["deploymentName"], deployment["deploymentType"]) == ("prod", "PRODUCTION")


def test_a_deployment_is_found_by_its_name_and_by_the_header(served: Served) -> None:
    current = served.data_of(gql.DEPLOYMENT_NAME_QUERY)["currentDeployment"]["deploymentName"]
    assert current == "prod"
    found = served.data_of(gql.GET_DEPLOYMENT_BY_NAME_QUERY, {"deploymentName": current})["deploymentByName"]
    assert (found["__typename"], found["deploymentName"]) == ("DagsterCloudDeployment", "prod")
    absent = served.data_of(gql.GET_DEPLOYMENT_BY_NAME_QUERY, {"deploymentName": "absent"})["deploymentByName"]
    assert absent["__typename"] == "DeploymentNotFoundError"


def test_a_command_lines_event_is_taken(served: Served) -> None:
    variables = {"eventType": "BUILD", "durationSeconds": 1.5, "success": True, "tags": ["source:cli"], "message": ""}
    assert served.data_of(gql.MARK_CLI_EVENT_MUTATION, variables)["markCliEvent"] == "ok"
    wrong = served.ask(gql.MARK_CLI_EVENT_MUTATION, {**variables, "eventType": "HOLIDAY"})
    assert wrong["errors"], "an event of another kind is refused"


def test_dg_makes_an_agents_token_and_lists_it(served: Served) -> None:
    made = served.data_of(dg_gql.CREATE_AGENT_TOKEN_MUTATION, {"description": "of dg"})["createAgentToken"]
    assert served.data_of(queries.DEPLOYMENTS_QUERY, {"deploymentNames": ["prod"]}, made["token"])["deployments"]
    listed = served.data_of(dg_gql.AGENT_TOKENS_QUERY)["agentTokensOrError"]["tokens"]
    assert "of dg" in [token["description"] for token in listed]


def test_an_agent_gets_the_secrets_that_dg_reads_back(served: Served, client: DagsterPlusGraphQLClient) -> None:
    scopes = {"fullDeploymentScope": True}
    made = served.data_of(
        dg_gql.CREATE_OR_UPDATE_SECRET_FOR_SCOPES_MUTATION,
        {"secretName": "BUCKET", "secretValue": "here", "scopes": scopes, "locationName": "one"},
    )["createOrUpdateSecretForScopes"]
    assert made["__typename"] == "CreateOrUpdateSecretSuccess"

    def given(location: str) -> list[tuple[str, str]]:
        found = served.data_of(SECRETS_QUERY, {"locationName": location}, served.agent_token)["scopedSecrets"]
        return [(secret["secretName"], secret["secretValue"]) for secret in found]

    assert given("one") == [("BUCKET", "here")]
    assert given("two") == [], "it is another location's"
    without = {"locationName": "one", "scopes": scopes, "secretName": "BUCKET"}
    [hidden] = served.data_of(dg_gql.GET_SECRETS_FOR_SCOPES_QUERY_NO_VALUE, without)["secretsOrError"]["secrets"]
    assert (hidden["secretName"], hidden["locationNames"]) == ("BUCKET", ["one"])
    [listed] = client.list_secrets(secret_name="BUCKET").secrets_or_error.secrets
    assert (listed.secret_name, listed.full_deployment_scope) == ("BUCKET", True)
    [shown] = client.get_secret_with_value(secret_name="BUCKET").secrets_or_error.secrets
    assert shown.secret_value == "here"
    assert client.list_secrets(secret_name="OTHER").secrets_or_error.secrets == []


def test_settings_are_set_and_read_by_dg_api(client: DagsterPlusGraphQLClient) -> None:
    settings = {"run_retries": {"max_retries": 2}}
    wanted = input_types.DeploymentSettingsInput(settings=settings)
    assert client.set_deployment_settings(deployment_settings=wanted).set_deployment_settings.settings == settings
    assert client.get_deployment_settings().deployment_settings.settings == settings
    limits = {"max_concurrent_runs_per_branch_deployment": 5}
    changed = client.update_organization_settings(
        organization_settings=input_types.OrganizationSettingsInput(settings=limits)
    )
    assert changed.set_organization_settings.settings == limits
    assert client.get_organization_settings().organization_settings.settings == limits


def test_a_branch_deployment_is_deleted_by_dg_api(served: Served, client: DagsterPlusGraphQLClient) -> None:
    made = served.data_of(
        gql.CREATE_OR_UPDATE_BRANCH_DEPLOYMENT,
        {
            "branchData": {"repoName": "code", "branchName": "passing"},
            "commit": {"commitHash": "a" * 40, "timestamp": 1.0, "commitMessage": "Try"},
        },
    )["createOrUpdateBranchDeployment"]
    listed = client.list_branch_deployments(limit=5).branch_deployments.nodes
    assert [one.deployment_id for one in listed] == [made["deploymentId"]]
    gone = client.delete_deployment(deployment_id=made["deploymentId"]).delete_deployment
    assert gone.typename__ == "DagsterCloudDeployment"
    assert client.list_branch_deployments(limit=5).branch_deployments.nodes == []


def test_an_assets_cached_status_is_kept(served: Served) -> None:
    """The constant is used nowhere in the client; the operation that it names is served all the same."""
    events = GraphQLEventLogStorage(override_graphql_client=served)
    GraphQLRunStorage(override_graphql_client=served).add_run(dg.DagsterRun(job_name="job", run_id="made"))
    made = StepMaterializationData(dg.AssetMaterialization("cached"))
    event = DagsterEvent("ASSET_MATERIALIZATION", "job", event_specific_data=made)
    events.store_event(EventLogEntry(None, 20, "", "made", time.time(), None, "job", event))
    values = {"latestStorageId": 7, "partitionsDefId": "by day"}
    answer = served.data_of(
        UPDATE_ASSET_CACHED_STATUS_DATA_MUTATION,
        {"assetKey": json.dumps(["cached"]), "cacheValues": values},
        served.agent_token,
    )
    assert answer["eventLogs"]["UpdateAssetCachedStatusData"]["ok"]
    [record] = events.get_asset_records([dg.AssetKey("cached")])
    status = record.asset_entry.cached_status
    assert status is not None
    assert (status.latest_storage_id, status.partitions_def_id) == (7, "by day")
