"""The values for Dagster's own Helm chart say what the settings say, under keys that the chart has. That the chart
makes of them what is meant takes Helm and the chart, which cannot be had here."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from agent.kubernetes_helm import ChartPlace, chart_values
from agent.kubernetes_names import STACK_LABEL, KubernetesNames
from agent.kubernetes_rules import AGENT_RULES
from agent.kubernetes_spec import KubernetesAgentSpec

pytestmark = pytest.mark.unit

NAMES = KubernetesNames.of("prod")
PLACE = ChartPlace(
    names=NAMES,
    label="hybrid-prod",
    deployment="prod",
    url="https://acme.agent.dagster.cloud",
    code_account=NAMES.code,
    code_accounts={NAMES.code: {}},
    pull_secrets=("login",),
    labels={"team": "data"},
)
# Of the chart's values.yaml (see the module's text), and of the launcher's fences, which chart 1.8 has as well.
KEYS: dict[str, set[str]] = {
    "serviceAccount": {"create", "name", "annotations"},
    "dagsterCloud": {
        "agentTokenSecretName",
        "deployments",
        "branchDeployments",
        "endpoint",
        "agentLabel",
        "timeout",
        "retries",
        "backoffFactor",
        "agentQueues",
    },
    "dagsterCloudAgent": {
        "image",
        "initContainers",
        "readinessProbe",
        "deploymentStrategy",
        "env",
        "envFrom",
        "annotations",
        "labels",
        "nodeSelector",
        "affinity",
        "tolerations",
        "schedulerName",
        "podSecurityContext",
        "securityContext",
        "resources",
        "loggingConfig",
        "replicas",
        "volumes",
        "volumeMounts",
    },
    "workspace": {
        "pullPolicy",
        "serviceAccountName",
        "namespace",
        "envSecrets",
        "envVars",
        "envConfigMaps",
        "volumes",
        "volumeMounts",
        "labels",
        "resources",
        "deploymentStartupTimeout",
        "imagePullGracePeriod",
        "serverProcessStartupTimeout",
        "schedulerName",
        "serverTTL",
        "deferJobSnapshots",
        "securityContext",
        "runK8sConfig",
        "serverK8sConfig",
        "onlyAllowUserDefinedK8sConfigFields",
        "onlyAllowUserDefinedEnvVars",
    },
    "computeLogs": {"enabled", "custom"},
    "isolatedAgents": {"enabled"},
}
EVERYTHING: dict[str, Any] = {
    "queues": {"additional": ["gpu"]},
    "serverTtl": {"fullDeployments": {"enabled": True, "ttlSeconds": 600}},
    "place": {"nodeSelector": {"pool": "agents"}, "schedulerName": "volcano"},
    "codePlace": {"nodeSelector": {"pool": "code"}},
    "codeArchitecture": "arm64",
    "serverResources": {"limits": {"memory": "1Gi"}},
    "runConfig": {"jobSpecConfig": {"ttlSecondsAfterFinished": 60}},
    "envSecrets": ["warehouse"],
    "envConfigMaps": ["common"],
    "environment": {"STAGE": "prod"},
    "onlyAllow": {"containerConfig": {"resources": True}},
    "onlyAllowVariables": ["STAGE"],
    "volumes": [{"name": "cache", "emptyDir": {}}],
    "volumeMounts": [{"name": "cache", "mountPath": "/cache"}],
    "proxy": {"url": "http://proxy.internal:3128"},
    "allowedLocations": ["orders"],
    "readOnlyRoot": True,
}


def rendered(**said: Any) -> dict[str, Any]:
    return chart_values(KubernetesAgentSpec.model_validate(said), PLACE).values


@pytest.mark.parametrize("said", [{}, EVERYTHING], ids=["default", "everything"])
def test_only_keys_that_the_chart_has_are_given(said: dict[str, Any]) -> None:
    values = rendered(**said)
    assert set(values) <= {*KEYS, "imagePullSecrets", "extraManifests"}
    for section, known in KEYS.items():
        assert set(values[section]) <= known, f"Helm would take another key of {section} in silence, and do nothing"
    assert yaml.safe_load(yaml.safe_dump(values)) == values, "it is a file of plain values"


def test_the_chart_says_what_the_stacks_own_agent_is_told() -> None:
    values = rendered(**EVERYTHING)
    assert values["dagsterCloud"]["agentQueues"] == {"includeDefaultQueue": True, "additionalQueues": ["gpu"]}
    assert values["dagsterCloud"]["deployments"] == ["prod"]
    workspace = values["workspace"]
    assert workspace["labels"] == {"team": "data", "app.kubernetes.io/managed-by": "hybrid", STACK_LABEL: "hybrid-prod"}
    assert workspace["envSecrets"] == [{"name": "warehouse"}], "the chart itself adds the token's"
    server = workspace["serverK8sConfig"]
    assert server["podSpecConfig"]["node_selector"] == {"pool": "code", "kubernetes.io/arch": "arm64"}
    assert server["containerConfig"]["resources"] == {"limits": {"memory": "1Gi"}}
    assert workspace["runK8sConfig"]["jobSpecConfig"] == {"ttl_seconds_after_finished": 60}
    assert workspace["serverTTL"]["fullDeployments"] == {"enabled": True, "ttlSeconds": 600}
    assert workspace["onlyAllowUserDefinedK8sConfigFields"] == {"containerConfig": {"resources": True}}
    assert values["dagsterCloudAgent"]["env"]["STAGE"] == "prod", "the launcher takes it from the agent's own"
    assert rendered(logUploadIntervalSeconds=30)["computeLogs"]["custom"]["config"] == {"upload_interval": 30}
    assert set(workspace["envVars"]) == {"HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "STAGE"}


def test_the_charts_role_gives_way_to_the_rules_that_are_needed() -> None:
    values = rendered()
    assert values["serviceAccount"] == {"create": False, "name": "hybrid-prod-agent"}, "its own may do everything"
    (role,) = [each for each in values["extraManifests"] if each["kind"] == "Role"]
    assert role["rules"] == [rule.document() for rule in AGENT_RULES]
    (binding,) = [each for each in values["extraManifests"] if each["kind"] == "RoleBinding"]
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "hybrid-prod-agent", "namespace": "hybrid-prod"}]
    kinds = [each["kind"] for each in values["extraManifests"]]
    assert kinds.count("ServiceAccount") == 2
    assert "Secret" not in kinds, "a token has no place in a values file"


@pytest.mark.parametrize(
    ("image", "parts"),
    [
        ("r.example:5000/agent:1.13.27", ("r.example:5000/agent", "1.13.27")),
        ("r.example:5000/agent", ("r.example:5000/agent", "latest")),
        ("r.example/agent@sha256:" + "a" * 64, ("r.example/agent@sha256", "a" * 64)),
    ],
)
def test_the_image_is_split_where_the_chart_joins_it(image: str, parts: tuple[str, str]) -> None:
    said = rendered(image=image)["dagsterCloudAgent"]["image"]
    assert (said["repository"], said["tag"]) == parts
    assert f"{said['repository']}:{said['tag']}" in {image, f"{image}:latest"}


def test_what_the_chart_cannot_be_told_is_said() -> None:
    told = chart_values(KubernetesAgentSpec.model_validate(EVERYTHING), PLACE).unsaid
    assert any("allowedLocations" in line for line in told), "a fence that is lost in silence is worse than none"
    assert not any("allowedLocations" in line for line in chart_values(KubernetesAgentSpec(), PLACE).unsaid)


def test_every_setting_reaches_the_chart_or_is_named_as_one_that_does_not() -> None:
    from agent import kubernetes_helm

    said = set(kubernetes_helm._NO_KEY) | _REACHING
    assert said >= set(KubernetesAgentSpec.model_fields) - {"kind", "label"}, "a new setting would be lost in silence"


_REACHING = {
    *("queues", "environment", "branch_deployments", "isolated", "startup_timeout_seconds", "server_ttl"),
    *(
        "api_timeout_seconds",
        "api_retries",
        "log_upload_interval_seconds",
        "image",
        "architecture",
        "resources",
        "place",
        "max_unavailable",
        "annotations",
    ),
    *("run_as_user", "read_only_root", "replicas", "zero_downtime", "full_deployment", "cleanup_grace_seconds"),
    *("pod_startup_timeout_seconds", "image_pull_grace_seconds", "pull_policy", "image_pull_secrets"),
    *("code_architecture", "server_resources", "run_resources", "code_place", "server_config", "run_config"),
    *("only_allow", "only_allow_variables", "security_context", "env_secrets", "env_config_maps", "volumes"),
    *("volume_mounts", "pod_annotations", "pod_labels", "proxy", "compute_logs"),
}
