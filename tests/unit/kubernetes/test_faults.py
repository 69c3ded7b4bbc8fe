"""Why pods do not run: texts of kubelet, scheduler, admission and container runtimes against the table of likely
causes, and the paragraph that people read. Only a real cluster shows whether it still words them so; what no pattern
knows is called unknown, with the cluster's own words beside it."""

from __future__ import annotations

import pytest

from hybrid.kubernetes import causes, faults
from hybrid.kubernetes.diagnosis import diagnosed
from hybrid.kubernetes.events import events_in
from hybrid.kubernetes.made import deployment_in
from hybrid.kubernetes.workloads import pod_of
from tests.unit.kubernetes.fake_cluster import AGENT, NAMESPACE

pytestmark = pytest.mark.unit

PULL = 'Back-off pulling image "r.test/hello@sha256:1": ErrImagePull: '


def waiting(reason, message="", *, restarts=0, last=None, ready=False, first=False):
    told = {"name": "dagster", "image": "r.test/hello@sha256:1", "ready": ready, "restartCount": restarts,
            "state": {"waiting": {"reason": reason, "message": message}}}  # fmt: skip
    return told | ({"lastState": {"terminated": last}} if last else {})


def ended(code, reason="Error", message="", *, restarts=0):
    return {"name": "dagster", "image": "r.test/hello", "ready": False, "restartCount": restarts,
            "state": {"terminated": {"exitCode": code, "reason": reason, "message": message}}}  # fmt: skip


@pytest.mark.parametrize(
    ("reason", "message", "cause"),
    [
        ("ImagePullBackOff", PULL + "failed to resolve reference: r.test/hello@sha256:1: not found",
         causes.IMAGE_MISSING),
        ("ErrImagePull", 'failed to pull and unpack image "x": no match for platform in manifest: not found',
         causes.ARCHITECTURE),
        ("ErrImagePull", "pull access denied, repository does not exist or may require authorization",
         causes.PULL_PERMISSION),
        ("ErrImagePull", "failed to pull image: unexpected status from HEAD request: 403 Forbidden",
         causes.PULL_PERMISSION),
        ("ErrImagePull", 'failed to pull image "x": dial tcp: lookup r.test: no such host',
         causes.NO_ROUTE_TO_REGISTRY),
        ("ErrImagePull", 'failed to pull image "x": tls: failed to verify certificate: x509: unknown authority',
         causes.REGISTRY_CERTIFICATE),
        ("ErrImagePull", 'failed to pull image "x": toomanyrequests: You have reached your pull rate limit',
         causes.PULL_LIMIT),
        ("ImagePullBackOff", "", causes.PULL),
        ("ErrImageNeverPull", 'Container image "x" is not present with pull policy of Never', causes.NEVER_PULLED),
        ("InvalidImageName", "couldn't parse image name", causes.IMAGE_NAME),
        ("CreateContainerConfigError", 'secret "db" not found', causes.SECRET_MISSING),
        ("CreateContainerConfigError", "couldn't find key password in Secret team-a/db", causes.SECRET_MISSING),
        ("CreateContainerConfigError", 'configmap "settings" not found', causes.CONFIG_MAP_MISSING),
        ("CreateContainerConfigError", "container has runAsNonRoot and image will run as root", causes.USER),
        ("CreateContainerConfigError", "something new", causes.CONTAINER),
        ("RunContainerError", 'exec: "dagsterx": executable file not found in $PATH', causes.START),
    ],
)  # fmt: skip
def test_reasons_of_waiting_have_their_cause(fake, reason, message, cause):
    pod = pod_of(fake.pod("p", phase="Pending", statuses=[waiting(reason, message)]))
    assert faults.likely_cause(pod) == cause
    assert faults.is_in_trouble(pod)
    assert reason in faults.reason_of(pod)


@pytest.mark.parametrize(
    ("message", "cause"),
    [
        ("0/3 nodes are available: 1 Insufficient cpu, 2 Insufficient memory. preemption: 0/3", causes.ROOM),
        ("0/3 nodes are available: 3 Too many pods.", causes.ROOM),
        ("0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector.", causes.NODES),
        ("0/3 nodes are available: 3 node(s) had untolerated taint {gpu: true}.", causes.NODES),
        ('0/3 nodes are available: persistentvolumeclaim "data" not found.', causes.CLAIM),
        ("0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims.", causes.CLAIM),
    ],
)
def test_what_the_scheduler_says_has_its_cause(fake, message, cause):
    placed = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
    pod = pod_of(fake.pod("p", phase="Pending", node="", statuses=[], conditions=[placed]))
    assert faults.likely_cause(pod) == cause
    assert faults.is_in_trouble(pod)
    assert message in faults.reason_of(pod), "the resource that is missing is named"


@pytest.mark.parametrize(
    ("status", "lines", "cause"),
    [
        (ended(137, "OOMKilled"), (), causes.MEMORY),
        (ended(137), (), causes.KILLED),
        (ended(139), (), causes.CRASH),
        (ended(127), (), causes.START),
        (ended(1), ("ModuleNotFoundError: No module named 'pandas'",), causes.IMPORT),
        (ended(1), ("exec /usr/bin/dagster: exec format error",), causes.ARCHITECTURE),
        (ended(1), ("dagster_cloud_cli.core.errors.DagsterCloudUnauthorized: no",), causes.WRONG_TOKEN),
        (ended(1), ('deployments.apps is forbidden: User "a" cannot create resource "deployments"',), causes.RIGHTS),
        (ended(128, "StartError", "exec format error"), (), causes.ARCHITECTURE),
        (ended(1), (), causes.ENDED),
        (waiting("CrashLoopBackOff", "back-off 5m0s", restarts=4, last={"exitCode": 137, "reason": "OOMKilled"}), (),
         causes.MEMORY),
    ],
)  # fmt: skip
def test_how_containers_ended_has_its_cause(fake, status, lines, cause):
    pod = pod_of(fake.pod("p", statuses=[status], ready=False))
    assert faults.likely_cause(pod, (), lines) == cause
    assert faults.is_in_trouble(pod)


@pytest.mark.parametrize(
    ("reason", "message", "cause"),
    [
        ("FailedMount", 'MountVolume.SetUp failed for volume "s" : secret "tls" not found', causes.SECRET_MISSING),
        ("FailedMount", "Unable to attach or mount volumes: timed out waiting", causes.VOLUME),
        ("FailedCreatePodSandBox", "plugin type aws-cni failed to assign an IP address", causes.ADDRESSES),
        ("Unhealthy", "Readiness probe failed: cat: no such file or directory", causes.HEALTH),
        ("Unhealthy", "Liveness probe failed: HTTP probe failed with statuscode: 500", causes.HEALTH),
    ],
)
def test_events_tell_what_the_pod_itself_does_not(fake, cluster, reason, message, cause):
    made = fake.pod("p", phase="Pending", statuses=[waiting("ContainerCreating")])
    fake.event(made, reason, message, count=3)
    fake.event(made, "Pulled", "fine", kind="Normal")
    events = events_in(cluster, NAMESPACE, of=made["metadata"]["uid"])
    pod = pod_of(made)
    assert f"{message} (x3)" in faults.reason_of(pod, events)
    assert faults.cause_of_text(faults.reason_of(pod, events)) == cause
    assert not faults.is_in_trouble(pod), "what is beginning may well come"


@pytest.mark.parametrize(
    ("message", "cause"),
    [
        ('pods "x" is forbidden: exceeded quota: small, requested: limits.memory=2Gi, used: 1Gi, limited: 2Gi',
         causes.QUOTA),
        ('pods "x" is forbidden: failed quota: small: must specify limits.cpu for: dagster', causes.QUOTA),
        ('pods "x" is forbidden: maximum memory usage per Container is 1Gi, but limit is 2Gi', causes.LIMIT_RANGE),
        ('pods "x" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true', causes.POD_SECURITY),
        ('pods "x" is forbidden: error looking up service account team-a/code: serviceaccount "code" not found',
         causes.ACCOUNT_MISSING),
        ("something new", causes.UNKNOWN),
    ],
)  # fmt: skip
def test_pods_that_cannot_even_be_made_are_explained_by_their_deployment(fake, cluster, message, cause):
    condition = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": message}
    fake.agent(ready=0, told={"conditions": [condition]})
    told, found = faults.cause_of_rollout(deployment_in(cluster, NAMESPACE, AGENT), [])
    assert message in told
    assert found == cause


def test_pods_that_cannot_even_be_made_are_explained_by_events_too(fake, cluster):
    made = fake.agent(ready=0)
    fake.event({"metadata": {"name": f"{AGENT}-5d4", "uid": "rs"}}, "FailedCreate", "exceeded quota: small",
               about_kind="ReplicaSet")  # fmt: skip
    fake.event({"metadata": {"name": "another-5d4", "uid": "rs2"}}, "FailedCreate", "of another")
    events = events_in(cluster, NAMESPACE, prefix=f"{AGENT}-")
    assert [event.message for event in events] == ["exceeded quota: small"]
    assert faults.cause_of_rollout(deployment_in(cluster, NAMESPACE, AGENT), events)[1] == causes.QUOTA
    assert faults.cause_of_rollout(deployment_in(cluster, NAMESPACE, AGENT), []) is None
    assert made


@pytest.mark.parametrize(
    "more",
    [
        {"phase": "Pending", "statuses": [waiting("ContainerCreating")]},
        {"phase": "Pending", "statuses": [], "node": ""},
        {"phase": "Running"},
        {"phase": "Running", "ready": False},
        {"phase": "Succeeded", "statuses": [ended(0, "Completed")]},
    ],
)
def test_a_beginning_and_an_end_are_no_trouble(fake, more):
    assert not faults.is_in_trouble(pod_of(fake.pod("p", **more)))


def test_a_diagnosis_tells_image_and_architecture_where_these_are_wrong(fake, cluster):
    fake.put("nodes", "node-1", namespace="", status={"nodeInfo": {"architecture": "arm64"}})
    made = fake.pod("p", phase="Pending", statuses=[waiting("ErrImagePull", "no match for platform in manifest")])
    found = diagnosed(cluster, pod_of(made))
    assert "Image: r.test/hello@sha256:1, on a node of linux/arm64." in found.paragraph()
    assert found.cause == causes.ARCHITECTURE


def test_a_diagnosis_without_rights_to_nodes_events_and_logs_still_tells_the_reason(fake, cluster):
    made = fake.pod("p", statuses=[ended(137, "OOMKilled", restarts=2)], ready=False, limits="512Mi")
    for call in ("list events", "log ", "get nodes"):
        fake.refuse(call)
    found = diagnosed(cluster, pod_of(made)).paragraph()
    assert "Its log could not be read: The cluster does not allow this identity to read the log" in found
    assert "dagster ended with 137 (3 times)" in found
    assert "Memory limit: 512Mi." in found
    assert "Likely cause: The container took more memory than its limit." in found


def test_the_log_of_the_try_before_is_shown_and_redacted(fake, cluster):
    status = waiting("CrashLoopBackOff", restarts=2, last={"exitCode": 1, "reason": "Error"})
    made = fake.pod("p", statuses=[status], ready=False)
    said = ("starting", "password=hunter2hunter2hunter2")
    fake.logs["p", "dagster", True] = "\n".join(f"2026-11-21T12:00:01Z {line}" for line in said)
    lines = diagnosed(cluster, pod_of(made)).lines
    assert lines == ["starting", "password=[redacted]"]


@pytest.mark.parametrize("given", [{}, {"status": None}, {"metadata": None, "spec": None, "status": {}},
                                   {"status": {"containerStatuses": [{}], "conditions": [{}]}}])  # fmt: skip
def test_what_the_api_leaves_out_is_no_fault(given):
    pod = pod_of(given)
    assert faults.likely_cause(pod) in {causes.UNKNOWN, causes.BEGINNING}
