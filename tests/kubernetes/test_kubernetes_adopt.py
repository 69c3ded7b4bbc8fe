"""`hybrid adopt` against a real API server, which gives back more than it was given: defaults, fields it manages. The
objects are written here after the manner of Dagster's Helm chart; the chart's own were not to be had on this machine.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, Final

import kubernetes
import pytest
import yaml

from hybrid.adopt.in_cluster import InCluster
from hybrid.errors import UsageError
from hybrid.plus import Endpoint
from stacks.settings import parse
from tests.kubernetes.paper_cluster import PaperCluster

pytestmark = [pytest.mark.contracts, pytest.mark.slow, pytest.mark.timeout(300)]

HOME: Final = "dagster-cloud"
NAME: Final = "user-cloud-dagster-cloud-agent"
PLANTED: Final = "swordfish-of-a-test"
RELEASE: Final = {"meta.helm.sh/release-name": "user-cloud", "meta.helm.sh/release-namespace": HOME}
LABELS: Final = {"app.kubernetes.io/name": "dagster-cloud-agent", "app.kubernetes.io/managed-by": "Helm"}
ROLE: Final = {"eks.amazonaws.com/role-arn": "arn:aws:iam::123456789012:role/dagster"}
SETTINGS: Final = {
    "instance_class": {"module": "dagster_cloud.instance", "class": "DagsterCloudAgentInstance"},
    "dagster_cloud_api": {
        "agent_token": {"env": "DAGSTER_CLOUD_AGENT_TOKEN"}, "deployments": ["prod"], "branch_deployments": True,
    },
    "user_code_launcher": {
        "module": "dagster_cloud.workspace.kubernetes",
        "class": "K8sUserCodeLauncher",
        "config": {
            "dagster_home": "/opt/dagster/dagster_home", "instance_config_map": f"{NAME}-instance", "namespace": HOME,
            "service_account_name": NAME, "env_secrets": ["warehouse"], "image_pull_secrets": [],
            "volumes": [], "volume_mounts": [], "labels": {}, "server_process_startup_timeout": 180,
        },
    },
}  # fmt: skip


def chart() -> list[dict[str, Any]]:
    about = {"namespace": HOME, "labels": LABELS, "annotations": RELEASE}
    token = {"secretKeyRef": {"name": "dagster-cloud-agent-token", "key": "DAGSTER_CLOUD_AGENT_TOKEN"}}
    container = {
        "name": "dagster-cloud-agent", "image": "docker.io/dagster/dagster-cloud-agent:1.12.0",
        "imagePullPolicy": "Always", "args": ["dagster-cloud", "agent", "run", "/opt/dagster/dagster_home"],
        "env": [{"name": "DAGSTER_CLOUD_AGENT_TOKEN", "valueFrom": token}],
        "volumeMounts": [{"name": "instance", "mountPath": "/opt/dagster/dagster_home/dagster.yaml",
                          "subPath": "dagster.yaml"}],
    }  # fmt: skip
    pod = {
        "serviceAccountName": NAME, "securityContext": {}, "containers": [container],
        "volumes": [{"name": "instance", "configMap": {"name": f"{NAME}-instance"}}],
    }  # fmt: skip
    template = {"metadata": {"labels": LABELS}, "spec": pod}
    secret = {"name": "dagster-cloud-agent-token", "namespace": HOME}
    return [
        {"apiVersion": "v1", "kind": "Secret", "metadata": secret,
         "stringData": {"DAGSTER_CLOUD_AGENT_TOKEN": PLANTED}},
        {"apiVersion": "v1", "kind": "ServiceAccount",
         "metadata": {**about, "name": NAME, "annotations": {**RELEASE, **ROLE}}},
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {**about, "name": f"{NAME}-instance"},
         "data": {"dagster.yaml": yaml.safe_dump(SETTINGS)}},
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {**about, "name": NAME},
         "spec": {"replicas": 1, "strategy": {"type": "Recreate"}, "selector": {"matchLabels": LABELS},
                  "template": template}},
    ]  # fmt: skip


@pytest.fixture(scope="module")
def reader(paper_cluster: PaperCluster) -> InCluster:
    """The chart is there; who adopts may read no Secret."""
    paper_cluster.core().create_namespace({"metadata": {"name": HOME}})
    about = {"name": "reader", "namespace": HOME}
    rules = [{"apiGroups": ["", "apps"], "resources": ["deployments", "configmaps", "serviceaccounts", "pods"],
              "verbs": ["get", "list"]}]  # fmt: skip
    rbac = "rbac.authorization.k8s.io"
    paper_cluster.apply(
        *chart(),
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": about},
        {"apiVersion": f"{rbac}/v1", "kind": "ClusterRole", "metadata": {"name": "reader"}, "rules": rules},
        {"apiVersion": f"{rbac}/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "reader"},
         "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": "reader"},
         "subjects": [{"kind": "ServiceAccount", **about}]},
    )  # fmt: skip
    kubeconfig = paper_cluster.kubeconfig_of(HOME, "reader")
    apps = kubernetes.client.AppsV1Api(paper_cluster.client(kubeconfig))

    def may() -> bool:
        try:
            return bool(apps.list_deployment_for_all_namespaces().items)
        except kubernetes.client.ApiException:
            return False

    paper_cluster.until(may, seconds=30, what="the API server has read the role")
    return InCluster(paper_cluster.context, str(kubeconfig))


@pytest.fixture(scope="module")
def organization() -> Any:
    """As much as a place asks of it: which agents Dagster+ hears of."""
    return SimpleNamespace(running=[])


def test_an_agent_of_the_chart_becomes_settings_that_a_stack_takes(
    reader: InCluster, paper_cluster: PaperCluster, organization: Any
) -> None:
    found = reader.find(Endpoint.of("acme", "prod"), organization)

    values = {"organization": "acme", "agent": found.said.agent, **found.cloud, "registry": {"address": "r.test/acme"}}
    settings = parse(values, stack="prod", source="x")
    agent: Any = settings.agent
    assert settings.kubernetes is not None
    assert (settings.kubernetes.namespace.name, settings.kubernetes.namespace.adopt) == (HOME, True)
    assert settings.kubernetes.code_account.annotations == ROLE, "the role in the cloud, without Helm's own notes"
    assert (agent.branch_deployments, agent.env_secrets, agent.replicas) == (True, ("warehouse",), 1)
    assert "place" not in found.said.agent, "what the API server adds of its own is no setting"
    assert any("`helm uninstall user-cloud -n dagster-cloud`" in remark.text for remark in found.remarks)


def test_adopting_reads_and_no_secret_is_read(
    reader: InCluster, paper_cluster: PaperCluster, organization: Any
) -> None:
    before = len(paper_cluster.calls())

    found = reader.find(Endpoint.of("acme", "prod"), organization)

    calls = [call for call in paper_cluster.calls()[before:] if call.user == f"system:serviceaccount:{HOME}:reader"]
    assert {call.verb for call in calls} == {"get", "list"}
    assert not [call for call in calls if not call.allowed or call.resource == "secrets"]
    assert PLANTED not in repr(found)


def test_a_namespace_without_an_agent_says_so(reader: InCluster, organization: Any) -> None:
    elsewhere = InCluster(reader.context, reader.kubeconfig, namespace="default")

    with pytest.raises(UsageError, match="No Deployment of the namespace 'default' looks like an agent"):
        elsewhere.find(Endpoint.of("acme", "prod"), organization)
