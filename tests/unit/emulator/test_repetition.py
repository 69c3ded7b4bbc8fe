"""Answers that are given again must be those that would be made anew.

Each test changes something that an answer was made from.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from starlette.requests import Request

from hybrid.emulator.api.endpoint import GraphQLEndpoint
from hybrid.emulator.api.meter import Meter
from hybrid.emulator.api.service import Service
from hybrid.emulator.loading import RuntimeLoader
from hybrid.emulator.organization import AgentReport, Organization

pytestmark = pytest.mark.unit

POP = """mutation Pop($branches: Boolean, $names: [String!], $queues: [String]) { userCloudAgent {
  popUserCloudAgentRequests(forBranchDeployments: $branches, forFullDeployments: $names, agentQueues: $queues) {
    requestId } } }"""
ENTRIES = """query Look($names: [String!]!) { deployments(deploymentNames: $names) {
  deploymentName workspaceEntries(agentQueues: [null]) { locationName metadataTimestamp } } }"""
NAMES = {"names": ["prod"]}
NO_WORK = {"userCloudAgent": {"popUserCloudAgentRequests": []}}


class Asked:
    """The endpoint, asked in process, with how many documents were really executed."""

    def __init__(self, organization: Organization, standin: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.organization = organization
        self.executed: list[str] = []
        loader = RuntimeLoader(lambda: standin.StandinRuntime(organization), lambda: None)
        loader.start()
        loader.get()
        self.meter = Meter()
        service = Service(organization, loader, self.meter)
        answer = service.answer

        def counted(operation: Any, variables: Any, context: Any) -> Any:
            self.executed.append(operation.name)
            return answer(operation, variables, context)

        monkeypatch.setattr(service, "answer", counted)
        self.endpoint = GraphQLEndpoint(organization, loader, service)
        self.record, token = organization.tokens.create("agent", None)
        self.token = token.reveal()

    def __call__(self, query: str, token: str | None = None, **variables: Any) -> Any:
        body = json.dumps({"query": query, "variables": variables}).encode()

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        headers = [(b"dagster-cloud-api-token", (token or self.token).encode())]
        headers.append((b"dagster-cloud-scope", b"organization"))
        scope = {"type": "http", "method": "POST", "path": "/graphql", "query_string": b"", "headers": headers}
        answer = json.loads(bytes(asyncio.run(self.endpoint.respond(Request(scope, receive), None)).body))
        return answer.get("data", answer)


@pytest.fixture
def ask(organization: Organization, standin: Any, monkeypatch: pytest.MonkeyPatch) -> Asked:
    return Asked(organization, standin, monkeypatch)


def test_what_is_asked_again_is_executed_once_and_counted_each_time(ask: Asked) -> None:
    for _ in range(5):
        assert ask(POP, **NAMES, queues=[None]) == NO_WORK
        assert ask(ENTRIES, **NAMES)["deployments"][0]["workspaceEntries"] == []
    assert ask.executed == ["Pop", "Look"]
    assert {told["name"]: told["count"] for told in ask.meter.operations()} == {"Pop": 5, "Look": 5}


def test_a_request_is_handed_out_though_there_was_none_before(ask: Asked) -> None:
    assert ask(POP, **NAMES, queues=[None]) == NO_WORK
    ask.organization.requests.submit("prod", "PING_LOCATION", "one", "{}")
    found = ask(POP, **NAMES, queues=[None])["userCloudAgent"]["popUserCloudAgentRequests"]
    assert found == [{"requestId": "one"}]
    assert ask(POP, **NAMES, queues=[None]) == NO_WORK, "and once only"


def test_two_hundred_locations_are_told_in_time(ask: Asked) -> None:
    documents = [({"location_name": f"place{number}"}, "m") for number in range(200)]
    ask.organization.locations.put_all("prod", documents)
    began = time.perf_counter()
    assert len(ask(ENTRIES, **NAMES)["deployments"][0]["workspaceEntries"]) == 200
    assert time.perf_counter() - began < 0.2, "made anew; agents ask every five seconds"


Change = Callable[[Organization], object]


@pytest.mark.parametrize(
    "change",
    [
        lambda it: it.locations.put("prod", {"location_name": "two"}, "m"),
        lambda it: it.locations.put("prod", {"location_name": "one"}, "m"),
        lambda it: it.locations.delete("prod", "one"),
        lambda it: it.deployments.delete(it.deployments.named("staging").id),
    ],
    ids=["added", "deployed-anew", "deleted", "deployment-deleted"],
)
def test_an_agent_sees_what_changed_by_its_next_look(ask: Asked, change: Change) -> None:
    names = ["prod", ask.organization.deployments.create("staging").name]
    ask.organization.locations.put("prod", {"location_name": "one"}, "m")
    before = ask(ENTRIES, names=names)
    assert ask(ENTRIES, names=names) == before
    change(ask.organization)
    assert ask(ENTRIES, names=names) != before


def test_while_locations_are_being_deployed_an_agent_waits_for_them(ask: Asked) -> None:
    ask(ENTRIES, **NAMES)
    executed = len(ask.executed)
    released = []
    settle = ask.organization.locations.settle
    with ask.organization.locations.deploying():
        ask.organization.locations.settle = lambda _seconds: released.append(True)  # type: ignore[method-assign]
        ask(ENTRIES, **NAMES)
    ask.organization.locations.settle = settle  # type: ignore[method-assign]
    assert released, "it is answered anew, which waits"
    assert len(ask.executed) == executed + 1


def test_a_token_with_other_grants_gets_no_answer_of_another(ask: Asked) -> None:
    ask.organization.deployments.create("staging")
    record, token = ask.organization.tokens.create("agent", None)
    ask.organization.tokens.withdraw(record.id, "ORGANIZATION", None)
    ask.organization.tokens.grant(record.id, "DEPLOYMENT", ask.organization.deployment.id)
    both = {"names": ["prod", "staging"]}
    assert len(ask(ENTRIES, **both)["deployments"]) == 2
    assert [found["deploymentName"] for found in ask(ENTRIES, token.reveal(), **both)["deployments"]] == ["prod"]
    ask.organization.tokens.revoke(ask.record.id)
    assert "message" in ask(ENTRIES, **both), "and a revoked one gets none at all"


def test_an_agent_that_polls_for_branch_deployments_is_known_to_do_so_each_time(ask: Asked) -> None:
    polled: list[int] = []
    ask.organization.agents.polled_for_branches = polled.append  # type: ignore[method-assign]
    for _ in range(3):
        ask(POP, **NAMES, queues=[None], branches=True)
    ask(POP, **NAMES, queues=[None], branches=False)
    assert polled == [ask.record.id] * 3


@pytest.mark.parametrize(
    "query",
    [
        "mutation { userCloudAgent { popUserCloudAgentRequests(forBranchDeployments: true) { requestId } } }",
        "mutation { userCloudAgent { __typename popUserCloudAgentRequests { requestId } } }",
        "mutation { userCloudAgent { ...F } } fragment F on UserCloudAgent { popUserCloudAgentRequests { requestId } }",
        "query { agents { id } }",
    ],
    ids=["literal", "more-fields", "fragment", "other"],
)
def test_what_is_not_certain_to_be_the_same_is_executed_anew(ask: Asked, query: str) -> None:
    assert ask(query) == ask(query)
    assert len(ask.executed) == 2


def test_heartbeats_are_never_answered_from_memory(ask: Asked) -> None:
    report = AgentReport("one", None, None, {}, [], [], [])
    ask.organization.agents.heard("prod", report)
    beat = "mutation B($e: [String!]) { userCloudAgent { addAgentHeartbeats(serializedErrors: $e) { ok } } }"
    ask(beat, e=[])
    ask(beat, e=[])
    assert ask.executed == ["B", "B"]
