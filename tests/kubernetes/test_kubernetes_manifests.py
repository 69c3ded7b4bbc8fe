"""What the program asks for is taken by a real API server, field by field, and what the agent may do there is its rules
and nothing more. Pulumi's plugin is not in it: objects are applied as the plugin does it, on the server's side."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import kubernetes
import pytest
from kubernetes.client import ApiException

from agent.kubernetes_rules import AGENT_RULES
from tests.kubernetes.lab import KubernetesLab
from tests.unit.infra.recording import Made
from tests.unit.stacks import test_kubernetes_program as program

pytestmark = [pytest.mark.containers, pytest.mark.slow, pytest.mark.timeout(900)]

EVERYTHING: dict[str, Any] = {
    "agent": {
        "replicas": 3,
        "stepPods": True,
        "place": {
            "nodeSelector": {"pool": "agents"},
            "tolerations": [{"key": "agents", "operator": "Exists", "effect": "NoSchedule"}],
            "affinity": {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}},
            "schedulerName": "default-scheduler",
        },
        "annotations": {"cluster-autoscaler.kubernetes.io/safe-to-evict": "false"},
        "proxy": {"url": "http://proxy.internal:3128"},
        "imagePullSecrets": ["mirror"],
        "resources": {"requests": {"cpu": "250m"}, "limits": {"memory": "1Gi"}},
        "environment": {"STAGE": "prod"},
    }
}
PLACE = {
    "labels": {"team": "data"},
    "locationNamespaces": ["finance"],
    "locationAccounts": {"hello": {"annotations": {"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/x"}}},
    "namespace": {"podSecurity": "restricted"},
}


class Applied:
    """The objects of a program in a cluster, each by its kind and name."""

    def __init__(self, lab: KubernetesLab) -> None:
        self._client = kubernetes.dynamic.DynamicClient(lab.client())
        self._raw = lab.client()

    def put(self, made: Made) -> Mapping[str, Any]:
        body = manifest_of(made)
        resource = self._client.resources.get(api_version=body["apiVersion"], kind=body["kind"])
        path = resource.path(name=body["metadata"]["name"], namespace=body["metadata"].get("namespace"))
        said, _, _ = self._raw.call_api(
            path,
            "PATCH",
            query_params=[("fieldManager", "hybrid-test"), ("fieldValidation", "Strict")],
            header_params={"Content-Type": "application/apply-patch+yaml", "Accept": "application/json"},
            body=body,
            auth_settings=["BearerToken"],
            response_types_map={200: "object", 201: "object"},
        )
        return said


def manifest_of(made: Made) -> dict[str, Any]:
    group, _, kind = made.token.removeprefix("kubernetes:").rpartition(":")
    contents = {key: value for key, value in made.inputs.items() if key not in {"apiVersion", "kind"}}
    body = {"apiVersion": group.removeprefix("core/"), "kind": kind, **contents}
    if kind == "Deployment":
        body = json.loads(json.dumps(body))
        body["spec"]["replicas"] = 0  # whether it runs is for the whole stack's tests
    return body


def asked_for(**said: Any) -> list[Made]:
    record = program.record(PLACE if said else None, **said)
    return [made for made in record.resources if made.token.startswith("kubernetes:")]


@pytest.fixture(scope="module")
def stood(kubernetes_lab: KubernetesLab) -> Iterator[Applied]:
    applied = Applied(kubernetes_lab)
    with kubernetes_lab.namespace("finance"):
        for made in asked_for(**EVERYTHING):
            applied.put(made)
        yield applied
        core = kubernetes_lab.core()
        core.delete_namespace("hybrid-prod")
        kubernetes_lab.until(lambda: not kubernetes_lab.exists("hybrid-prod"), seconds=120, what="it is gone")


def test_a_second_update_with_nothing_new_changes_nothing(stood: Applied) -> None:
    for made in asked_for(**EVERYTHING):
        before, after = (stood.put(made)["metadata"]["resourceVersion"] for _ in range(2))
        assert before == after, f"{made.name} would be changed by every update"


def test_the_usual_settings_are_taken_too(stood: Applied) -> None:
    for made in asked_for():
        stood.put(made)


def test_a_field_that_is_not_kubernetes_own_is_refused(stood: Applied) -> None:
    (made,) = [made for made in asked_for() if made.token == program.BUDGET]
    wrong = {**made.inputs, "spec": {**made.inputs["spec"], "maxUnavailabel": 1}}
    with pytest.raises(ApiException, match="maxUnavailabel"):
        stood.put(Made(**{**vars(made), "inputs": wrong}))


def test_the_agents_pod_is_taken_by_the_strictest_standard(stood: Applied, kubernetes_lab: KubernetesLab) -> None:
    for made in asked_for(**EVERYTHING):
        stood.put(made)  # whatever the tests before have put there
    deployment = kubernetes_lab.apps().read_namespaced_deployment("hybrid-prod-agent", "hybrid-prod")
    pod = {"metadata": {"name": "tried"}, "spec": kubernetes_lab.client().sanitize_for_serialization(deployment)}
    pod["spec"] = pod["spec"]["spec"]["template"]["spec"]
    core = kubernetes_lab.core()
    core.create_namespaced_pod("hybrid-prod", pod, dry_run="All")
    pod["spec"]["securityContext"].pop("runAsNonRoot")
    with pytest.raises(ApiException, match="runAsNonRoot"):
        core.create_namespaced_pod("hybrid-prod", pod, dry_run="All")


@pytest.mark.parametrize("namespace", ["hybrid-prod", "finance"])
def test_the_agent_may_do_what_its_rules_say_and_nothing_else(
    stood: Applied, kubernetes_lab: KubernetesLab, namespace: str
) -> None:
    may = Rights(kubernetes_lab, "hybrid-prod", "hybrid-prod-agent", namespace)
    for rule in AGENT_RULES:
        for resource in rule.resources:
            for verb in rule.verbs:
                assert may(verb, resource, rule.group), f"{verb} {resource}: {rule.why}"
    for verb, resource, group in FORBIDDEN:
        assert not may(verb, resource, group), f"the agent has no need to {verb} {resource}"
    assert not Rights(kubernetes_lab, "hybrid-prod", "hybrid-prod-agent", "default")("list", "pods", "")


def test_code_may_start_pods_where_it_is_wanted_and_reads_no_secret(
    stood: Applied, kubernetes_lab: KubernetesLab
) -> None:
    may = Rights(kubernetes_lab, "hybrid-prod", "hybrid-prod-code", "hybrid-prod")
    assert may("create", "jobs", "batch")
    assert not may("get", "secrets", "")
    assert not may("create", "deployments", "apps")


FORBIDDEN = [
    ("get", "secrets", ""),
    ("list", "secrets", ""),
    ("create", "pods", ""),
    ("create", "pods/exec", ""),
    ("watch", "pods", ""),
    ("patch", "deployments", "apps"),
    ("update", "roles", "rbac.authorization.k8s.io"),
    ("create", "rolebindings", "rbac.authorization.k8s.io"),
    ("create", "serviceaccounts/token", ""),
    ("get", "configmaps", ""),
]


class Rights:
    """Whether a service account may do something in a namespace, by the cluster's own answer."""

    def __init__(self, lab: KubernetesLab, home: str, account: str, namespace: str) -> None:
        self._api = kubernetes.client.AuthorizationV1Api(lab.client(lab.kubeconfig_of(home, account)))
        self._namespace = namespace

    def __call__(self, verb: str, resource: str, group: str) -> bool:
        main, _, part = resource.partition("/")
        about = {"namespace": self._namespace, "verb": verb, "group": group, "resource": main, "subresource": part}
        review = {"spec": {"resourceAttributes": about}}
        return bool(self._api.create_self_subject_access_review(review).status.allowed)
