"""Deployments over the API: made, switched, deleted; branch deployments as CI makes, finds and deletes them."""

from __future__ import annotations

import re
from typing import Any

import pytest
from dagster_cloud_cli import gql

from hybrid.emulator.organization import Organization
from tests.unit.emulator.asking import Asking, sent_by_dg_api

pytestmark = pytest.mark.unit

GIT = {
    "repoName": "acme/data",
    "branchName": "feature/x",
    "branchUrl": "https://example.com/tree/x",
    "pullRequestUrl": "https://example.com/pull/7",
    "pullRequestStatus": "OPEN",
    "pullRequestNumber": "7",
}
DESCRIBED = """... on DagsterCloudDeployment {
  deploymentId deploymentName deploymentType agentType isBranchDeployment deploymentStatus
  branchDeploymentGitMetadata { repoName branchName pullRequestStatus pullRequestNumber }
  latestCommit { commitHash authorName } commits { commitHash }
  parentDeployment { deploymentName } canHaveBranchDeployments canDeleteDeployment canEditDeploymentSettings }
  ... on Error { message }"""
PUBLISHED = f"""mutation ($branchData: CreateOrUpdateBranchDeploymentInput!, $commit: DeploymentCommitInput!) {{
  createOrUpdateBranchDeployment(branchData: $branchData, commit: $commit) {{ __typename {DESCRIBED} }} }}"""
CREATE = f"""mutation ($name: String!, $type: DeploymentAgentType, $like: Int) {{
  createDeployment(deploymentName: $name, deploymentAgentType: $type, inheritPermsDeploymentId: $like) {{
    __typename {DESCRIBED} }} }}"""
DELETE = f"mutation ($id: Int!) {{ deleteDeployment(deploymentId: $id) {{ __typename {DESCRIBED} }} }}"
SWITCH = f"""mutation ($id: Int, $type: DeploymentAgentType) {{
  updateDeploymentAgentType(deploymentId: $id, deploymentAgentType: $type) {{ __typename {DESCRIBED} }} }}"""


@pytest.fixture
def ask(organization: Organization) -> Asking:
    return Asking(organization)


def commit(number: int) -> dict[str, Any]:
    return {"commitHash": f"{number:040x}", "timestamp": float(number), "authorName": "A"}


def push(ask: Asking, number: int = 1, caller: Any = None, **git: Any) -> Any:
    return ask(PUBLISHED, {"branchData": {**GIT, **git}, "commit": commit(number)}, caller=caller)


def test_a_branch_deployment_is_made_and_then_updated_by_repository_and_branch(ask: Asking) -> None:
    made = push(ask)
    assert made == {
        "__typename": "DagsterCloudDeployment",
        "deploymentId": made["deploymentId"],
        "deploymentName": made["deploymentName"],
        "deploymentType": "BRANCH",
        "deploymentStatus": "ACTIVE",
        "agentType": "HYBRID",
        "isBranchDeployment": True,
        "branchDeploymentGitMetadata": {
            "repoName": "acme/data",
            "branchName": "feature/x",
            "pullRequestStatus": "OPEN",
            "pullRequestNumber": "7",
        },
        "latestCommit": {"commitHash": commit(1)["commitHash"], "authorName": "A"},
        "commits": [{"commitHash": commit(1)["commitHash"]}],
        "parentDeployment": {"deploymentName": "prod"},
        "canHaveBranchDeployments": False,
        "canDeleteDeployment": True,
        "canEditDeploymentSettings": False,
    }
    assert re.fullmatch(r"[0-9a-f]{40}", made["deploymentName"])
    again = push(ask, 2, pullRequestStatus="MERGED")
    assert again["deploymentId"] == made["deploymentId"], "the same branch is the same deployment"
    assert again["branchDeploymentGitMetadata"]["pullRequestStatus"] == "MERGED"
    assert [one["commitHash"] for one in again["commits"]] == [commit(2)["commitHash"], commit(1)["commitHash"]]
    assert push(ask, branchName="feature/y")["deploymentName"] != made["deploymentName"]


def test_the_installed_client_makes_one_of_a_named_deployment_and_asks_for_its_name(ask: Asking) -> None:
    ask.organization.deployments.create("staging", "SERVERLESS")
    variables = {"branchData": GIT, "commit": commit(1)}
    of_prod = ask(gql.CREATE_OR_UPDATE_BRANCH_DEPLOYMENT, variables)
    named = {"baseDeploymentName": "staging", "snapshotBaseCondition": "ON_CREATE"}
    of_staging = ask(gql.CREATE_OR_UPDATE_BRANCH_DEPLOYMENT, {**variables, **named})
    made = ask.organization.deployments.named(of_staging["deploymentName"])
    assert made is not None
    assert (made.agent_type, made.parent_id) == ("SERVERLESS", 2), "it is of the deployment that was named"
    assert of_prod["deploymentName"] != of_staging["deploymentName"]
    asked = {"repoName": GIT["repoName"], "branchName": GIT["branchName"]}
    assert ask(gql.GET_BRANCH_DEPLOYMENT_NAME, asked) == of_prod["deploymentName"]
    nowhere = ask(gql.CREATE_OR_UPDATE_BRANCH_DEPLOYMENT, {**variables, "baseDeploymentName": "nowhere"})
    assert nowhere["__typename"] == "DeploymentNotFoundError"
    of_branch = {**variables, "baseDeploymentName": of_prod["deploymentName"]}
    assert ask(gql.CREATE_OR_UPDATE_BRANCH_DEPLOYMENT, of_branch)["__typename"] == "DeploymentNotFoundError"


def test_asked_from_a_branch_deployment_another_branch_is_of_the_full_one(ask: Asking) -> None:
    first = ask.organization.deployments.named(push(ask)["deploymentName"])
    assert first is not None
    second = ask(PUBLISHED, {"branchData": {**GIT, "branchName": "y"}, "commit": commit(1)}, deployment=first)
    assert second["parentDeployment"] == {"deploymentName": "prod"}


@pytest.mark.parametrize("git", [{"repoName": ""}, {"branchName": ""}, {"branchName": "x" * 1_001}])
def test_a_branch_without_a_usable_name_is_refused(ask: Asking, git: dict[str, Any]) -> None:
    assert push(ask, **git)["__typename"] == "PythonError"
    assert ask.organization.deployments.branches() == ()


def test_hostile_names_of_branches_make_no_hostile_names_of_deployments(ask: Asking) -> None:
    for name in ("../../etc", "<script>alert(1)</script>", "a\nb", "ünïcode", "graphql"):
        made = push(ask, branchName=name)
        assert re.fullmatch(r"[0-9a-f]{40}", made["deploymentName"]), "the name becomes part of paths"
        assert made["branchDeploymentGitMetadata"]["branchName"] == name


def test_branch_deployments_are_listed_by_the_state_of_their_pull_request(ask: Asking) -> None:
    for number, status in enumerate(("OPEN", "CLOSED", "OPEN")):
        push(ask, branchName=f"b{number}", pullRequestStatus=status)
    query = sent_by_dg_api("deployment", "ListBranchDeployments")
    everything = ask(query, {"limit": 50})["nodes"]
    assert len(everything) == 3
    assert len(ask(query, {"limit": 50, "pullRequestStatus": "OPEN"})["nodes"]) == 2
    assert ask(query, {"limit": 1})["nodes"] == everything[:1], "the latest comes first"
    assert ask(query, {"limit": -1})["nodes"] == []
    full = ask(sent_by_dg_api("deployment", "ListDeployments"))
    assert [one["deploymentName"] for one in full] == ["prod"], "branch deployments are not among the full ones"


def test_an_agents_token_may_make_and_delete_branch_deployments_and_no_full_ones(ask: Asking) -> None:
    agent = ask.agent()
    made = push(ask, caller=agent)
    found = ask(gql.GET_DEPLOYMENT_BY_NAME_QUERY, {"deploymentName": made["deploymentName"]}, caller=agent)
    assert found["deploymentType"] == "BRANCH"
    deleted = ask(gql.DELETE_DEPLOYMENT_MUTATION, {"deploymentId": made["deploymentId"]}, caller=agent)
    assert deleted == {"__typename": "DagsterCloudDeployment", "deploymentId": made["deploymentId"]}
    assert ask.organization.deployments.branches() == ()
    staging = ask.organization.deployments.create("staging")
    assert ask(DELETE, {"id": staging.id}, caller=agent)["__typename"] == "UnauthorizedError"
    assert ask(CREATE, {"name": "other"}, caller=agent)["__typename"] == "UnauthorizedError"
    assert ask(SWITCH, {"type": "SERVERLESS"}, caller=agent)["__typename"] == "UnauthorizedError"
    assert push(ask, caller=ask.user("VIEWER"))["__typename"] == "UnauthorizedError"


def test_a_full_deployment_is_made_once_and_deleted_by_administrators_of_the_organization(ask: Asking) -> None:
    made = ask(CREATE, {"name": "staging", "type": "SERVERLESS"})
    assert (made["deploymentType"], made["agentType"], made["parentDeployment"]) == ("PRODUCTION", "SERVERLESS", None)
    assert ask(CREATE, {"name": "plain"})["agentType"] == "HYBRID", "without a type it is Hybrid"
    assert ask(CREATE, {"name": "staging"})["__typename"] == "DuplicateDeploymentError"
    assert ask(CREATE, {"name": "../x"})["__typename"] == "PythonError"
    assert ask(CREATE, {"name": "heir", "like": 99})["__typename"] == "DeploymentNotFoundError"
    assert ask(CREATE, {"name": "heir"}, caller=ask.user("ADMIN"))["__typename"] == "UnauthorizedError"
    assert ask.organization.deployments.named("heir") is None, "what was refused must not be made"
    assert ask(DELETE, {"id": made["deploymentId"]}, caller=ask.user("ADMIN"))["__typename"] == "UnauthorizedError"
    gone = ask(DELETE, {"id": made["deploymentId"]})
    assert (gone["deploymentName"], gone["deploymentStatus"]) == ("staging", "PENDING_DELETION")
    assert ask(DELETE, {"id": made["deploymentId"]})["__typename"] == "DeploymentNotFoundError"
    assert ask.organization.deployments.named("staging") is None


def test_the_first_deployment_cannot_be_deleted(ask: Asking) -> None:
    kept = ask(sent_by_dg_api("deployment", "DeleteDeployment"), {"deploymentId": ask.organization.deployment.id})
    assert kept == {"__typename": "DeleteFinalDeploymentError"}
    assert ask.organization.deployment.name == "prod"


def test_a_deployment_made_like_another_gives_its_users_their_roles(ask: Asking) -> None:
    ask.user("EDITOR")
    ask(CREATE, {"name": "without"})
    ask(CREATE, {"name": "heir", "like": ask.organization.deployment.id})
    editor = ask.organization.users.named(f"editor-{ask.organization.deployment.id}@example.com")
    assert editor is not None
    roles = {grant.deployment_id: grant.role for grant in editor.grants}
    heir, without = (ask.organization.deployments.named(name) for name in ("heir", "without"))
    assert heir is not None
    assert without is not None
    assert roles.get(heir.id) == "EDITOR"
    assert without.id not in roles


def test_the_switch_is_in_place_and_for_the_branches_too(ask: Asking) -> None:
    push(ask)
    switched = ask(SWITCH, {"id": ask.organization.deployment.id, "type": "SERVERLESS"})
    assert (switched["deploymentName"], switched["agentType"]) == ("prod", "SERVERLESS")
    assert [one.agent_type for one in ask.organization.deployments.all()] == ["SERVERLESS", "SERVERLESS"]
    assert ask(SWITCH, {"type": "HYBRID"})["agentType"] == "HYBRID", "without a number it is the request's deployment"
    branch = ask.organization.deployments.branches()[0]
    assert ask(SWITCH, {"id": branch.id, "type": "SERVERLESS"})["__typename"] == "PythonError"
    assert ask(SWITCH, {"id": 99, "type": "HYBRID"})["__typename"] == "DeploymentNotFoundError"
    assert ask(SWITCH, {})["__typename"] == "PythonError"
    assert ask(SWITCH, {"type": "SERVERLESS"}, caller=ask.user("ADMIN"))["__typename"] == "UnauthorizedError"


def test_a_deployment_is_read_as_dg_api_reads_it(ask: Asking) -> None:
    query = sent_by_dg_api("deployment", "GetDeployment")
    found = ask(query, {"deploymentName": "prod"})
    assert found == {
        "__typename": "DagsterCloudDeployment",
        "deploymentName": "prod",
        "deploymentId": 1,
        "deploymentType": "PRODUCTION",
        "deploymentStatus": "ACTIVE",
        "agentType": "HYBRID",
        "isBranchDeployment": False,
        "organizationName": "local",
    }
    assert ask(query, {"deploymentName": "nowhere"})["__typename"] == "DeploymentNotFoundError"


def test_a_location_is_pinged_through_its_agent(ask: Asking) -> None:
    ping = """mutation ($name: String!) { pingLocation(locationName: $name) {
      __typename ... on PingLocationSuccess { locationName } ... on PythonError { message } } }"""
    ask.organization.locations.put("prod", {"location_name": "alpha"}, "{}")
    assert ask(ping, {"name": "alpha"}) == {"__typename": "PingLocationSuccess", "locationName": "alpha"}
    ask.runtime.get().ping.assert_called_once_with("prod", "alpha")
    assert "no code location 'beta'" in ask(ping, {"name": "beta"})["message"]
    ask.runtime.get().ping.side_effect = TimeoutError("no agent took it")
    assert ask(ping, {"name": "alpha"}) == {"__typename": "PythonError", "message": "no agent took it"}
