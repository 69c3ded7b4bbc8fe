"""What agents and their administrators ask of the API, with a stand-in for Dagster, in this process: tokens, locations,
heartbeats, requests.

What the real clients send is held against the schemas in tests/contracts; what Dagster answers is not proven here.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from hybrid.emulator.api.context import Refusal
from hybrid.emulator.organization import AgentReport, Organization
from tests.unit.emulator.service_client import AGENTS, BEAT, CREATE, ENTRIES, POP, PUT, Answer, Client, document

pytestmark = pytest.mark.unit


def test_a_tokens_value_is_shown_once_and_it_starts_with_the_whole_organization(client: Client) -> None:
    made = client.data(CREATE)["createAgentToken"]
    assert client.organization.tokens.verify(made["token"]) is not None
    assert made["permissions"]["organizationPermissionGrant"] == {"grant": "AGENT"}
    listed = client.data("{ agentTokensOrError { ... on DagsterCloudAgentTokens { tokens { id token } } } }")
    assert made["token"] not in json.dumps(listed)


def test_grants_are_narrowed_and_a_token_that_is_not_there_is_a_typed_error(client: Client) -> None:
    number = client.data(CREATE)["createAgentToken"]["id"]
    change = """mutation Change($number: Int!, $deployment: Int!) {
      added: createOrUpdateAgentPermissions(agentPermission:
        {agentTokenId: $number, deploymentId: $deployment, grant: AGENT, deploymentScope: DEPLOYMENT}) { __typename }
      removed: removeAgentPermissions(agentPermission:
        {agentTokenId: $number, deploymentScope: ORGANIZATION}) { __typename ... on DagsterCloudAgentToken {
        permissions { organizationPermissionGrant { grant } deploymentPermissionGrants { deploymentId } } } } }"""
    changed = client.data(change, number=number, deployment=client.organization.deployment.id)
    assert changed["removed"]["permissions"] == {
        "organizationPermissionGrant": None,
        "deploymentPermissionGrants": [{"deploymentId": client.organization.deployment.id}],
    }
    assert client.data(change, number=99, deployment=1)["added"]["__typename"] == "PythonError"
    assert client.data(change, number=number, deployment=99)["added"]["__typename"] == "PythonError"
    revoke = "mutation R($n: Int!) { revokeAgentToken(tokenId: $n) { __typename } }"
    assert client.data(revoke, n=99)["revokeAgentToken"]["__typename"] == "DagsterCloudTokenNotFoundError"
    assert client.data(revoke, n=number)["revokeAgentToken"]["__typename"] == "DagsterCloudAgentToken"


def test_another_grant_than_agent_is_refused(client: Client) -> None:
    number = client.data(CREATE)["createAgentToken"]["id"]
    asked = """mutation G($n: Int!) { createOrUpdateAgentPermissions(agentPermission:
      {agentTokenId: $n, grant: ADMIN, deploymentScope: ORGANIZATION}) { ... on PythonError { message } } }"""
    assert "ADMIN" in client.data(asked, n=number)["createOrUpdateAgentPermissions"]["message"]


def test_an_agent_token_cannot_touch_tokens_the_administrators_included(client: Client) -> None:
    assert client.data(CREATE, client.agent_token)["createAgentToken"]["__typename"] == "UnauthorizedError"
    for query in (
        "{ agentTokensOrError { __typename } }",
        "{ agentTokenOrError(tokenId: 1) { __typename } }",
        "mutation { revokeAgentToken(tokenId: 1) { __typename } }",
        "mutation { createOrUpdateAgentPermissions(agentPermission: {agentTokenId: 1, grant: AGENT, "
        "deploymentScope: ORGANIZATION}) { __typename } }",
        "mutation { removeAgentPermissions(agentPermission: {agentTokenId: 1, deploymentScope: ORGANIZATION}) "
        "{ __typename } }",
    ):
        (answer,) = client.data(query, client.agent_token).values()
        assert answer == {"__typename": "UnauthorizedError"}, query
    revoked = client.data("mutation { revokeAgentToken(tokenId: 1) { __typename } }")["revokeAgentToken"]
    assert revoked["__typename"] == "DagsterCloudTokenNotFoundError", "the API token is no agent token"


def test_a_location_goes_from_document_to_agents_to_deleted(client: Client) -> None:
    put = client.data(PUT, document=document("one", image="i"))["addOrUpdateLocationFromDocument"]
    assert put == {"__typename": "WorkspaceEntry", "locationName": "one", "hasOutdatedData": True}
    entry = client.data(ENTRIES, client.agent_token, names=["prod"])["deployments"][0]["workspaceEntries"][0]
    assert entry["metadataTimestamp"] == client.organization.locations.get("prod", "one").metadata_timestamp
    documents = client.data("{ locationsAsDocument { document } }")["locationsAsDocument"]["document"]
    assert documents == {"locations": [document("one", image="i")]}
    delete = 'mutation { deleteLocation(locationName: "one") { ... on DeleteLocationSuccess { locationName } } }'
    assert client.data(delete)["deleteLocation"] == {"locationName": "one"}
    assert client.data(delete)["deleteLocation"] == {"locationName": "one"}, "deleting twice is no error"
    assert client.data("{ workspace { workspaceEntries { locationName } } }")["workspace"]["workspaceEntries"] == []
    assert client.runtime.changed == ["one", "one"], "Dagster hears of the put and of the one deletion"


@pytest.mark.parametrize("wrong", [{"location_name": "one"}, {"code_source": {}}, "text", None, {"location_name": 1}])
def test_a_wrong_document_changes_nothing_and_says_what_is_wrong(client: Client, wrong: object) -> None:
    answer = client.answer(PUT, document=wrong)
    if wrong is not None:  # the schema itself refuses that one
        put = answer["data"]["addOrUpdateLocationFromDocument"]
        assert put["__typename"] == "InvalidLocationError"
        assert put["errors"]
    assert client.organization.locations.all("prod") == ()


def test_several_locations_are_deployed_all_or_none(client: Client) -> None:
    deploy = """mutation D($d: GenericScalar!) { deployLocations(document: $d) {
      ... on DeployLocationsSuccess { locations { locationName } } ... on InvalidLocationError { errors } } }"""
    wrong = {"locations": [document("good"), {"location_name": "bad"}, document("good")]}
    errors = client.data(deploy, d=wrong)["deployLocations"]["errors"]
    assert [error.partition(":")[0] for error in errors] == ["bad", "good"], "each fault names its location"
    assert client.organization.locations.all("prod") == ()
    right = {"locations": [document("a"), document("b")]}
    assert client.data(deploy, d=right)["deployLocations"]["locations"] == [
        {"locationName": "a"},
        {"locationName": "b"},
    ]


def test_reconciling_deletes_what_the_document_does_not_name(client: Client) -> None:
    client.data(PUT, document=document("old"))
    reconcile = """mutation R($d: GenericScalar!) { reconcileLocationsFromDocument(document: $d) {
      ... on ReconcileLocationsSuccess { locations { locationName } } } }"""
    legacy = {"locations": {"new": {"code_source": {"python_file": "defs.py"}}}}
    client.data(reconcile, d=legacy)
    assert [record.name for record in client.organization.locations.all("prod")] == ["new"]


def test_locations_go_to_the_agents_of_their_queue(client: Client) -> None:
    client.data(PUT, document=document("plain"))
    client.data(PUT, document=document("special", agent_queue="gpu"))

    def seen(queues: list[str | None]) -> list[str]:
        asked = client.data(ENTRIES, client.agent_token, names=["prod"], queues=queues)
        return [entry["locationName"] for entry in asked["deployments"][0]["workspaceEntries"]]

    assert (seen([None]), seen(["gpu"]), seen([None, "gpu"])) == (["plain"], ["special"], ["plain", "special"])


def test_an_agent_is_told_of_its_deployments_only(client: Client) -> None:
    deployments = "query D($names: [String!]!) { deployments(deploymentNames: $names) { deploymentName } }"
    asked = client.data(deployments, client.agent_token, names=["prod", "nowhere"])
    assert asked["deployments"] == [{"deploymentName": "prod"}]


def test_a_heartbeat_makes_an_agent_running_with_its_errors(client: Client) -> None:
    beat = {
        "agent_id": "id-1",
        "agent_label": "me",
        "agent_type": "ProcessUserCodeLauncher",
        "timestamp": 1.0,
        "metadata": {"version": "1.13", "utilization_metrics": {"cpu": 1}},
        "code_servers": [],
        "run_workers": [],
    }
    errors = [json.dumps({"timestamp": 5.0, "error": {"message": "lost", "stack": []}})]
    sent = [
        {"deploymentName": "prod", "serializedAgentHeartbeat": json.dumps(beat)},
        {"deploymentName": "nowhere", "serializedAgentHeartbeat": json.dumps(beat)},
    ]
    assert client.data(BEAT, client.agent_token, beats=sent, errors=errors)["userCloudAgent"]["addAgentHeartbeats"]
    (agent,) = client.data(AGENTS)["agents"]
    assert (agent["id"], agent["agentLabel"], agent["status"]) == ("id-1", "me", "RUNNING")
    assert {"key": "type", "value": "ProcessUserCodeLauncher"} in agent["metadata"]
    assert agent["errors"] == [{"timestamp": 5.0, "error": {"message": "lost"}}]


@pytest.mark.parametrize(
    ("types", "category"),
    [
        ([], "NONE"),
        (["ProcessUserCodeLauncher"], "LOCAL"),
        (["EcsUserCodeLauncher", "DockerUserCodeLauncher"], "CONTAINER"),
        (["EcsUserCodeLauncher", "ProcessUserCodeLauncher"], "MIXED"),
        (["EcsUserCodeLauncher", "ServerlessUserCodeLauncher"], "UNKNOWN"),
    ],
)
def test_the_kind_of_the_running_agents_is_told(
    client: Client, organization: Organization, types: list[str], category: str
) -> None:
    for number, kind in enumerate(types):
        organization.agents.heard("prod", AgentReport(str(number), None, kind, {}, [], [], []))
    assert client.data("{ activeAgentCategory }") == {"activeAgentCategory": category}


def test_an_agent_without_a_grant_gets_neither_deployment_nor_requests_nor_a_heartbeat(client: Client) -> None:
    organization = client.organization
    token = organization.tokens.verify(client.agent_token)
    assert token is not None
    organization.tokens.withdraw(token.id, "ORGANIZATION", None)
    organization.requests.submit("prod", "LAUNCH_RUN", "one", "{}")
    beat = [{"deploymentName": "prod", "serializedAgentHeartbeat": "{}"}]

    def as_organization(query: str, **variables: Any) -> Answer:
        headers = {"dagster-cloud-scope": "organization"}
        return client.with_headers(headers, query, client.agent_token, variables)["data"]

    assert as_organization(ENTRIES, names=["prod"])["deployments"] == []
    assert as_organization(POP, names=["prod"])["userCloudAgent"]["popUserCloudAgentRequests"] == []
    as_organization(BEAT, beats=beat)
    assert organization.agents.all() == ()
    with pytest.raises(Refusal) as refusal:
        client.answer(ENTRIES, client.agent_token, names=["prod"])
    assert refusal.value.status == 403, "a call in the deployment's own scope is refused whole"


def test_an_agent_pops_what_was_asked_of_it(client: Client) -> None:
    client.organization.requests.submit("prod", "LAUNCH_RUN", "one", "body")
    popped = client.data(POP, client.agent_token, names=["prod"], queues=[None])
    assert popped["userCloudAgent"]["popUserCloudAgentRequests"] == [{"requestId": "one", "requestBody": "body"}]


def test_an_agent_token_may_deploy_as_ci_does(client: Client) -> None:
    put = client.data(PUT, client.agent_token, document=document("one"))
    assert put["addOrUpdateLocationFromDocument"]["__typename"] == "WorkspaceEntry"
