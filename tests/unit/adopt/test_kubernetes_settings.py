"""An agent of Dagster's Helm chart read into a stack file: what is kept, what changes, what is dangerous. The objects
are written here after the chart's manner; a chart's own were not to be had."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from hybrid.adopt.kubernetes_settings import FoundInCluster, kubernetes_settings
from hybrid.errors import UsageError
from hybrid.plus import Endpoint
from stacks.settings import parse

pytestmark = pytest.mark.unit

ENDPOINT = Endpoint.of("acme", "prod")
PLANTED = "swordfish-of-a-test"
CONFIG: dict[str, Any] = {
    "dagster_home": "/opt/dagster/dagster_home",
    "instance_config_map": "agent-dagster-cloud-agent-instance",
    "namespace": "dagster-cloud",
    "service_account_name": "agent-dagster-cloud-agent",
    "env_secrets": ["dagster-cloud-agent-token", "warehouse"],
    "env_vars": ["STAGE=prod", "REGION", "DAGSTER_CLOUD_AGENT_TOKEN"],
    "labels": {"team": "data", "app.kubernetes.io/name": "x"},
    "resources": {"limits": {"memory": "2Gi"}, "requests": {}},
    "deployment_startup_timeout": 900,
    "server_ttl": {"branch_deployments": {"ttl_seconds": 300}},
    "run_k8s_config": {"pod_spec_config": {"node_selector": {"pool": "runs"}}},
    "only_allow_user_defined_k8s_config_fields": {"container_config": {"resources": True}},
    "image_pull_secrets": [{"name": "login"}],
}
ROLE = {"eks.amazonaws.com/role-arn": "arn:aws:iam::123456789012:role/dagster"}
ACCOUNT = {
    "metadata": {
        "name": "agent-dagster-cloud-agent",
        "annotations": {**ROLE, "meta.helm.sh/release-name": "agent"},
    }
}


def found(config: dict[str, Any] | None = None, **instance: Any) -> FoundInCluster:
    document = {
        "instance_class": {"module": "dagster_cloud.instance", "class": "DagsterCloudAgentInstance"},
        "dagster_cloud_api": {
            "agent_token": {"env": "DAGSTER_CLOUD_AGENT_TOKEN"},
            "deployments": ["prod"],
            "branch_deployments": True,
            "retries": 9,
        },
        "user_code_launcher": {
            "module": "dagster_cloud.workspace.kubernetes",
            "class": "K8sUserCodeLauncher",
            "config": {**CONFIG, **(config or {})},
        },
        "isolated_agents": {"enabled": True},
        **instance,
    }
    token = {"secretKeyRef": {"name": "dagster-cloud-agent-token", "key": "DAGSTER_CLOUD_AGENT_TOKEN"}}
    container = {
        "image": "docker.io/dagster/dagster-cloud-agent:1.12.0",
        "env": [
            {"name": "DAGSTER_CLOUD_AGENT_TOKEN", "valueFrom": token},
            {"name": "REGION", "value": "eu"},
        ],
        "resources": {"limits": {"memory": "1Gi"}},
    }
    pod = {
        "serviceAccountName": "agent-dagster-cloud-agent",
        "containers": [container],
        "nodeSelector": {"pool": "agents"},
        "schedulerName": "default-scheduler",
    }
    deployment = {"metadata": {"name": "agent"}, "spec": {"replicas": 2, "template": {"spec": pod}}}
    return FoundInCluster("prod-cluster", "dagster-cloud", deployment, yaml.safe_dump(document), [ACCOUNT])


def test_what_the_chart_was_told_is_said_as_settings_that_a_stack_takes() -> None:
    said = kubernetes_settings(found(), ENDPOINT)
    registry = {"address": "r.acme.example/data"}
    values = {"organization": "acme", "agent": said.agent, "kubernetes": said.kubernetes, "registry": registry}
    settings = parse(values, stack="prod", source="x")
    spec, place = settings.agent, settings.kubernetes
    assert (spec.branch_deployments, spec.api_retries, spec.replicas) == (True, 9, 2)
    assert spec.env_secrets == ("warehouse",), "the token's Secret is the stack's own from now on"
    assert spec.environment == {"STAGE": "prod", "REGION": "eu"}, "a name alone meant the agent's own value"
    assert spec.server_resources.limits == spec.run_resources.limits == {"memory": "2Gi"}
    assert spec.resources.limits == {"memory": "1Gi"}
    assert spec.pod_startup_timeout_seconds == 900
    assert spec.server_ttl.branch_deployments.ttl_seconds == 300
    assert spec.run_config.pod_spec_config == {"node_selector": {"pool": "runs"}}
    assert spec.only_allow.container_config == {"resources": True}
    assert spec.image_pull_secrets == ("login",)
    assert spec.place.node_selector == {"pool": "agents"}
    assert spec.place.scheduler_name is None, "the cluster's own needs no word"
    assert (place.context, place.namespace.name, place.namespace.adopt) == ("prod-cluster", "dagster-cloud", True)
    assert place.labels == {"team": "data"}


def test_code_that_had_the_agents_account_gets_one_of_its_own_with_the_same_role_of_the_cloud() -> None:
    said = kubernetes_settings(found(), ENDPOINT)
    assert said.kubernetes["codeAccount"] == {"annotations": ROLE}, "Helm's own notes are not copied"
    subjects = {remark.subject for remark in said.remarks if remark.kind == "changes"}
    assert {"account of code", "role in the cloud"} <= subjects, "the role's trust names the old account"
    own = kubernetes_settings(found({"service_account_name": "analytics"}), ENDPOINT)
    assert own.kubernetes["codeAccount"] == {"name": "analytics"}


def test_what_looks_like_a_secret_is_told_and_not_copied() -> None:
    planted = {
        "env_vars": [f"WAREHOUSE_PASSWORD={PLANTED}"],
        "server_k8s_config": {"container_config": {"env": [{"name": "API_SECRET", "value": PLANTED}]}},
    }
    logs = {"module": "m", "class": "C", "config": {"secret_key": PLANTED}}
    said = kubernetes_settings(found(planted, compute_logs=logs), ENDPOINT)
    assert PLANTED not in repr(said), "a stack file is committed"
    dangers = {remark.subject for remark in said.remarks if remark.kind == "danger"}
    assert {"env_vars: WAREHOUSE_PASSWORD", "server_k8s_config", "compute_logs"} <= dangers


def test_what_has_no_setting_is_named() -> None:
    said = kubernetes_settings(found({"kubeconfig_file": "/x"}, python_logs={"x": 1}), ENDPOINT)
    unsaid = {remark.subject for remark in said.remarks if remark.kind == "unsaid"}
    assert {"user_code_launcher.config.kubeconfig_file", "python_logs"} <= unsaid


def test_an_agent_of_another_kind_or_deployment_is_refused() -> None:
    other = {"user_code_launcher": {"module": "dagster_cloud.workspace.ecs", "class": "EcsUserCodeLauncher"}}
    with pytest.raises(UsageError, match="not on Kubernetes"):
        kubernetes_settings(found(**other), ENDPOINT)
    with pytest.raises(UsageError, match="staging"):
        kubernetes_settings(found(dagster_cloud_api={"deployments": ["staging"]}), ENDPOINT)
    with pytest.raises(UsageError, match="cannot be read"):
        kubernetes_settings(FoundInCluster("c", "n", {}, "a: [", []), ENDPOINT)
