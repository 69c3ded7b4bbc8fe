"""``AgentReady`` with an agent on Kubernetes: what its errors tell of pods. Dagster+ is in memory, the cluster is faked
at the level of HTTP."""

from __future__ import annotations

import pytest

from hybrid.kubernetes.labels import location_hash
from hybrid.provider import agent_diagnosis, agent_ready
from hybrid.provider.agent_ready import DEFINITION, AgentReady
from hybrid.provider.resource import PartialError
from tests.unit.kubernetes.fake_cluster import AGENT, NAMESPACE, STACK, STACK_LABEL, Fake, served
from tests.unit.kubernetes.test_faults import ended, waiting

pytestmark = pytest.mark.unit


@pytest.fixture
def fake(tmp_path, monkeypatch):
    monkeypatch.setattr(agent_ready, "_POLL", 0.0)
    monkeypatch.setattr(agent_diagnosis, "_EVERY", 0.0)
    with served(Fake(), tmp_path) as fake:
        yield fake
    assert fake.unknown == [], "something was asked that an API server of this kind is not asked"


@pytest.fixture
def resource(clients):
    return AgentReady(clients)


@pytest.fixture
def inputs(fake, connection):
    place = {"platform": "kubernetes", "kubeconfig": fake.kubeconfig, "namespaces": [NAMESPACE, "team-b"],
             "deployment": AGENT, "stack": STACK}  # fmt: skip
    given = {"connection": connection, "agentLabel": "prod", "locations": {"hello": "1", "world": "1"}, "place": place,
             "timeoutSeconds": 0.01}  # fmt: skip
    return DEFINITION.complete(given)


def failed(resource, inputs, call):
    with pytest.raises(PartialError) as caught:
        resource.create(inputs, call)
    return caught.value


def labels(location):
    return {STACK_LABEL: STACK, "user-deployment": f"{location}-1", "location_hash": location_hash("prod", location)}


def test_a_place_is_known_by_its_platform(resource, inputs):
    assert resource.check(inputs) == []
    wrong = inputs | {"place": {"platform": "kubernetes", "namespaces": []}}
    assert {failure.path for failure in resource.check(wrong)} >= {"place.deployment", "place.stack"}


def test_an_agent_that_ends_during_the_wait_ends_it_with_its_log_and_the_cause(fake, resource, inputs, call):
    fake.agent()
    pod = fake.agent_pod("p")
    fake.logs["p", "dagster", False] = "2026-11-21T12:00:01Z DagsterInvalidConfigError: no"

    def looked():
        if len([made for made in fake.calls if made.startswith("list pods")]) == 3:
            pod["status"]["containerStatuses"] = [ended(1)]

    fake.hooks["list pods"] = looked
    error = failed(resource, inputs | {"timeoutSeconds": 30}, call)
    assert "The agent's pod does not run any more." in error.what
    assert "DagsterInvalidConfigError" in error.why
    assert error.next_step == "correct `hybrid:agent` as the log says. Then run `up` again."


def test_an_agent_that_is_missing_is_explained(fake, resource, inputs, call):
    fake.agent(ready=0)
    fake.agent_pod("p", phase="Pending", statuses=[waiting("CreateContainerConfigError", 'secret "token" not found')])
    error = failed(resource, inputs, call)
    assert f"The Deployment {AGENT}: 0 of 1 pod ready, 1 starting" in error.why
    assert 'secret "token" not found' in error.why
    assert "Likely cause: A Secret, or a key of one, that the pod needs is not there." in error.why


def test_an_agent_whose_pods_cannot_be_made_is_explained(fake, resource, inputs, call):
    condition = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "exceeded quota: q"}
    fake.agent(ready=0, told={"conditions": [condition]})
    error = failed(resource, inputs, call)
    assert "exceeded quota: q" in error.why
    assert "kubectl describe quota" in error.next_step


def test_an_agent_without_a_deployment_is_said(fake, resource, inputs, call):
    assert f"There is no Deployment {AGENT} in the namespace {NAMESPACE}." in failed(resource, inputs, call).why


def test_locations_that_do_not_load_are_explained_wherever_they_run(
    fake, resource, inputs, call, plus, agent, location
):
    fake.agent()
    fake.agent_pod("p")
    plus.listed_agents = [agent("prod")]
    plus.statuses = [location("hello", "LOADING"), location("world", "LOADING")]
    fake.pod("hello-1-x", labels=labels("hello"), statuses=[ended(137, "OOMKilled")], ready=False, limits="256Mi")
    fake.pod("world-1-x", labels=labels("world"), namespace="team-b")
    fake.logs["world-1-x", "dagster", False] = "2026-11-21T12:00:01Z ModuleNotFoundError: No module named 'pandas'"
    fake.pod("other", labels=labels("hello") | {STACK_LABEL: "another"}, statuses=[ended(1)])
    error = failed(resource, inputs, call)
    assert "hello in the cluster:\nPod hello-1-x is Running: OOMKilled." in error.why
    assert "Memory limit: 256Mi." in error.why
    assert "world in the cluster:\nPod world-1-x runs. The end of its log:" in error.why
    assert "add it to the location's requirements" in error.next_step
    assert "Pod other" not in error.why


def test_a_location_whose_pod_cannot_be_made_is_explained(fake, resource, inputs, call, plus, agent, location):
    fake.agent()
    plus.listed_agents = [agent("prod")]
    plus.statuses = [location("hello", "LOADING"), location("world")]
    server = fake.server("hello-1")
    server["metadata"]["labels"]["location_hash"] = location_hash("prod", "hello")
    fake.remove("pods", NAMESPACE, "hello-1-1")
    fake.event({"metadata": {"name": "hello-1-5d4", "uid": "rs"}}, "FailedCreate", "exceeded quota: q",
               about_kind="ReplicaSet")  # fmt: skip
    error = failed(resource, inputs, call)
    assert "No pod of hello-1 can be made: FailedCreate: exceeded quota: q" in error.why


def test_a_cluster_that_cannot_be_asked_is_said_beside_the_error(fake, resource, inputs, call):
    fake.refuse("get deployments", 401, "Unauthorized", times=99)
    error = failed(resource, inputs, call)
    assert "the cluster was not asked why: The cluster does not accept the credentials" in error.why
