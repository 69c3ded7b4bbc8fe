"""The door to a cluster, and the resources that stand on it, against a real API server with its controllers and its
scheduler; the node is a double. What the unit tests take for a cluster's answers is seen here."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from hybrid.kubernetes import kinds, launching, rights
from hybrid.kubernetes.errors import KubernetesDenied, KubernetesWrongCluster
from hybrid.kubernetes.labels import state_config_map
from hybrid.kubernetes.logs import followed, lines_of
from hybrid.kubernetes.made import made_in
from hybrid.kubernetes.rollout import rollout_of
from hybrid.kubernetes.session import Cluster
from hybrid.kubernetes.workloads import NEVER, pod_of
from hybrid.provider import kubernetes_agent_state, kubernetes_drain
from hybrid.provider.kubernetes_agent_state import KubernetesAgentState
from hybrid.provider.kubernetes_drain import KubernetesDrain
from hybrid.provider.kubernetes_place import Doors
from hybrid.provider.resource import Call, PartialError
from tests.containers.stand import Containers
from tests.kubernetes.lab import KubernetesLab
from tests.kubernetes.small_pods import OBEDIENT, SmallPods

pytestmark = [pytest.mark.containers, pytest.mark.slow, pytest.mark.timeout(900)]

STACK = {"hybrid.dagster/stack": "hybrid-test"}
LAUNCHER = {"managed_by": "K8sUserCodeLauncher", "agent_id": "a1", "location_name": "hello", "location_hash": "h"}
READY_AFTER_A_FILE = "touch /tmp/ready; " + OBEDIENT
PROBE = {"exec": {"command": ["test", "-e", "/tmp/ready"]}, "periodSeconds": 1}


@dataclass
class Said:
    """A report that keeps what it is told."""

    lines: list[tuple[str, str]] = field(default_factory=list)

    def status(self, text: str) -> None:
        self.lines.append(("status", text))

    def info(self, text: str) -> None:
        self.lines.append(("info", text))

    def warning(self, text: str) -> None:
        self.lines.append(("warning", text))


@pytest.fixture
def call() -> Call:
    return Call(report=Said(), cancelled=threading.Event())


@pytest.fixture(scope="module")
def small(kubernetes_lab: KubernetesLab, containers: Containers) -> Iterator[SmallPods]:
    with kubernetes_lab.namespace("door") as namespace:
        kubernetes_lab.allow_pulls(namespace)
        yield SmallPods(kubernetes_lab, namespace, containers.python_image)


@pytest.fixture
def cluster(kubernetes_lab: KubernetesLab) -> Cluster:
    return Cluster(str(kubernetes_lab.kubeconfig), kubernetes_lab.context, kubernetes_lab.server)


def state(small: SmallPods, name: str, **more: Any) -> dict[str, Any]:
    place = {"kubeconfig": str(small.lab.kubeconfig), "context": small.lab.context}
    given = {**place, "namespace": small.namespace, "deployment": name, "timeoutSeconds": 120, **more}
    return dict(kubernetes_agent_state.DEFINITION.complete(given))


def failure(small: SmallPods, name: str, call: Call, **more: Any) -> PartialError:
    with pytest.raises(PartialError) as caught:
        KubernetesAgentState(Doors()).create(state(small, name, **more), call)
    small.apps.delete_namespaced_deployment(name, small.namespace)
    return caught.value


def labelled(small: SmallPods, labels: dict[str, str], template: dict[str, str]) -> dict[str, Any]:
    """A Deployment's metadata and Pods as the launcher makes a code server."""
    return {
        "metadata": {"labels": {**labels, **LAUNCHER}},
        "spec": {
            "selector": {"matchLabels": template},
            "template": {
                "metadata": {"labels": {**labels, **LAUNCHER, **template}},
                "spec": small.spec(OBEDIENT),
            },
        },
    }


def server(small: SmallPods, name: str, labels: dict[str, str]) -> None:
    """A code server as the launcher makes it: its ConfigMap without a label of the stack, Service, Deployment."""
    made = labelled(small, labels, {"user-deployment": name})
    made["metadata"]["name"] = name
    about = {"name": state_config_map(name), "labels": LAUNCHER | ({} if labels == STACK else {"agent_id": "a2"})}
    small.core.create_namespaced_config_map(small.namespace, {"metadata": about, "data": {"pin": ""}})
    small.apps.create_namespaced_deployment(small.namespace, made)
    small.core.create_namespaced_service(
        small.namespace,
        {
            "metadata": {"name": name, "labels": {**labels, **LAUNCHER}},
            "spec": {"selector": {"user-deployment": name}, "ports": [{"port": 4000}]},
        },
    )


def run(small: SmallPods, name: str, script: str, labels: dict[str, str]) -> None:
    about = {"labels": {**labels, "dagster/run-id": name, "dagster/job": "nightly"}}
    template = {"metadata": about, "spec": small.spec(script, restartPolicy="Never")}
    small.batch.create_namespaced_job(
        small.namespace, {"metadata": {"name": name, **about}, "spec": {"backoffLimit": 0, "template": template}}
    )


def test_version_and_address_are_the_clusters_and_another_address_is_refused(
    kubernetes_lab: KubernetesLab, cluster: Cluster
) -> None:
    assert cluster.check_version().major == 1
    with pytest.raises(KubernetesWrongCluster):
        Cluster(str(kubernetes_lab.kubeconfig), None, "https://elsewhere.test:6443").version()


def test_of_a_secret_the_api_server_gives_us_no_contents(small: SmallPods, cluster: Cluster) -> None:
    small.core.create_namespaced_secret(
        small.namespace, {"metadata": {"name": "db", "labels": STACK}, "stringData": {"password": "swordfish"}}
    )
    found = cluster.find(kinds.SECRET, small.namespace, "db")
    listed = cluster.listed(kinds.SECRET, small.namespace, "hybrid.dagster/stack=hybrid-test")
    assert found is not None
    assert [each for each in (found, *listed) if "data" in each] == [], "metadata alone"
    assert launching.name_findings(cluster, small.namespace, kinds.SECRET, ["db"]) == []
    assert "does not exist" in launching.name_findings(cluster, small.namespace, kinds.SECRET, ["no"])[0].what
    assert launching.namespace_findings(cluster, small.namespace) == []
    assert launching.architectures_of(cluster, {"disk": "of-nobody"}) is None


def test_rights_are_told_by_the_real_authorizer(small: SmallPods, cluster: Cluster) -> None:
    wanted = rights.rights_of_stack([small.namespace], makes_namespace=True)
    assert rights.missing_rights(cluster, wanted) == [], "the administrator may do all"

    namespace = small.namespace
    some = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "delete"]},
            {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["list"]}]  # fmt: skip
    small.lab.apply(
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "half", "namespace": namespace}},
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "rules": some,
         "metadata": {"name": "half", "namespace": namespace}},
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
         "metadata": {"name": "half", "namespace": namespace},
         "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "half"},
         "subjects": [{"kind": "ServiceAccount", "name": "half", "namespace": namespace}]},
    )  # fmt: skip
    half = Cluster(str(small.lab.kubeconfig_of(namespace, "half")))
    missing = {right.resource: right.verbs for right in rights.missing_rights(half, wanted)}
    assert "pods" not in missing
    assert set(missing["deployments"]) >= {"delete"}
    assert "namespaces" in missing
    with pytest.raises(KubernetesDenied, match="does not allow this identity to list the services of door") as caught:
        half.listed(kinds.SERVICE, namespace)
    assert 'cannot list resource "services"' in (caught.value.why or "")


def test_an_agent_that_is_ready_is_steady_and_a_restart_is_another_instance(small: SmallPods, call: Call) -> None:
    resource, inputs = KubernetesAgentState(Doors()), state(small, "agent")
    small.deploy("agent", READY_AFTER_A_FILE, container={"readinessProbe": PROBE})
    made = resource.create(inputs, call)
    assert made.outputs["steady"] is True
    assert made.outputs["startedAt"]
    assert resource.read(made.id, inputs, made.outputs, call) is not None

    change = {"spec": {"template": {"metadata": {"annotations": {"hybrid.dagster/generation": "2"}}}}}
    small.apps.patch_namespaced_deployment("agent", small.namespace, change)
    again = resource.update(made.id, made.outputs, inputs | {"triggers": {"generation": 2}}, call)
    assert again.outputs["instance"] != made.outputs["instance"]
    assert again.outputs["startedAt"] >= made.outputs["startedAt"]
    small.apps.delete_namespaced_deployment("agent", small.namespace)


def test_a_pod_that_no_node_has_room_for_is_told_with_what_lacks(small: SmallPods, call: Call) -> None:
    small.deploy("greedy", OBEDIENT, container={"resources": {"requests": {"memory": "9000Gi"}}})
    error = failure(small, "greedy", call, timeoutSeconds=20)
    assert "Insufficient memory" in (error.why or ""), "the real scheduler's words"
    assert "No node has room" in (error.why or "")


def test_a_quota_and_a_missing_account_are_told_in_the_admissions_words(small: SmallPods, call: Call) -> None:
    small.deploy("homeless", OBEDIENT, serviceAccountName="nobody")
    error = failure(small, "homeless", call)
    assert "The pod's service account is not there." in error.what
    assert 'serviceaccount "nobody" not found' in (error.why or "")

    quota = {"metadata": {"name": "small"}, "spec": {"hard": {"requests.memory": "1Mi"}}}
    small.core.create_namespaced_resource_quota(small.namespace, quota)
    small.deploy("excess", OBEDIENT, container={"resources": {"requests": {"memory": "64Mi"}}})
    error = failure(small, "excess", call)
    small.core.delete_namespaced_resource_quota("small", small.namespace)
    assert "A quota of the namespace is used up" in error.what
    assert "exceeded quota: small" in (error.why or "")


def test_an_image_that_is_not_there_is_told_and_what_is_mended_is_tried_at_once(small: SmallPods, call: Call) -> None:
    resource, inputs = KubernetesAgentState(Doors()), state(small, "late")
    missing = f"{small.image.rpartition('/')[0]}/never-pushed:1"
    small.deploy("late", OBEDIENT, container={"image": missing})
    with pytest.raises(PartialError) as caught:
        resource.create(inputs, call)
    assert missing in (caught.value.why or "")
    assert "Likely cause:" in (caught.value.why or "")

    container = {"name": "main", "image": small.image}
    patch = {"spec": {"template": {"spec": {"containers": [container]}}}}
    small.apps.patch_namespaced_deployment("late", small.namespace, patch)
    assert resource.update("late", caught.value.outputs, inputs, call).outputs["steady"] is True
    small.apps.delete_namespaced_deployment("late", small.namespace)


def test_a_program_that_ends_again_and_again_is_told_with_its_log(
    small: SmallPods, cluster: Cluster, call: Call
) -> None:
    small.deploy("falls", "echo it is the weather; exit 3")
    error = failure(small, "falls", call)
    assert "main ended with 3" in (error.why or "")
    assert "it is the weather" in (error.why or "")


def test_a_log_is_followed_while_it_is_written(small: SmallPods, cluster: Cluster) -> None:
    small.make("speaks", "for n in 1 2 3; do echo line $n; sleep 0.5; done; " + OBEDIENT)
    small.until_phase("speaks", "Running")

    def pods() -> list[Any]:
        found = cluster.find(kinds.POD, small.namespace, "speaks")
        return [pod_of(found)] if found is not None else []

    pause = threading.Event()
    lines = followed(cluster, pods, NEVER, pause.wait, seconds=0.2)
    assert [next(lines).message for _ in range(3)] == ["line 1", "line 2", "line 3"]
    assert lines_of(cluster, pods()[0], 2) == ["line 2", "line 3"]
    small.core.delete_namespaced_pod("speaks", small.namespace)


def test_the_drain_removes_what_a_launcher_made_for_the_stack_and_nothing_else(
    small: SmallPods, cluster: Cluster, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kubernetes_drain, "_POLL", 0.2)
    other = {"hybrid.dagster/stack": "hybrid-other"}
    server(small, "hello-1", STACK)
    server(small, "theirs-1", other)
    run(small, "over", "true", STACK)
    run(small, "busy", OBEDIENT, STACK)
    run(small, "their-run", OBEDIENT, other)
    small.until_available("hello-1")
    small.until_available("theirs-1")
    small.lab.until(lambda: small.batch.read_namespaced_job("over", small.namespace).status.succeeded, seconds=60,
                    what="a run is over")  # fmt: skip
    place = {"kubeconfig": str(small.lab.kubeconfig), "context": small.lab.context}
    given = {**place, "namespaces": [small.namespace], "agent": "agent", "stack": "hybrid-test", "runs": "terminate",
             "ownsNamespace": False, "timeoutSeconds": 120}  # fmt: skip
    inputs = kubernetes_drain.DEFINITION.complete(given)

    KubernetesDrain(Doors()).delete("id", inputs, {}, call)

    found = made_in(cluster, [small.namespace], "agent", "hybrid-test")
    assert (found.servers, found.services, found.jobs) == ([], [], [])
    assert (found.server_pods, found.run_pods) == ([], []), "the real garbage collector has taken the pods"
    assert [one.name for one in found.state_maps] == [state_config_map("theirs-1")]
    theirs = made_in(cluster, [small.namespace], "agent", "hybrid-other")
    assert [one.name for one in theirs.servers] == ["theirs-1"]
    assert [job.name for job in theirs.runs] == ["their-run"]
    seen = rollout_of(cluster, small.namespace, "theirs-1")
    assert seen is not None
    assert seen.is_steady, "another stack's code server has not noticed"

    assert isinstance(call.report, Said)
    assert [text for kind, text in call.report.lines if kind == "info"] == [
        "removed what the agent had left: 1 service, 1 code server, 1 config map, 1 finished run, 1 run"
    ]
    KubernetesDrain(Doors()).delete("id", inputs, {}, call)
    assert len([text for kind, text in call.report.lines if kind == "info"]) == 1, "a second time there is nothing"
    for name in ("theirs-1",):
        small.apps.delete_namespaced_deployment(name, small.namespace)
    small.batch.delete_namespaced_job("their-run", small.namespace, propagation_policy="Background")
