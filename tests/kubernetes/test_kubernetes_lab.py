"""The lab itself, with small Pods: a real cluster but for its node, which does what a kubelet does, as far as the agent
and the stack notice."""

from __future__ import annotations

import time
from collections.abc import Iterator

import kubernetes
import pytest
from kubernetes.client import ApiException

from tests.containers.stand import Containers
from tests.kubernetes.lab import KubernetesLab
from tests.kubernetes.small_pods import OBEDIENT, STUBBORN, SmallPods

pytestmark = [pytest.mark.containers, pytest.mark.slow, pytest.mark.timeout(900)]

SERVE_A_PAGE = "cd /etc && exec python3 -m http.server 8000"
FETCH = """
for i in $(seq 100); do
    python3 -c 'import urllib.request; urllib.request.urlopen("http://{}:8000/", timeout=2)' && exit 0; sleep 0.1
done; exit 1"""
ASK_THE_API = """
import json, os, ssl, urllib.request
place = "/var/run/secrets/kubernetes.io/serviceaccount"
token = open(f"{place}/token").read()
namespace = open(f"{place}/namespace").read()
url = "https://%s:%s/api/v1/namespaces/%s/pods" % (
    os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"], namespace)
asked = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
opener = urllib.request.build_opener(
    urllib.request.ProxyHandler({}),
    urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=f"{place}/ca.crt")))
try:
    print([one["metadata"]["name"] for one in json.load(opener.open(asked))["items"]])
except urllib.error.HTTPError as error:
    print(error.code, json.load(error)["message"])
"""


@pytest.fixture(scope="module")
def small(kubernetes_lab: KubernetesLab, containers: Containers) -> Iterator[SmallPods]:
    with kubernetes_lab.namespace("small") as namespace:
        kubernetes_lab.allow_pulls(namespace)
        yield SmallPods(kubernetes_lab, namespace, containers.python_image)
    kubernetes_lab.until(
        lambda: not kubernetes_lab.containers(), seconds=60, what="a namespace takes its Pods' containers with it"
    )


def test_a_job_runs_to_its_end_in_a_container(small: SmallPods) -> None:
    small.job("greet", "echo hello; sleep 0.5")

    done = small.lab.until(
        lambda: (job := small.batch.read_namespaced_job("greet", small.namespace)).status.succeeded and job,
        seconds=60,
        what="the job is complete",
    )

    assert [one.type for one in done.status.conditions if one.status == "True"] == ["SuccessCriteriaMet", "Complete"]
    (pod,) = small.pods("job-name=greet")
    assert pod.status.container_statuses[0].state.terminated.reason == "Completed"
    assert small.log(pod.metadata.name) == "hello\n", "its log comes from the kubelet's port, by the API server"


def test_a_job_whose_container_fails_is_failed_and_says_so(small: SmallPods) -> None:
    small.job("fall", "exit 3")

    failed = small.lab.until(
        lambda: (job := small.batch.read_namespaced_job("fall", small.namespace)).status.failed and job,
        seconds=60,
        what="the job has failed",
    )

    (pod,) = small.pods("job-name=fall")
    assert (failed.status.failed, pod.status.phase) == (1, "Failed")
    assert pod.status.container_statuses[0].state.terminated.exit_code == 3


def test_a_deployment_is_reached_by_its_services_name_from_another_pod(small: SmallPods) -> None:
    small.serve("page", 8000)
    small.deploy("page", SERVE_A_PAGE)
    small.until_available("page")

    ends = [small.run(f"fetch-{n}", FETCH.format(name)) for n, name in enumerate(["page", f"page.{small.namespace}"])]

    assert [end.status.phase for end in ends] == ["Succeeded"] * 2, "short, and as the agent writes it"


def test_a_new_template_replaces_the_pods_and_a_deleted_deployment_takes_them_with_it(small: SmallPods) -> None:
    small.deploy("rolling", OBEDIENT)
    small.until_available("rolling")
    (before,) = small.pods("app=rolling")
    change = {"spec": {"template": {"metadata": {"annotations": {"version": "2"}}}}}
    small.apps.patch_namespaced_deployment("rolling", small.namespace, change)
    small.until_available("rolling")
    small.lab.until(lambda: small.gone(before.metadata.name), seconds=30, what="the former Pod is gone")
    (after,) = small.pods("app=rolling")
    assert small.lab.containers_of(small.namespace, before.metadata.name) == [], "and its containers with it"

    small.apps.delete_namespaced_deployment("rolling", small.namespace)

    small.lab.until(lambda: small.gone(after.metadata.name), seconds=30, what="the garbage collector deletes the Pod")


def test_who_has_no_right_is_denied_and_the_audit_log_says_which_role_gives_one(small: SmallPods) -> None:
    denied = small.run("asks", f"python3 -c '{ASK_THE_API}'")
    assert denied.status.phase == "Succeeded"
    assert small.log("asks").startswith('403 pods is forbidden: User "system:serviceaccount:small:default"')

    rights = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}]
    small.lab.apply(
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "reader", "namespace": "small"}},
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "rules": rights,
         "metadata": {"name": "reads-pods", "namespace": "small"}},
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
         "metadata": {"name": "reader", "namespace": "small"},
         "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reads-pods"},
         "subjects": [{"kind": "ServiceAccount", "name": "reader", "namespace": "small"}]},
    )  # fmt: skip
    small.run("asks-again", f"python3 -c '{ASK_THE_API}'", serviceAccountName="reader")

    assert "asks-again" in small.log("asks-again")
    (call,) = small.lab.calls("system:serviceaccount:small:reader")
    assert (call.verb, call.resource, call.allowed, call.status) == ("list", "pods", True, 200)
    assert 'Role "reads-pods"' in call.reason


def test_a_kubeconfig_of_a_service_account_has_its_rights_only(small: SmallPods) -> None:
    restricted = small.lab.client(small.lab.kubeconfig_of(small.namespace, "default"))

    with pytest.raises(ApiException) as denied:
        kubernetes.client.CoreV1Api(restricted).list_namespaced_secret(small.namespace)

    assert denied.value.status == 403


def test_a_pods_environment_and_volumes_come_from_config_maps_and_secrets(small: SmallPods) -> None:
    small.core.create_namespaced_secret(
        small.namespace, {"metadata": {"name": "token"}, "stringData": {"TOKEN": "abc"}}
    )
    small.core.create_namespaced_config_map(
        small.namespace, {"metadata": {"name": "files"}, "data": {"a.yaml": "a: 1", "b.yaml": "b: 2"}}
    )
    env = [
        {"name": "ME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "GREETING", "value": "$(ME) $(TOKEN) $$(TOKEN) $(UNKNOWN)"},
    ]
    mounts = [
        {"name": "files", "mountPath": "/files"},
        {"name": "files", "mountPath": "/one/file", "subPath": "b.yaml"},
        {"name": "scratch", "mountPath": "/scratch"},
    ]
    script = 'echo "$GREETING"; ls /files; cat /one/file; echo; echo x > /scratch/x && cat /scratch/x'
    ended = small.run(
        "filled",
        script,
        container={"env": env, "envFrom": [{"secretRef": {"name": "token"}}], "volumeMounts": mounts},
        volumes=[{"name": "files", "configMap": {"name": "files"}}, {"name": "scratch", "emptyDir": {}}],
    )

    assert ended.status.phase == "Succeeded"
    assert small.log("filled").split("\n") == [
        "filled abc $(TOKEN) $(UNKNOWN)", "a.yaml", "b.yaml", "b: 2", "x", ""
    ]  # fmt: skip


def test_what_a_pod_needs_and_is_not_there_is_its_reason_and_it_starts_once_it_is(small: SmallPods) -> None:
    env_from = [{"secretRef": {"name": "later"}}]
    small.make("early", "echo $WORD", container={"envFrom": env_from})
    waits = small.until_waiting("early", "CreateContainerConfigError")
    assert waits.message == 'secret "later" not found'

    small.core.create_namespaced_secret(small.namespace, {"metadata": {"name": "later"}, "stringData": {"WORD": "now"}})

    small.until_phase("early", "Succeeded")
    assert small.log("early") == "now\n"
    assert "Failed" in small.reasons("early")


def test_an_image_that_cannot_be_had_is_told_by_its_reason(small: SmallPods, containers: Containers) -> None:
    small.make("no-image", "true", container={"image": f"{containers.registry}/nothing:1"})
    small.make("never", "true", container={"image": "nowhere/nothing:1", "imagePullPolicy": "Never"})

    assert "nothing" in small.until_waiting("no-image", "ErrImagePull", "ImagePullBackOff").message
    assert small.until_waiting("never", "ErrImageNeverPull")
    assert small.until_waiting("no-image", "ImagePullBackOff")


def test_a_registry_that_asks_for_a_login_takes_the_pods_own_pull_secret(small: SmallPods) -> None:
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "bare", "namespace": "small"}}
    small.lab.apply(account)
    again = {"container": {"imagePullPolicy": "Always"}, "serviceAccountName": "bare"}
    small.make("without", "true", **again)
    assert "auth" in small.until_waiting("without", "ErrImagePull", "ImagePullBackOff").message, (
        "this machine's own login is not the Pod's"
    )

    ended = small.run("with", "true", imagePullSecrets=[{"name": "registry"}], **again)

    assert ended.status.phase == "Succeeded"


def test_a_pod_that_asks_for_more_than_the_node_has_is_not_scheduled(small: SmallPods) -> None:
    small.make("huge", "true", container={"resources": {"requests": {"memory": "400Gi"}}})

    def told() -> str | None:
        conditions = {one.type: one for one in small.pod("huge").status.conditions or []}
        found = conditions.get("PodScheduled")
        return found.message if found is not None and found.reason == "Unschedulable" else None

    assert "Insufficient memory" in small.lab.until(told, seconds=30, what="the scheduler says why")
    small.core.delete_namespaced_pod("huge", small.namespace)


def test_a_container_that_takes_more_memory_than_its_limit_is_killed(small: SmallPods) -> None:
    limit = {"limits": {"memory": "64Mi"}, "requests": {"memory": "16Mi"}}
    ended = small.run("greedy", "exec python3 -c 'bytearray(400_000_000)'", container={"resources": limit})

    assert ended.status.container_statuses[0].state.terminated.reason == "OOMKilled"


def test_a_container_that_ends_is_started_again_with_growing_patience(small: SmallPods) -> None:
    small.deploy("crashing", "echo up; exit 1")

    waits = lambda: any(  # noqa: E731
        one.state.waiting and one.state.waiting.reason == "CrashLoopBackOff" and one.restart_count >= 1
        for pod in small.pods("app=crashing")
        for one in pod.status.container_statuses or []
    )
    small.lab.until(waits, seconds=60, what="the container is in a crash loop")
    (pod,) = small.pods("app=crashing")
    assert small.log(pod.metadata.name, previous=True) == "up\n", "the log of the one before is kept"
    small.apps.delete_namespaced_deployment("crashing", small.namespace)


def test_only_a_pod_whose_readiness_probe_succeeds_is_ready(small: SmallPods) -> None:
    probe = {"exec": {"command": ["cat", "/tmp/ready"]}, "periodSeconds": 1}
    small.deploy("slow", f"sleep 3; touch /tmp/ready; {OBEDIENT}", container={"readinessProbe": probe})
    small.lab.until(
        lambda: [pod.status.phase for pod in small.pods("app=slow")] == ["Running"], seconds=30, what="it runs"
    )
    (pod,) = small.pods("app=slow")
    assert not pod.status.container_statuses[0].ready, "it runs, and is not ready yet"

    small.until_available("slow")
    small.apps.delete_namespaced_deployment("slow", small.namespace)


def test_a_container_whose_liveness_probe_fails_is_started_again(small: SmallPods) -> None:
    probe = {"exec": {"command": ["test", "!", "-e", "/tmp/dead"]}, "periodSeconds": 1, "failureThreshold": 2}
    small.deploy("dying", f"(sleep 2; touch /tmp/dead) & {OBEDIENT}", container={"livenessProbe": probe}, grace=1)

    restarted = lambda: any(  # noqa: E731
        one.restart_count for pod in small.pods("app=dying") for one in pod.status.container_statuses or []
    )
    small.lab.until(restarted, seconds=60, what="it was started again")
    (pod,) = small.pods("app=dying")
    assert "Killing" in small.reasons(pod.metadata.name)
    small.apps.delete_namespaced_deployment("dying", small.namespace)


def test_a_deleted_pod_has_its_grace_and_no_more(small: SmallPods) -> None:
    small.make("obedient", OBEDIENT, grace=20)
    small.make("stubborn", STUBBORN, grace=3)
    for name in ("obedient", "stubborn"):
        small.until_phase(name, "Running")

    began = time.monotonic()
    for name in ("obedient", "stubborn"):
        small.core.delete_namespaced_pod(name, small.namespace)
    small.lab.until(lambda: small.gone("obedient"), seconds=15, what="one that obeys ends at once")
    small.lab.until(lambda: small.gone("stubborn"), seconds=30, what="one that does not is killed")

    assert time.monotonic() - began >= 3, "after its grace"
    ends = {event["pod"]: event["exits"] for event in small.lab.events if event["what"] == "pod ended"}
    assert (ends["obedient"], ends["stubborn"]) == ({"main": 0}, {"main": 137})


def test_a_pods_security_context_holds(small: SmallPods, containers: Containers) -> None:
    strict = {
        "runAsUser": 1234, "runAsGroup": 1234, "readOnlyRootFilesystem": True, "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }  # fmt: skip
    small.run("strict", "id -u; touch /x 2>/dev/null || echo read-only", container={"securityContext": strict})
    assert small.log("strict").splitlines()[0] == "1234"
    assert small.log("strict").splitlines()[-1] == "read-only"

    small.make("as-root", "true", container={"securityContext": {"runAsNonRoot": True}})
    assert "runAsNonRoot" in small.until_waiting("as-root", "CreateContainerConfigError").message


def test_containers_of_a_pod_share_network_and_volumes_after_its_init_containers(small: SmallPods) -> None:
    mounts = [{"name": "shared", "mountPath": "/shared"}]
    first = {"name": "first", "image": small.image, "command": ["sh", "-c", "echo first > /shared/line"],
             "volumeMounts": mounts}  # fmt: skip
    page = {"name": "page", "image": small.image, "command": ["sh", "-c", f"timeout 20 sh -c '{SERVE_A_PAGE}'"]}
    spec = small.spec(f"cat /shared/line; {FETCH.format('localhost')}", container={"volumeMounts": mounts},
                      restartPolicy="Never", volumes=[{"name": "shared", "emptyDir": {}}])  # fmt: skip
    spec["containers"].append(page)
    small.core.create_namespaced_pod(
        small.namespace, {"metadata": {"name": "together"}, "spec": {**spec, "initContainers": [first]}}
    )

    def code() -> int | None:
        states = {one.name: one.state.terminated for one in small.pod("together").status.container_statuses or []}
        return None if states.get("main") is None else int(states["main"].exit_code) + 1

    assert small.lab.until(code, seconds=60, what="the container has ended") == 1
    assert small.log("together", container="main").startswith("first\n")
    small.core.delete_namespaced_pod("together", small.namespace, grace_period_seconds=0)
