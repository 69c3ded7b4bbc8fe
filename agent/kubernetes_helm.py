"""The values of Dagster's own Helm chart (``dagster-cloud-agent``) from the settings of a stack, for teams that must
use it. Pure.

Keys: the chart's values.yaml (github.com/dagster-io/helm-user-cloud; read in the copy of it that
github.com/TEAMSchools/teamster keeps at .k8s/dagster/values.yaml), and templates/role.yaml of chart 1.8.13, whose Role
has the verbs ``*``. So the chart makes no account here: ours, with the rules that are needed, come as extra manifests.
What the chart has no key for is told, and not left out in silence.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from agent import kubernetes_manifests as manifests
from agent.compute_logs import in_dagster_plus
from agent.kubernetes_launcher import ARCHITECTURE_LABEL, CodePlace, kubernetes_launcher
from agent.kubernetes_manifests import Manifest
from agent.kubernetes_names import KubernetesNames
from agent.kubernetes_parts import CustomComputeLogs
from agent.kubernetes_pod import SETTINGS_FILE, proxy_environment
from agent.kubernetes_rules import AGENT_RULES
from agent.kubernetes_spec import KubernetesAgentSpec

_CHARTS_SENTINEL: Final = "/tmp/finished_initial_reconciliation_sentinel.txt"  # noqa: S108 - the launcher's default
_HOME: Final = "/opt/dagster/dagster_home"
_CHARTS_SELECTOR: Final = {"component": "agent"}  # on the agent's pods of the chart


@dataclass(frozen=True)
class ChartPlace:
    """What the chart is told beside the agent's settings."""

    names: KubernetesNames
    label: str
    deployment: str
    url: str
    """Where Dagster+ answers agents."""
    code_account: str
    code_accounts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Service accounts of code to make: annotations by name."""
    agent_annotations: Mapping[str, str] = field(default_factory=dict)
    pull_secrets: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    isolates_code: bool = True


@dataclass(frozen=True)
class ChartValues:
    """``values`` for ``helm --values``; ``unsaid``: what of the settings the chart cannot be told, a line each."""

    values: dict[str, Any]
    unsaid: tuple[str, ...]


def chart_values(spec: KubernetesAgentSpec, place: ChartPlace) -> ChartValues:
    """The token is not among them: the chart is told the name of a Secret, which has to be there."""
    values = {
        "imagePullSecrets": [{"name": name} for name in place.pull_secrets],
        "serviceAccount": {"create": False, "name": place.names.agent},
        "dagsterCloud": _dagster_plus(spec, place),
        "dagsterCloudAgent": _agent(spec, place),
        "workspace": _workspace(spec, place),
        "computeLogs": _compute_logs(spec),
        "isolatedAgents": {"enabled": spec.isolated},
        "extraManifests": _extra(spec, place),
    }
    return ChartValues({key: value for key, value in values.items() if value}, tuple(_unsaid(spec)))


def _dagster_plus(spec: KubernetesAgentSpec, place: ChartPlace) -> dict[str, Any]:
    return {
        "agentTokenSecretName": place.names.token_secret,
        "deployments": [place.deployment] if spec.full_deployment else [],
        "branchDeployments": spec.branch_deployments,
        "endpoint": place.url,
        "agentLabel": place.label,
        "timeout": spec.api_timeout_seconds,
        "retries": spec.api_retries,
        "agentQueues": {
            "includeDefaultQueue": spec.queues.include_default,
            "additionalQueues": list(spec.queues.additional),
        },
    }


def _agent(spec: KubernetesAgentSpec, place: ChartPlace) -> dict[str, Any]:
    repository, image = _image(spec.image)
    timing = spec.timing()
    proxied = proxy_environment(spec.proxy, place.names.namespace) if spec.proxy else {}
    said: dict[str, Any] = {
        "image": {"repository": repository, "tag": image, "pullPolicy": spec.pull_policy},
        "replicas": spec.replicas,
        "env": {**timing.environment(), **proxied, **spec.environment},
        "annotations": dict(spec.annotations),
        "labels": place.names.labels(place.labels),
        "nodeSelector": {**spec.place.node_selector, ARCHITECTURE_LABEL: spec.architecture},
        "affinity": dict(spec.place.affinity),
        "tolerations": [dict(toleration) for toleration in spec.place.tolerations],
        "schedulerName": spec.place.scheduler_name,
        "podSecurityContext": _pod_security(spec),
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "resources": spec.resources.document(),
        # with it the chart has the agent write the file that it looks for
        "readinessProbe": {
            "exec": {"command": ["test", "-f", _CHARTS_SENTINEL]},
            "periodSeconds": 10,
            "failureThreshold": max(1, timing.first_start // 10),
        },
        "deploymentStrategy": _strategy(spec),
    }
    return {key: value for key, value in said.items() if value not in ({}, [], None)}


def _image(reference: str) -> tuple[str, str]:
    """Repository and tag, between which the chart puts a colon: a digest then belongs to the repository's side."""
    name, at, digest = reference.partition("@sha256:")
    if at:
        return f"{name}@sha256", digest
    repository, colon, tag = reference.rpartition(":")
    return (repository, tag) if colon and "/" not in tag else (reference, "latest")


def _pod_security(spec: KubernetesAgentSpec) -> dict[str, Any]:
    user = {} if spec.run_as_user is None else {"runAsUser": spec.run_as_user, "runAsGroup": spec.run_as_user}
    return {"runAsNonRoot": True, **user, "seccompProfile": {"type": "RuntimeDefault"}}


def _strategy(spec: KubernetesAgentSpec) -> dict[str, Any]:
    if not spec.zero_downtime:
        return {"type": "Recreate"}
    return {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "100%", "maxUnavailable": 0}}


def _workspace(spec: KubernetesAgentSpec, place: ChartPlace) -> dict[str, Any]:
    """The launcher's configuration under the chart's names, from the one that the stack's own agent gets."""
    launcher = kubernetes_launcher(
        spec,
        CodePlace(
            names=place.names,
            home=_HOME,
            code_account=place.code_account,
            pull_secrets=place.pull_secrets,
            labels=place.labels,
        ),
    ).config
    said = {name: launcher[key] for key, name in _OF_WORKSPACE.items() if key in launcher}
    # the chart adds the token's own Secret
    said["envSecrets"] = [{"name": name} for name in spec.env_secrets]
    said["envConfigMaps"] = [{"name": name} for name in spec.env_config_maps]
    for key, name in _RAW.items():
        said[name] = {_camel(part): config for part, config in launcher[key].items()}
    if "server_ttl" in launcher:
        said["serverTTL"] = _ttl(launcher["server_ttl"])
    if spec.only_allow is not None:
        said["onlyAllowUserDefinedK8sConfigFields"] = {
            _camel(part): allowed for part, allowed in spec.only_allow.document().items()
        }
    return {key: value for key, value in said.items() if value not in ({}, [], None)}


_OF_WORKSPACE: Final = {
    "pull_policy": "pullPolicy",
    "service_account_name": "serviceAccountName",
    "namespace": "namespace",
    "env_vars": "envVars",
    "volumes": "volumes",
    "volume_mounts": "volumeMounts",
    "labels": "labels",
    "deployment_startup_timeout": "deploymentStartupTimeout",
    "image_pull_grace_period": "imagePullGracePeriod",
    "server_process_startup_timeout": "serverProcessStartupTimeout",
    "scheduler_name": "schedulerName",
    "security_context": "securityContext",
    "only_allow_user_defined_env_vars": "onlyAllowUserDefinedEnvVars",
}
_RAW: Final = {"run_k8s_config": "runK8sConfig", "server_k8s_config": "serverK8sConfig"}


def _ttl(said: Mapping[str, Any]) -> dict[str, Any]:
    full, branch = said["full_deployments"], said["branch_deployments"]
    return {
        "fullDeployments": {"enabled": full["enabled"], "ttlSeconds": full["ttl_seconds"]},
        "branchDeployments": {"ttlSeconds": branch["ttl_seconds"]},
        "maxServers": said["max_servers"],
    }


def _compute_logs(spec: KubernetesAgentSpec) -> dict[str, Any]:
    match spec.compute_logs:
        case CustomComputeLogs() as logs:
            custom = {"module": logs.module, "class": logs.class_name, "config": dict(logs.config)}
            return {"enabled": True, "custom": custom}
        case "off":
            return {"enabled": False}
        case _ if spec.log_upload_interval_seconds is not None:
            return {"enabled": True, "custom": in_dagster_plus(spec.log_upload_interval_seconds)}
        case _:
            return {"enabled": True}


def _extra(spec: KubernetesAgentSpec, place: ChartPlace) -> list[Manifest]:
    names = place.names

    def about(name: str, annotations: Mapping[str, str] | None = None) -> dict[str, Any]:
        return manifests.metadata(names, name, names.namespace, place.labels, annotations)

    made = [
        manifests.service_account(about(names.agent, place.agent_annotations)),
        manifests.role(about(names.agent), AGENT_RULES),
        manifests.role_binding(about(names.agent), [(names.agent, names.namespace)]),
        *(manifests.service_account(about(name, noted)) for name, noted in sorted(place.code_accounts.items())),
        manifests.disruption_budget(about(names.agent), _CHARTS_SELECTOR, spec.max_unavailable),
    ]
    return [*made, manifests.code_policy(about(names.code), names)] if place.isolates_code else made


def _unsaid(spec: KubernetesAgentSpec) -> Iterator[str]:
    default = KubernetesAgentSpec()
    for name, reason in _NO_KEY.items():
        if getattr(spec, name) != getattr(default, name):
            yield f"`{_camel(name)}`: {reason}"
    yield f"the agent's root file system is not read-only: the chart decides where {SETTINGS_FILE} lies"
    yield "the agent is not started anew when it hangs: the chart has no liveness probe"


_NO_KEY: Final = {
    "allowed_locations": "the chart has no key for a fence of locations",
    "direct_snapshot_uploads": "the chart has no key for it",
    "upload_snapshots_on_startup": "the chart has no key for it",
    "fail_pod_on_run_failure": "the chart has no key for it; `runK8sConfig` has none either",
    "ca_certificate_file": "the chart has no key for it",
    "agent_metrics": "the chart's values do not name a key for it",
    "code_server_metrics": "the chart's values do not name a key for it",
    "mirror_image": "the image is pulled from where it is; copy it yourself and name the copy in `image`",
    "step_pods": "give the account of code the rules of docs/kubernetes.md for steps yourself",
    "stop_timeout_seconds": "the chart has no key for the grace period; Kubernetes gives 30 seconds",
    "spread": "the chart of 1.8 has no key for it; newer ones have `additionalPodSpecConfig`",
    "restarts": "`kubectl rollout restart` starts an agent of the chart anew",
    "token_rotation": "replace the token in its Secret and start the agent anew",
}


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
