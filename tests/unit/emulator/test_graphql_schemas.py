"""Which API answers what, with a stand-in for Dagster, in this process: queries of both schemas, in parts, and what is
not served."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.emulator.api.context import admitted
from hybrid.emulator.api.meter import Meter
from hybrid.emulator.api.parsing import parsed
from hybrid.emulator.api.service import Service
from hybrid.emulator.api.splitting import part
from hybrid.emulator.loading import RuntimeLoader
from hybrid.emulator.organization import Organization
from tests.unit.emulator.service_client import AGENTS, CREATE, ENTRIES, POP, Client

pytestmark = pytest.mark.unit


def test_an_api_token_is_no_agents(client: Client) -> None:
    for asked in (client.answer(POP, names=["prod"]), client.answer("{ runs { count } }")):
        assert "Only an agent's token may send" in asked["errors"][0]["message"], asked


def test_storages_answer_agents_and_see_the_headers(client: Client) -> None:
    asked = client.with_headers({"Idempotency-Key": "k"}, "{ runs { count header } }", client.agent_token, {})
    assert asked == {"data": {"runs": {"count": 7, "header": "k"}}}


def test_a_resolver_that_fails_is_an_error_in_the_answer(client: Client) -> None:
    answer = client.answer("query Q { runs { broken } }", client.agent_token)
    assert "no such table" in answer["errors"][0]["message"]
    assert [found["failed"] for found in client.meter.operations()] == [1]


def test_dagsters_own_fields_go_to_dagster(client: Client) -> None:
    assert client.data("query V { version }") == {"version": "1.2.3"}
    launch = "mutation L($n: String!) { launchRun(name: $n) }"
    assert client.data(launch, n="x") == {"launchRun": "launched x"}


MIXED = """query Mixed($depth: Int, $name: String!) {
  first: version
  organization { name }
  nested(depth: $depth) { ...Deep }
  deploymentByName(name: $name) { ...Known }
}
fragment Deep on Nested { depth again { ...Deeper } }
fragment Deeper on Nested { depth }
fragment Known on DagsterCloudDeployment { deploymentName }"""


def test_a_query_of_both_schemas_is_answered_by_both(client: Client) -> None:
    answer = client.answer(MIXED, depth=3, name="prod")
    assert answer == {
        "data": {
            "first": "1.2.3",
            "organization": {"name": "local"},
            "nested": {"depth": 3, "again": {"depth": 4}},
            "deploymentByName": {"deploymentName": "prod"},
        }
    }
    assert list(answer["data"]) == ["first", "organization", "nested", "deploymentByName"], "in the order of asking"


def test_a_part_of_a_query_brings_only_what_it_uses() -> None:
    operation = parsed(MIXED, None)
    ours = part(operation, {"organization", "deploymentByName"})
    assert "$depth" not in ours.text
    assert "Deep" not in ours.text
    theirs = part(operation, {"version", "nested"})
    assert "$name" not in theirs.text
    assert "fragment Deeper" in theirs.text, "a fragment that a fragment uses comes along"


def test_mutations_of_both_schemas_are_not_mixed(client: Client) -> None:
    answer = client.answer('mutation Mix { launchRun(name: "x") deleteLocation(locationName: "y") { __typename } }')
    assert "Mix" in answer["errors"][0]["message"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("query Ask { invoiceListOrError { __typename } }", "query.invoiceListOrError"),
        ("query Ask { agents { shoeSize } }", "Agent.shoeSize"),
        ("query Ask { nested { colour } }", "Nested.colour"),
        ("query Ask { organization { name } agents { shoeSize } version }", "Agent.shoeSize"),
    ],
)
def test_what_is_not_served_is_named_and_counted(client: Client, query: str, field: str) -> None:
    for _ in range(2):
        message = client.answer(query)["errors"][0]["message"]
        assert field.partition(".")[2] in message
    assert client.meter.unknown() == [{"operation": "Ask", "field": field, "count": 2}]


def test_a_storage_operation_that_is_not_served_is_named_and_counted_for_agents(client: Client) -> None:
    answer = client.answer("query getColours { runs { colours } }", client.agent_token)
    assert "getColours" in answer["errors"][0]["message"]
    assert "colours" in answer["errors"][0]["message"]
    assert client.meter.unknown() == [{"operation": "getColours", "field": "RunStorage.colours", "count": 1}]


def test_counters_do_not_grow_with_the_names_that_clients_make_up(client: Client) -> None:
    for number in range(700):
        client.meter.record(f"name-{number}", 0.001, failed=False)
        client.meter.record_unknown(f"name-{number}", "field")
    assert len(client.meter.operations()) == 501
    assert len(client.meter.unknown()) == 501
    assert sum(found["count"] for found in client.meter.operations()) == 700


def test_only_what_needs_dagster_waits_for_it(organization: Organization, standin: ModuleType) -> None:
    loader = RuntimeLoader(lambda: standin.StandinRuntime(organization), lambda: None)  # not started
    service = Service(organization, loader, Meter())
    agent = organization.tokens.create("agent", None)[1].reveal()
    api = organization.tokens.create("user", None, organization.users.administrator.id)[1].reveal()

    def waits(query: str, token: str) -> bool:
        return service.needs_runtime(
            parsed(query, None), admitted(organization, {"dagster-cloud-api-token": token}, None)
        )

    assert not waits(POP, agent)
    assert not waits(ENTRIES, agent)
    assert not waits(CREATE, api)
    assert not waits(AGENTS, agent), "an agent token may use the public API"
    assert waits("{ runs { count } }", agent)
    assert waits("{ version }", api)


@given(st.permutations(["version", "organization", "agents", "nested", "workspace"]), st.data())
def test_the_parts_of_a_query_are_the_query(order: list[str], data: st.DataObject) -> None:
    bodies = {
        "version": "version",
        "organization": "organization { name }",
        "agents": "agents { id }",
        "nested": "nested { depth }",
        "workspace": "workspace { workspaceEntries { locationName } }",
    }
    asked = order[: data.draw(st.integers(2, 5))]
    operation = parsed("query Q { " + " ".join(bodies[name] for name in asked) + " }", None)
    ours = set(data.draw(st.sets(st.sampled_from(asked), min_size=1)))
    kept = part(operation, ours)
    assert kept.fields == ours
    assert kept.name == operation.name


@pytest.mark.parametrize("text", ["", "{", "fragment F on Q { a }", "query A { a } query B { b }"])
def test_a_document_without_one_operation_is_refused(text: str) -> None:
    refused: Callable[[], object] = lambda: parsed(text, None)  # noqa: E731
    with pytest.raises(Exception, match=r"Syntax Error|must have one operation"):
        refused()
