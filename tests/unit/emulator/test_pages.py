"""The state behind the page: what is in it and what never is, how it is cut, and its one button.

How the page draws it is tested with a browser in tests/emulated/test_page.py.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from hybrid.emulator.api.meter import Meter
from hybrid.emulator.loading import RuntimeLoader
from hybrid.emulator.organization import AgentReport, Organization
from hybrid.emulator.organization.secrets import NewSecret, Scopes
from hybrid.emulator.pages import StatePage
from hybrid.emulator.state import View

pytestmark = pytest.mark.unit

Make = Callable[..., Any]
PLANTED = "planted-value-of-a-secret"
TOKEN = "agent:local:" + "a1" * 20


def report(name: str, servers: int = 1, **more: Any) -> AgentReport:
    said: dict[str, Any] = {
        "id": f"id-{name}",
        "label": name,
        "type": "ProcessUserCodeLauncher",
        "metadata": {"version": "1.13.27", "note": TOKEN},
        "code_servers": [
            {"location_name": f"place{number}", "status": "RUNNING", "error": None} for number in range(servers)
        ],
        "run_workers": [],
        "errors": [],
    }
    return AgentReport(**{**said, **more})


def founded(server: Any) -> Organization:
    """The organization in a server's folder, before it is served."""
    server.data.mkdir(mode=0o700)
    return Organization(server.data)


@pytest.fixture
def page(organization: Organization, standin: Any) -> StatePage:
    loader = RuntimeLoader(lambda: standin.StandinRuntime(organization), lambda: None)
    loader.start()
    loader.get()
    return StatePage(organization, loader, Meter())


def test_no_value_of_a_secret_or_token_is_in_the_state(make_server: Make) -> None:
    server = make_server()
    organization = founded(server)
    values = [organization.tokens.create("agent", "of CI")[1].reveal()]
    values.append(organization.tokens.create("agent", f"made from {values[0]}")[1].reveal())
    organization.secrets.create(organization.deployment, NewSecret("PASSWORD", PLANTED, Scopes(full=True)))
    error = {"message": f"no {TOKEN}", "stack": [f"{TOKEN}\n"], "class_name": None, "cause": None}
    servers = [{"location_name": TOKEN, "status": "FAILED", "error": {**error, "cause": error}}]
    errors = [{"timestamp": 1.0, "error": error}]
    organization.agents.heard("prod", report("agent", code_servers=servers, errors=errors, label=TOKEN))
    organization.locations.put("prod", {"location_name": "one", "image": f"https://me:{TOKEN}@registry/one"}, "m")
    organization.close()
    server.start()
    for query in ("", "?limit=25", "?filter=PASS"):
        said = httpx.get(f"{server.url}/hybrid/state{query}").text
        assert "PASSWORD" in said, "its name is shown"
        for value in (*values, server.api_token(), PLANTED, TOKEN):
            assert value not in said
            assert value.rpartition(":")[2] not in said


def test_the_state_tells_of_deployments_and_who_may_do_what(organization: Organization, page: StatePage) -> None:
    staging = organization.deployments.create("staging", "SERVERLESS")
    git = {"repoName": "acme/code", "branchName": "feature"}
    branch = organization.deployments.put_branch(organization.deployment, git, {"commitHash": "1"})
    organization.agents.heard("prod", report("one"))
    organization.users.add("somebody@example.org", [("EDITOR", "DEPLOYMENT", staging.id)])
    token, _ = organization.tokens.create("agent", "of CI")
    organization.tokens.revoke(token.id)
    organization.secrets.create(
        organization.deployment, NewSecret("NAME", "value", Scopes(local=True, branch=branch.name), ("one",))
    )
    state = page.state()
    told = {found["name"]: found for found in state["deployments"]}
    assert (told["prod"]["agent_type"], told["prod"]["path"], told["prod"]["agents_running"]) == ("HYBRID", "/", 1)
    assert (told["staging"]["agent_type"], told["staging"]["path"]) == ("SERVERLESS", "/staging/")
    assert (told[branch.name]["parent"], told[branch.name]["branch"]) == ("prod", "feature")
    user = next(found for found in state["users"] if found["email"] == "somebody@example.org")
    assert user["grants"] == [{"role": "EDITOR", "scope": "DEPLOYMENT", "deployment": "staging"}]
    shown = next(found for found in state["tokens"] if found["id"] == token.id)
    assert (shown["kind"], shown["description"], shown["revoked_at"] is not None) == ("agent", "of CI", True)
    secret = state["secrets"][0]
    assert (secret["name"], secret["locations"]) == ("NAME", ["one"])
    assert secret["scopes"] == {"full": False, "all_branches": False, "branch": branch.name, "local": True}


def test_a_view_is_the_first_of_each_list_with_what_is_wrong_before_all(
    organization: Organization, page: StatePage
) -> None:
    for number in range(12):
        organization.agents.heard("prod", report(f"agent{number}", servers=30))
        organization.locations.put("prod", {"location_name": f"place{number:02}"}, "m")
        organization.tokens.create("agent", f"token{number}")
    failed = json.dumps({"message": "no module", "stack": []})
    organization.locations.record_failed("prod", "place11", failed)
    state = page.state(View(limit=5))
    assert [len(state[name]) for name in ("agents", "locations", "tokens")] == [5, 5, 5]
    assert state["locations"][0]["name"] == "place11", "what failed is seen first"
    assert len(state["agents"][0]["code_servers"]) == 5
    assert state["agents"][0]["code_servers_count"] == 30
    assert state["counts"]["tokens"]["all"] == len(page.state()["tokens"])
    assert (state["deployments"][0]["agents"], state["deployments"][0]["locations_matching"]) == (12, 12)
    whole = page.state()
    assert (len(whole["agents"]), len(whole["locations"])) == (12, 12), "everything stays to be had"


def test_a_filter_finds_by_any_shown_text_in_any_case(organization: Organization, page: StatePage) -> None:
    organization.deployments.create("staging")
    organization.agents.heard("prod", report("Needle"))
    organization.agents.heard("prod", report("hay"))
    organization.locations.put("prod", {"location_name": "one", "image": "registry/NEEDLE:1"}, "m")
    organization.locations.put("prod", {"location_name": "two"}, "m")
    state = page.state(View(limit=25, words="needle"))
    assert [found["name"] for found in state["deployments"]] == ["prod"]
    assert [found["label"] for found in state["agents"]] == ["Needle"]
    assert [found["name"] for found in state["locations"]] == ["one"]
    of_a_deployment = page.state(View(limit=25, words="STAG"))
    assert [found["name"] for found in of_a_deployment["deployments"]] == ["staging"]


def test_a_text_of_any_length_is_cut_in_a_view_and_whole_without_one(
    organization: Organization, page: StatePage
) -> None:
    name = "n" * 10_000
    organization.locations.put("prod", {"location_name": name, "image": name}, "m")
    error = {"message": name * 9, "stack": [name] * 9, "class_name": None, "cause": None}
    organization.agents.heard("prod", report(name, errors=[{"timestamp": 1.0, "error": error}] * 9))
    assert len(json.dumps(page.state(View(limit=25)))) < 150_000, "a page that is fetched every two seconds"
    assert page.state()["locations"][0]["name"] == name


def test_an_agents_token_sees_neither_tokens_nor_users_nor_foreign_deployments(
    organization: Organization, page: StatePage
) -> None:
    organization.deployments.create("staging")
    token, _ = organization.tokens.create("agent", None)
    organization.tokens.withdraw(token.id, "ORGANIZATION", None)
    caller = organization.tokens.grant(token.id, "DEPLOYMENT", organization.deployment.id)
    state = page.state(View(), caller)
    assert [found["name"] for found in state["deployments"]] == ["prod"]
    assert (state["tokens"], state["users"], state["withheld"]) == ([], [], ["tokens", "users"])


@pytest.mark.parametrize("limit", ["0", "-1", "1001", "x", "", "9" * 30, "٣"])
def test_a_limit_that_is_none_is_refused(make_server: Make, limit: str) -> None:
    server = make_server(STANDIN_LOAD="600").start()
    assert httpx.get(f"{server.url}/hybrid/state", params={"limit": limit}).status_code == 400


def switch(server: Any, number: object, kind: object, **headers: str) -> httpx.Response:
    return httpx.post(
        f"{server.url}/hybrid/switch", json={"deployment_id": number, "agent_type": kind}, headers=headers
    )


@pytest.fixture
def serverless(make_server: Make) -> Any:
    """A served organization with the deployment ``old``, SERVERLESS, of id 2, and a branch deployment of id 3."""
    server = make_server(STANDIN_LOAD="600")
    organization = founded(server)
    organization.deployments.create("old", "SERVERLESS")
    organization.deployments.put_branch(
        organization.deployment, {"repoName": "r", "branchName": "b"}, {"commitHash": "1"}
    )
    organization.close()
    return server.start()


def agent_types(server: Any) -> list[str]:
    return [found["agent_type"] for found in httpx.get(f"{server.url}/hybrid/state").json()["deployments"]]


def test_the_button_switches_a_deployment_there_and_back(serverless: Any) -> None:
    assert agent_types(serverless) == ["HYBRID", "SERVERLESS", "HYBRID"]
    assert switch(serverless, 2, "HYBRID").json() == {"deployment": "old", "agent_type": "HYBRID"}
    assert agent_types(serverless) == ["HYBRID"] * 3
    assert switch(serverless, 2, "SERVERLESS").status_code == 200
    assert agent_types(serverless) == ["HYBRID", "SERVERLESS", "HYBRID"]


def test_only_its_own_page_or_an_administrator_may_press_the_button(serverless: Any) -> None:
    agent = {"Dagster-Cloud-Api-Token": serverless.agent_token()}
    administrator = {"Dagster-Cloud-Api-Token": serverless.api_token()}
    assert switch(serverless, 2, "HYBRID", **{"Origin": "http://evil.example"}).status_code == 403
    assert switch(serverless, 2, "HYBRID", **{"Host": "evil.example"}).status_code == 403
    assert switch(serverless, 2, "HYBRID", **agent).status_code == 403
    form = httpx.post(f"{serverless.url}/hybrid/switch", data={"deployment_id": "2", "agent_type": "HYBRID"})
    assert form.status_code == 415
    assert httpx.get(f"{serverless.url}/hybrid/switch").status_code == 405
    assert agent_types(serverless)[1] == "SERVERLESS", "none of them switched anything"
    assert switch(serverless, 2, "HYBRID", **administrator).status_code == 200


@pytest.mark.parametrize(
    ("number", "kind", "status"),
    [(2, "EITHER", 400), ("2", "HYBRID", 400), (True, "HYBRID", 400), (2, ["HYBRID"], 400), (99, "HYBRID", 404)]
    + [(3, "SERVERLESS", 400), (None, None, 400)],
)
def test_a_switch_that_makes_no_sense_is_refused_in_words(
    serverless: Any, number: object, kind: object, status: int
) -> None:
    answer = switch(serverless, number, kind)
    assert answer.status_code == status
    assert answer.json()["message"]
    assert agent_types(serverless) == ["HYBRID", "SERVERLESS", "HYBRID"]


def test_what_was_refused_is_counted(serverless: Any) -> None:
    switch(serverless, 99, "HYBRID")
    told = httpx.get(f"{serverless.url}/hybrid/state").json()["operations"]
    found = next(operation for operation in told if operation["name"] == "(refused with HTTP 404)")
    assert (found["count"], found["refused"]) == (1, 1)


def test_five_hundred_agents_and_two_hundred_locations_are_told_in_time(
    organization: Organization, page: StatePage
) -> None:
    for number in range(500):
        organization.agents.heard("prod", report(f"agent{number}", servers=1 + number % 5))
    documents = [({"location_name": f"place{number}", "image": "registry/one:1"}, "m") for number in range(200)]
    organization.locations.put_all("prod", documents)
    began = time.perf_counter()
    page.state(View(limit=25))
    viewed = time.perf_counter()
    page.state()
    assert viewed - began < 0.2, "a page that is fetched every two seconds"
    assert time.perf_counter() - viewed < 0.5, "everything, which is fetched by hand"
