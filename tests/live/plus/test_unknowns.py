"""What only a real organization can say (docs/unknowns.md), asked without changing it.

A test fails where Dagster+ differs from what the embedded Dagster+ assumes: then the assumption has to go. It is
skipped where the organization is not in the state that the question is about. Each property that is recorded is what
was answered, for the page; no token or secret is asked for or recorded.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from graphql import GraphQLSchema, build_client_schema, get_introspection_query, parse, validate

from hybrid.redaction import Token
from tests.live.plus.organization import Reader, Settings

pytestmark = pytest.mark.live

OPERATIONS = Path(__file__).resolve().parents[3] / "hybrid" / "plus" / "operations"
DOCUMENTS = sorted(OPERATIONS.glob("*.graphql"))
RUNNING_SECONDS = 90.0  # hybrid/emulator/organization/agents.py
LISTED_SECONDS = 86_400.0  # the same
SETTINGS_KNOWN = {
    "auto_materialize",
    "branch_deployments",
    "concurrency",
    "freshness",
    "non_isolated_runs",
    "run_monitoring",
    "run_queue",
    "run_retries",
    "sso_default_role",
}
Record = Callable[[str, object], None]


@pytest.fixture(scope="module")
def schema(reader: Reader) -> GraphQLSchema:
    answer = reader.answer(get_introspection_query())
    body = answer.json()
    if body.get("errors"):
        pytest.skip(f"introspection is refused: {body['errors'][0].get('message')}")
    return build_client_schema(body["data"])


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.stem)
def test_dagster_plus_of_today_takes_what_hybrid_sends(schema: GraphQLSchema, live: Settings, path: Path) -> None:
    document = parse(path.read_text())
    problems = [problem.message for problem in validate(schema, document)]
    of_dagster = any(re.search(r"on type 'Cloud(Query|Mutation)'", problem) for problem in problems)
    if of_dagster and not live.endpoint.is_saas:
        pytest.skip("the embedded Dagster+ describes its own part only; Dagster answers this document")
    assert problems == [], "hybrid plus sends what Dagster+ no longer takes"


def test_an_agent_is_running_as_long_as_is_assumed(reader: Reader, record_property: Record) -> None:
    agents = reader.ask("query { agents { id status lastHeartbeatTime } }")["agents"]
    if not agents:
        pytest.skip("no agents are listed")
    ages = [(agent["status"], time.time() - agent["lastHeartbeatTime"]) for agent in agents]
    record_property("status and age of the last heartbeat in s", [(status, round(age)) for status, age in ages])
    assert all(age < RUNNING_SECONDS for status, age in ages if status == "RUNNING"), (
        f"an agent is RUNNING longer than {RUNNING_SECONDS:g} s after its last heartbeat: {ages}"
    )
    assert all(age >= RUNNING_SECONDS for status, age in ages if status == "NOT_RUNNING"), (
        f"an agent is NOT_RUNNING before {RUNNING_SECONDS:g} s have passed: {ages}"
    )


def test_a_silent_agent_is_listed_as_long_as_is_assumed(reader: Reader, record_property: Record) -> None:
    agents = reader.ask("query { agents { id lastHeartbeatTime } }")["agents"]
    if not agents:
        pytest.skip("no agents are listed")
    oldest = max(time.time() - agent["lastHeartbeatTime"] for agent in agents)
    record_property("oldest agent listed, in s", round(oldest))
    assert oldest <= LISTED_SECONDS, "silent agents are listed for longer than a day"


def test_a_hybrid_agent_on_a_serverless_deployment(reader: Reader, record_property: Record) -> None:
    asked = reader.ask("query { currentDeployment { agentType } agents { status metadata { key value } } }")
    if asked["currentDeployment"]["agentType"] != "SERVERLESS":
        pytest.skip("the deployment is not SERVERLESS: this is for the hour before a switch")
    states = [(agent["status"], _kind(agent)) for agent in asked["agents"]]
    record_property("agents on a SERVERLESS deployment", states)
    hybrid = [status for status, kind in states if kind not in ("ServerlessUserCodeLauncher", None)]
    if not hybrid:
        pytest.skip("no Hybrid agent runs for it")
    assert "RUNNING" in hybrid, "`hybrid up` may not wait for RUNNING before the switch"


def test_what_is_left_of_serverless(reader: Reader, record_property: Record) -> None:
    asked = reader.ask("query { currentDeployment { agentType } serverless { status registryUrl } }")
    record_property("agent type", asked["currentDeployment"]["agentType"])
    record_property("serverless", asked["serverless"]["status"])
    if asked["currentDeployment"]["agentType"] == "HYBRID":
        assert asked["serverless"]["status"] != "ACTIVE", "something Serverless goes on after the switch"


def test_who_may_change_the_deployment(reader: Reader, record_property: Record) -> None:
    rights = ("canEditDeploymentSettings", "canEditDeploymentPermissions", "canDeleteDeployment")
    found = reader.ask(f"query {{ currentDeployment {{ deploymentType {' '.join(rights)} }} }}")["currentDeployment"]
    record_property("rights of this token", found)
    assert {type(found[right]) for right in rights} == {bool}, "the rights are answered for every token"


def test_deployment_settings_have_no_other_keys_than_are_known(reader: Reader, record_property: Record) -> None:
    asked = reader.ask("query { deploymentSettings { settings } }")["deploymentSettings"] or {}
    found = asked.get("settings") or {}
    record_property("keys of the settings", sorted(found))
    assert set(found) <= SETTINGS_KNOWN, "the embedded Dagster+ would refuse this document"


def test_a_branch_deployments_name_has_the_form_that_is_assumed(reader: Reader, record_property: Record) -> None:
    nodes = reader.ask("query { branchDeployments(limit: 5) { nodes { deploymentName } } }")["branchDeployments"][
        "nodes"
    ]
    if not nodes:
        pytest.skip("there are no branch deployments")
    names = [node["deploymentName"] for node in nodes]
    record_property("lengths of branch deployments' names", [len(name) for name in names])
    assert all(re.fullmatch(r"[0-9a-f]{40}", name) for name in names), "the names are not 40 hexadecimal digits"


def test_a_location_reads_back_as_the_document_that_made_it(reader: Reader, record_property: Record) -> None:
    document = reader.ask("query { locationsAsDocument { document } }")["locationsAsDocument"]["document"] or {}
    locations = document.get("locations", [])
    if not locations:
        pytest.skip("there are no code locations")
    keys = sorted({key for location in locations for key in location})
    record_property("keys of locations", keys)
    known = {"location_name", "code_source", "working_directory", "executable_path", "attribute", "git", "image",
             "container_context", "agent_queue", "build", "defs_state_info", "pex_metadata"}  # fmt: skip
    assert set(keys) <= known, "copying locations would lose what is under the other keys"


def test_secrets_of_one_name_do_not_meet(reader: Reader, record_property: Record) -> None:
    asked = reader.ask(
        "query { secretsOrError { __typename ... on Secrets { secrets { secretName fullDeploymentScope "
        "allBranchDeploymentsScope specificBranchDeploymentScope localDeploymentScope locationNames } } } }"
    )["secretsOrError"]
    if asked["__typename"] != "Secrets":
        pytest.skip(f"this token may not list secrets: {asked['__typename']}")
    scopes = ("fullDeploymentScope", "allBranchDeploymentsScope", "localDeploymentScope")
    seen: dict[tuple[Any, ...], int] = {}
    for secret in asked["secrets"]:
        for scope in (scope for scope in scopes if secret[scope]):
            for location in secret["locationNames"] or [None]:
                key = (secret["secretName"], scope, location)
                seen[key] = seen.get(key, 0) + 1
    record_property("secrets", len(asked["secrets"]))
    assert all(count == 1 for count in seen.values()), "two secrets of one name share a scope and a location"


def test_alert_policies_read_back_as_a_document(reader: Reader, record_property: Record) -> None:
    found = reader.ask("query { alertPoliciesAsDocument { document } }")["alertPoliciesAsDocument"]
    policies = ((found or {}).get("document") or {}).get("alert_policies", [])
    record_property("event types", sorted({event for policy in policies for event in policy.get("event_types", [])}))
    assert isinstance(policies, list), "the document has a list of policies"


def test_a_token_that_does_not_exist_is_answered_with_401(live: Settings) -> None:
    stranger = Reader(live.endpoint, Token("user:nobody:0123456789abcdef"))
    try:
        answer = stranger.answer("query { currentDeployment { deploymentName } }")
    finally:
        stranger.close()
    assert answer.status_code == 401, f"an unknown token is answered with HTTP {answer.status_code}"


def test_an_agents_token_cannot_list_tokens(agents_reader: Reader, record_property: Record) -> None:
    answer = agents_reader.answer("query { agentTokensOrError { __typename } }")
    kind = _typename(answer, "agentTokensOrError")
    record_property("answer to an agent's token", f"HTTP {answer.status_code}, {kind}")
    assert kind != "DagsterCloudAgentTokens", "an agent's token administers; ours are refused"


def test_stored_values_are_behind_their_url_or_not(
    agents_reader: Reader, reader: Reader, record_property: Record
) -> None:
    kind = reader.ask("query { currentDeployment { agentType } }")["currentDeployment"]["agentType"]
    answer = agents_reader.get("/gen_io_storage_url", {"key": "hybrid/no-such-value", "method": "GET"})
    record_property(f"/gen_io_storage_url on {kind}", f"HTTP {answer.status_code}")
    assert answer.is_success == (kind == "SERVERLESS"), "values are served by the agent type otherwise than assumed"


def _kind(agent: dict[str, Any]) -> str | None:
    """The agent's type, as its heartbeats say it; values of the metadata may be JSON."""
    found = {entry["key"]: entry["value"] for entry in agent["metadata"]}
    value = found.get("type") or found.get("agent_type")
    try:
        decoded = json.loads(value) if value else None
    except ValueError:
        return value
    return decoded if isinstance(decoded, str) else value


def _typename(answer: httpx.Response, field: str) -> str:
    if answer.status_code != 200:
        return f"HTTP {answer.status_code}"
    body = answer.json()
    return str(((body.get("data") or {}).get(field) or {}).get("__typename") or "an error")
