"""``KubernetesAgentState`` against a cluster faked at the level of HTTP: when an agent stands, what ends the wait, and
what a second wait begins with. How states follow each other is for a real cluster."""

from __future__ import annotations

import pytest

from hybrid.provider import kubernetes_agent_state as module
from hybrid.provider.kubernetes_agent_state import DEFINITION, KubernetesAgentState
from hybrid.provider.kubernetes_place import Doors
from hybrid.provider.resource import CancelledError, PartialError
from tests.unit.kubernetes.fake_cluster import AGENT, NAMESPACE, Fake, served
from tests.unit.kubernetes.test_faults import ended, waiting

pytestmark = pytest.mark.unit


@pytest.fixture
def fake(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_POLL", 0.001)
    monkeypatch.setattr(module, "_GRACE", 0)
    with served(Fake(), tmp_path) as fake:
        yield fake
    assert fake.unknown == [], "something was asked that an API server of this kind is not asked"


@pytest.fixture
def resource():
    return KubernetesAgentState(Doors())


@pytest.fixture
def inputs(fake):
    given = {"kubeconfig": fake.kubeconfig, "namespace": NAMESPACE, "deployment": AGENT, "timeoutSeconds": 30}
    return DEFINITION.complete(given)


def revision(fake, agent, number, template):
    """A replica set of the agent's; the newest is the one whose number the Deployment bears."""
    made = fake.put("replicasets", f"{AGENT}-{template}", labels={"app": AGENT, "pod-template-hash": template},
                    metadata={"annotations": {"deployment.kubernetes.io/revision": str(number)},
                              "ownerReferences": [{"uid": agent["metadata"]["uid"]}]})  # fmt: skip
    agent["metadata"]["annotations"] = {"deployment.kubernetes.io/revision": str(number)}
    return made


def pod(fake, name="p", *, template="new", **more):
    return fake.pod(name, labels={"app": AGENT, "pod-template-hash": template}, **more)


def failure(resource, inputs, call, before=None):
    with pytest.raises(PartialError) as caught:
        resource.update("id", before, inputs, call) if before is not None else resource.create(inputs, call)
    assert caught.value.outputs["steady"] is False
    assert caught.value.next_step.endswith(("run the same command again.", "it waits on.", "it makes another.",
                                            "what the stack says."))  # fmt: skip
    return caught.value


def test_a_steady_agent_is_told_with_its_start_and_its_instance(fake, resource, inputs, call):
    fake.agent()
    pod(fake)
    made = resource.create(inputs, call)
    assert made.id == f"{NAMESPACE}/{AGENT}"
    assert made.outputs["startedAt"] == "2026-11-21T12:00:05.000+00:00"
    assert made.outputs["runningCount"] == 1
    assert made.outputs["steady"] is True
    again = resource.read(made.id, inputs, made.outputs, call)
    assert again.outputs["instance"] == made.outputs["instance"]


@pytest.mark.parametrize("change", ["restart", "another pod"])
def test_an_agent_that_is_started_anew_has_another_instance(fake, resource, inputs, call, change):
    fake.agent()
    made = pod(fake)
    before = resource.create(inputs, call).outputs
    if change == "restart":
        made["status"]["containerStatuses"][0]["restartCount"] = 1
    else:
        fake.remove("pods", NAMESPACE, "p")
        pod(fake, "q")
    assert resource.read("id", inputs, before, call).outputs["instance"] != before["instance"]


def test_pods_of_an_older_revision_are_waited_out_and_their_faults_do_not_count(fake, resource, inputs, call, report):
    agent = fake.agent(told={"replicas": 2})
    revision(fake, agent, 1, "old")
    revision(fake, agent, 2, "new")
    pod(fake)
    pod(fake, "old-1", template="old", statuses=[waiting("CrashLoopBackOff", restarts=9)], ready=False)

    def looked():
        if any("1 of the old ones left" in text for _, text in report.said):
            agent["status"]["replicas"] = 1
            fake.objects.pop(("pods", NAMESPACE, "old-1"), None)

    fake.hooks["get deployments"] = looked
    made = resource.create(inputs, call)
    assert made.outputs["runningCount"] == 1
    assert any("1 of the old ones left" in text for _, text in report.said)


def test_before_the_cluster_has_seen_the_change_nothing_counts(fake, resource, inputs, call, report):
    agent = fake.agent()
    agent["metadata"]["generation"] = 2
    pod(fake)

    def looked():
        if report.said:
            agent["status"]["observedGeneration"] = 2

    fake.hooks["get deployments"] = looked
    resource.create(inputs, call)
    assert report.said[0] == ("status", "waiting for the cluster to begin the roll-out")


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (waiting("ImagePullBackOff", 'Back-off pulling image "x": ErrImagePull: not found'), "not in its registry"),
        (waiting("CreateContainerConfigError", 'secret "token" not found'), "A Secret, or a key of one"),
        (ended(137, "OOMKilled"), "took more memory than its limit"),
        (ended(1), "ended by itself"),
    ],
)
def test_a_pod_that_cannot_run_ends_the_wait_with_the_diagnosis(fake, resource, inputs, call, status, said):
    fake.agent(ready=0)
    pod(fake, statuses=[status], ready=False)
    error = failure(resource, inputs, call)
    assert said in error.what
    assert "Pod p is Running" in error.why
    assert "Likely cause:" in error.why


def test_a_trouble_that_is_over_within_the_grace_is_none(fake, resource, inputs, call, monkeypatch):
    monkeypatch.setattr(module, "_GRACE", 60)
    agent = fake.agent(ready=0)
    made = pod(fake, statuses=[waiting("ErrImagePull", "x")], ready=False)
    good = fake.pod("good")

    def looked():
        if fake.calls.count(f"get deployments {NAMESPACE}/{AGENT}") == 3:
            made["status"] = good["status"]
            agent["status"] |= dict.fromkeys(("replicas", "updatedReplicas", "availableReplicas"), 1)

    fake.hooks["get deployments"] = looked
    assert resource.create(inputs, call).outputs["steady"] is True


def test_want_of_room_is_said_once_and_waited_out(fake, resource, inputs, call, report):
    fake.agent(ready=0)
    text = "0/1 nodes are available: 1 Insufficient memory."
    placed = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": text}
    pod(fake, phase="Pending", node="", statuses=[], conditions=[placed])
    error = failure(resource, inputs | {"timeoutSeconds": 0.05}, call)
    warnings = [said for kind, said in report.said if kind == "warning"]
    assert len(warnings) == 1, "an autoscaler may make room; it is not said at each look"
    assert "1 Insufficient memory" in warnings[0]
    assert "does not stand" in error.what
    assert "1 Insufficient memory" in error.why


def test_a_quota_that_lets_no_pod_be_made_ends_the_wait(fake, resource, inputs, call):
    message = 'pods "x" is forbidden: exceeded quota: small, requested: pods=1, used: pods=5, limited: pods=5'
    condition = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": message}
    fake.agent(ready=0, told={"conditions": [condition]})
    error = failure(resource, inputs, call)
    assert "A quota of the namespace is used up" in error.what
    assert "exceeded quota: small" in error.why
    assert "kubectl describe quota" in error.next_step


def test_a_pod_that_runs_and_never_gets_ready_is_told_with_its_log(fake, resource, inputs, call):
    fake.agent(ready=0)
    pod(fake, ready=False)
    fake.logs["p", "dagster", False] = "2026-11-21T12:00:01Z DagsterCloudUnauthorized: the token was revoked"
    error = failure(resource, inputs | {"timeoutSeconds": 0.01}, call)
    assert "0 of 1 pod ready, 1 running and not ready yet" in error.what
    assert "the token was revoked" in error.why
    assert "rotate-token" in error.next_step


@pytest.mark.parametrize(
    ("prepare", "said"),
    [
        (lambda fake: None, "There is no Deployment"),
        (lambda fake: fake.agent(replicas=0), "is to run no pod"),
    ],
)
def test_what_waiting_does_not_mend_is_said_at_once(fake, resource, inputs, call, prepare, said):
    prepare(fake)
    assert said in failure(resource, inputs, call).what


def test_a_paused_roll_out_is_said_with_the_way_to_go_on(fake, resource, inputs, call):
    fake.agent()["spec"]["paused"] = True
    with pytest.raises(PartialError, match="is paused") as caught:
        resource.create(inputs, call)
    assert "rollout resume" in caught.value.next_step


def test_a_wait_after_one_that_failed_has_the_failed_pods_made_anew(fake, resource, inputs, call, report):
    fake.agent(ready=1)
    pod(fake, statuses=[waiting("CrashLoopBackOff", restarts=5)], ready=False)
    fake.hooks["delete pods"] = lambda: pod(fake, "fresh")
    before = {"steady": False, "startedAt": "", "instance": ""}
    assert resource.update("id", before, inputs, call).outputs["steady"] is True
    assert f"delete pods {NAMESPACE}/p" in fake.calls
    assert any("made anew" in text for kind, text in report.said if kind == "info")


def test_a_first_wait_removes_no_pod(fake, resource, inputs, call):
    fake.agent(ready=0)
    pod(fake, statuses=[ended(1)], ready=False)
    failure(resource, inputs, call, {"steady": True, "startedAt": "x", "instance": "y"})
    assert not [made for made in fake.calls if made.startswith("delete")]


def test_what_does_not_stand_is_drift(fake, resource, inputs, call, report):
    assert resource.read("id", inputs, {}, call) is None
    fake.agent(ready=0)
    assert resource.read("id", inputs, {}, call) is None
    assert [kind for kind, _ in report.said] == ["warning", "warning"]


def test_who_may_not_see_replica_sets_still_sees_the_pods(fake, resource, inputs, call):
    fake.agent()
    pod(fake)
    fake.refuse("list replicasets")
    assert resource.create(inputs, call).outputs["steady"] is True


def test_a_failed_wait_is_made_up_for_and_another_path_of_the_kubeconfig_is_no_reason_to_wait(resource, inputs):
    steady = {"steady": True}
    assert resource.diff(inputs, steady, inputs | {"kubeconfig": "/elsewhere", "timeoutSeconds": 5}) == []
    assert [change.path for change in resource.diff(inputs, {"steady": False}, inputs)] == ["steady"]
    assert resource.diff(inputs, steady, inputs | {"triggers": {"pod": "b"}})


def test_a_cancellation_ends_the_wait(fake, resource, inputs, call):
    fake.agent(ready=0)
    call.cancelled.set()
    with pytest.raises(CancelledError):
        resource.create(inputs, call)
