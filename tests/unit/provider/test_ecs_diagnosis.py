"""``AgentReady`` with an agent on ECS: what its errors tell of stopped tasks. Dagster+ is in memory, ECS is moto."""

from __future__ import annotations

import threading

import pytest
from pulumi.runtime.proto import provider_pb2 as wire

from hybrid.aws.tags import location_hash
from hybrid.provider import agent_diagnosis, agent_ready
from hybrid.provider.agent_ready import DEFINITION, AgentReady
from hybrid.provider.properties import UNKNOWN, decode, encode
from hybrid.provider.report import EngineLog
from hybrid.provider.resource import PartialError
from hybrid.provider.server import Provider
from tests.unit.aws.motolab import ACCOUNT, CLUSTER, REGION, SERVICE, STACK, laboratory

pytestmark = pytest.mark.unit

AWS = {"region": REGION, "account": ACCOUNT, "cluster": CLUSTER, "service": SERVICE, "stack": STACK}
PLACE = {"platform": "ecs", **AWS}
ENDED = {
    "status": "STOPPED",
    "stop_code": "EssentialContainerExited",
    "stopped_reason": "Essential container in task exited",
}


@pytest.fixture
def lab(monkeypatch):
    monkeypatch.setattr(agent_ready, "_POLL", 0.0)
    monkeypatch.setattr(agent_diagnosis, "_EVERY", 0.0)
    with laboratory(monkeypatch) as lab:
        yield lab


@pytest.fixture
def resource(clients):
    return AgentReady(clients)


@pytest.fixture
def inputs(connection):
    given = {"connection": connection, "agentLabel": "prod", "locations": {"hello": "1", "world": "1"}, "place": PLACE,
             "timeoutSeconds": 0.01}  # fmt: skip
    return DEFINITION.complete(given)


def tags(location):
    return {"dagster-hybrid/stack": STACK, "dagster/location_hash": location_hash("prod", location)}


def failed(resource, inputs, call):
    with pytest.raises(PartialError) as caught:
        resource.create(inputs, call)
    return caught.value


def test_an_agent_that_stops_ends_the_wait_with_its_log_and_the_cause(lab, resource, inputs, call):
    lab.service()
    lab.task(SERVICE, exit_code=1, **ENDED)  # of before the wait
    looks = iter(range(100))

    def looked(parameters):
        if next(looks) == 2:
            lab.task(SERVICE, exit_code=1, lines=["401 Client Error: Unauthorized for url: https://x"], **ENDED)

    lab.hooks["ListTasks"] = looked
    error = failed(resource, inputs | {"timeoutSeconds": 600}, call)
    assert error.what == "The agent's task stopped. Dagster+ does not accept the agent's token."
    assert "401 Client Error" in error.why
    assert error.why.count("Likely cause") == 1
    assert "rotate-token" in error.next_step


def test_an_agent_that_does_not_come_is_explained_by_its_tasks(lab, resource, inputs, call):
    lab.service(running=0)
    reason = "CannotPullContainerError: failed to resolve ref x: dial tcp: i/o timeout"
    lab.task(SERVICE, status="STOPPED", stop_code="TaskFailedToStart", stopped_reason=reason)
    error = failed(resource, inputs, call)
    assert error.what == "Agent prod is not RUNNING after 0.01 s."
    assert f"ECS: 0 of 1 tasks of {SERVICE} run." in error.why
    assert reason in error.why
    assert "NAT gateway" in error.next_step


def test_an_agent_that_runs_and_is_not_heard_of_shows_its_log(lab, resource, inputs, call):
    lab.service()
    line = "HTTPSConnectionPool(host='acme.agent.dagster.cloud', port=443): Max retries exceeded"
    lab.task(SERVICE, lines=["starting", line])
    error = failed(resource, inputs, call)
    assert line in error.why
    assert "Likely cause: The task has no way to Dagster+." in error.why


def test_a_location_that_does_not_load_shows_why_its_code_server_stopped(
    lab, resource, plus, inputs, call, agent, location
):
    plus.listed_agents = [agent(label="prod")]
    plus.statuses = [location("hello"), location("world", error="ECS service failed")]
    reason = "ResourceInitializationError: unable to retrieve secret from asm: AccessDeniedException"
    lab.task("world-prod-1", tags=tags("world"), status="STOPPED", stop_code="TaskFailedToStart", stopped_reason=reason)
    lab.task("hello-prod-1", tags=tags("hello"), status="STOPPED", stopped_reason="of a location that is loaded")
    lab.task("world-prod-2", tags=tags("world") | {"dagster-hybrid/stack": "other"}, exit_code=3, **ENDED)

    error = failed(resource, inputs, call)

    assert error.what == "1 code location did not load: world."
    assert "world on ECS:\nTask " in error.why
    assert "AccessDeniedException" in error.why
    assert "of a location that is loaded" not in error.why
    assert "ended with 3" not in error.why, "another stack's task says nothing of ours"
    assert error.outputs["failed"] == ["world"]


def test_a_location_that_is_not_reported_shows_what_its_code_server_logs(
    lab, resource, plus, inputs, call, agent, location
):
    plus.listed_agents = [agent(label="prod")]
    plus.statuses = [location("hello")]
    lab.task("world-prod-1", tags=tags("world"), lines=["ModuleNotFoundError: No module named 'pandas'"])
    error = failed(resource, inputs, call)
    assert "After 0.01 s world is not loaded." in error.what
    assert "No module named 'pandas'" in error.why
    assert "requirements" in error.next_step


def test_where_aws_cannot_be_asked_the_error_stays_and_says_so(lab, resource, inputs, call):
    lab.refuse("ListTasks", "AccessDeniedException", times=9)
    lab.refuse("DescribeServices", "AccessDeniedException", times=9)
    error = failed(resource, inputs, call)
    assert error.what == "Agent prod is not RUNNING after 0.01 s."
    assert "ECS was not asked why: AWS does not allow this identity" in error.why
    assert "hybrid logs" in error.next_step


def test_without_a_place_aws_is_not_asked(lab, resource, inputs, call):
    lab.calls.clear()
    failed(resource, {name: value for name, value in inputs.items() if name != "place"}, call)
    assert lab.calls == []


def test_an_agent_that_stands_needs_no_service_in_ecs(lab, resource, plus, inputs, call, agent, location):
    plus.listed_agents = [agent(label="prod")]
    plus.statuses = [location("hello"), location("world")]
    assert resource.create(inputs, call).outputs["ready"]


def test_where_the_agent_runs_is_no_reason_to_wait_again(resource, inputs):
    before = {name: value for name, value in inputs.items() if name != "place"}
    assert resource.diff(before, {"ready": True}, inputs) == []


def test_a_state_of_before_there_were_places_is_taken_as_it_is(resource, plus, inputs, agent, location):
    plus.listed_agents = [agent(label="prod")]
    plus.statuses = [location("hello"), location("world")]
    outputs = {"agentId": "a1", "ready": True, "loaded": {}, "failed": []}
    inputs = inputs | {"timeoutSeconds": 300}
    before = {**{name: value for name, value in inputs.items() if name != "place"}, "ecs": AWS}
    urn, provider = f"urn:pulumi:prod::hybrid::{DEFINITION.token}::ready", _provider(resource)

    read = provider.Read(
        wire.ReadRequest(id="a/b/c", urn=urn, inputs=encode(before), properties=encode({**before, **outputs})), None
    )
    assert decode(read.properties)["ready"], "a refresh looks at Dagster+, whatever the state calls the place"
    check = provider.Check(wire.CheckRequest(urn=urn, olds=read.inputs, news=encode(inputs)), None)
    assert list(check.failures) == []
    diff = provider.Diff(
        wire.DiffRequest(urn=urn, old_inputs=read.inputs, olds=read.properties, news=check.inputs), None
    )
    assert diff.changes == wire.DiffResponse.DIFF_NONE, "the next `up` writes the place, and waits for nothing"
    assert "ecs" not in decode(check.inputs), "which is what the engine keeps from then on"


def _provider(resource):
    return Provider({DEFINITION.token: resource}, EngineLog(""), threading.Event())


@pytest.mark.parametrize(
    ("place", "path"),
    [
        ({**PLACE, "platform": "moon"}, "place.platform"),
        (AWS, "place.platform"),
        ({name: value for name, value in PLACE.items() if name != "cluster"}, "place.cluster"),
        ({**PLACE, "pod": "x"}, "place.pod"),
    ],
)
def test_a_place_that_its_platform_cannot_be_asked_at_is_refused(resource, inputs, place, path):
    assert [failure.path for failure in resource.check(inputs | {"place": place})] == [path]


def test_a_place_that_is_not_known_yet_is_taken(resource, inputs):
    assert resource.check(inputs | {"place": {**PLACE, "cluster": UNKNOWN, "service": UNKNOWN}}) == []
