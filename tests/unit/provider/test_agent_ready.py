"""`AgentReady` against a Dagster+ in memory: what counts as standing, and what people read when it does not."""

from __future__ import annotations

import pytest

from hybrid.plus import PlusUnreachable
from hybrid.provider import agent_ready
from hybrid.provider.agent_ready import AgentReady
from hybrid.provider.difference import Change
from hybrid.provider.resource import CancelledError, PartialError
from hybrid.provider.supervisor import Status

pytestmark = pytest.mark.unit


@pytest.fixture
def resource(clients):
    return AgentReady(clients)


@pytest.fixture
def inputs(connection, tmp_path):
    (tmp_path / "api-token").touch()
    return {
        "connection": {**connection, "tokenFile": str(tmp_path / "api-token")},
        "agentLabel": "local",
        "locations": {"hello": "1", "world": "1"},
        "images": {},
        "queues": {},
        "triggers": {},
        "heartbeatTimeoutSeconds": 60,
        "timeoutSeconds": 0.01,
    }


def test_a_running_agent_with_all_locations_loaded_is_ready(resource, plus, inputs, call, agent, location):
    plus.listed_agents = [agent(), agent(label="other", id="b")]
    plus.statuses = [location("hello"), location("world"), location("not ours", error="broken")]

    assert resource.create(inputs, call).outputs == {"agentId": "a1", "ready": True, "loaded": {}, "failed": []}


def test_it_waits_and_says_for_what(resource, plus, inputs, call, report, agent, location, monkeypatch):
    monkeypatch.setattr(agent_ready, "_POLL_EMBEDDED", 0)
    inputs["timeoutSeconds"] = 60
    looks = iter([[location("hello"), location("world", outdated=True)], [location("hello"), location("world")]])
    agents = iter([[agent(status="NOT_RUNNING")], [agent()], [agent()]])
    plus.code_locations = lambda: next(looks)
    plus.agents = lambda: next(agents)

    resource.create(inputs, call)

    assert report.said == [
        ("status", "waiting for agent local to be RUNNING"),
        ("status", "1 of 2 locations loaded; waiting for world"),
        ("status", "agent RUNNING, 2 locations loaded"),
    ]


def test_what_is_loaded_from_an_older_document_does_not_count(resource, plus, inputs, call, agent, location):
    plus.listed_agents = [agent()]
    plus.statuses = [location("hello"), location("world", outdated=True)]

    with pytest.raises(PartialError, match="world is not loaded"):
        resource.create(inputs, call)


def test_each_failed_location_is_listed_with_its_traceback_and_only_when_all_have_settled(
    resource, plus, inputs, call, agent, location
):
    plus.listed_agents = [agent()]
    plus.statuses = [location("hello", error="No module named nope"), location("world", error="boom")]

    with pytest.raises(PartialError) as caught:
        resource.create(inputs, call)

    text = caught.value.sentence()
    assert text.startswith("2 code locations did not load: hello, world.")
    assert "hello:\nNo module named nope\n  File x" in text
    assert "world:\nboom" in text
    assert "Next: " in text


def test_a_predecessor_that_died_does_not_count_although_it_is_called_running(
    resource, plus, inputs, call, agent, location
):
    plus.listed_agents = [agent(heard=1_700_000_000.0)]
    plus.statuses = [location("hello"), location("world")]
    inputs["heartbeatAfter"] = "2023-11-14T22:13:21+00:00"

    with pytest.raises(PartialError, match="Agent local is not RUNNING"):
        resource.create(inputs, call)
    plus.listed_agents.append(agent(heard=1_700_000_002.0, id="a2"))

    assert resource.create(inputs, call).outputs["agentId"] == "a2"


def test_a_process_that_ends_again_and_again_is_not_waited_for(resource, inputs, call, tmp_path, monkeypatch):
    monkeypatch.setattr(agent_ready, "_POLL_EMBEDDED", 0)
    states = iter(["STARTING", "BACKOFF", "BACKOFF", "STARTING", "BACKOFF"])
    monkeypatch.setattr(agent_ready.Supervisor, "status", lambda _: Status(next(states), 0))
    (tmp_path / "output.log").write_text("dagster.yaml: Received unexpected config entry\n")
    inputs |= {"timeoutSeconds": 60, "processDirectory": str(tmp_path)}

    with pytest.raises(PartialError, match="ends again and again") as caught:
        resource.create(inputs, call)

    assert "Received unexpected config entry" in caught.value.sentence()
    assert next(states, None) is None, "one crash may be bad luck, two are not"


def test_a_cancellation_ends_the_wait(resource, inputs, call):
    inputs["timeoutSeconds"] = 60
    call.cancelled.set()

    with pytest.raises(CancelledError):
        resource.create(inputs, call)


def test_a_refresh_that_finds_a_location_failed_asks_for_an_update(resource, plus, inputs, call, agent, location):
    plus.listed_agents = [agent()]
    plus.statuses = [location("hello"), location("world", error="boom")]
    outputs = {"agentId": "a1", "ready": True}

    found = resource.read("id", inputs, outputs, call)

    assert found.outputs["ready"] is False
    assert resource.diff(inputs, found.outputs, inputs) == [Change("ready", "update", replaces=False)]
    assert resource.diff(inputs, outputs, inputs) == []


def test_an_embedded_dagster_plus_that_is_down_is_not_ready_and_dagster_plus_itself_is_an_error(
    resource, plus, inputs, call, connection
):
    plus.faults["agents"] = PlusUnreachable("Nobody answers.", reason="refused")

    assert resource.read("id", inputs, {"agentId": "a1", "ready": True}, call).outputs["ready"] is False
    with pytest.raises(PlusUnreachable):
        resource.read("id", {**inputs, "connection": connection}, {}, call)


def test_another_patience_is_no_reason_to_wait_again(resource, inputs):
    assert resource.diff(inputs, {"ready": True}, {**inputs, "timeoutSeconds": 9}) == []


def test_a_moment_that_is_none_is_named(resource, inputs):
    (failure,) = resource.check({**inputs, "heartbeatAfter": "yesterday"})

    assert failure.reason == "must be a time in ISO 8601, not 'yesterday'"
