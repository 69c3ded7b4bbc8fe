"""The agent's own pod: a stock image, its settings from a ConfigMap, its token from a Secret. Pure.

Keys: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from agent.compute_logs import in_dagster_plus, nowhere
from agent.dagster_yaml import AGENT_TOKEN_VARIABLE, render
from agent.kubernetes_launcher import ARCHITECTURE_LABEL, CodePlace, kubernetes_launcher
from agent.kubernetes_names import KubernetesNames
from agent.kubernetes_parts import CustomComputeLogs
from agent.kubernetes_spec import KubernetesAgentSpec
from agent.proxy import Proxy

CONTAINER: Final = "agent"
"""The name of the agent's container."""

SCRATCH: Final = "/tmp"  # noqa: S108 - all that the agent writes to when its root is read-only
HOME: Final = f"{SCRATCH}/dagster"
SENTINELS: Final = f"{SCRATCH}/dagster-sentinels"
READY_FILE: Final = f"{SENTINELS}/finished_initial_reconciliation_sentinel.txt"
"""Written when the agent has first started its code servers (``_write_readiness_sentinel`` of
dagster_cloud/workspace/user_code_launcher/user_code_launcher.py)."""
ALIVE_FILE: Final = f"{SENTINELS}/liveness_sentinel.txt"
"""Touched every 15 seconds by the agent's loop (``_write_liveness_sentinel_if_overdue`` of
dagster_cloud/agent/dagster_cloud_agent.py)."""

SETTINGS: Final = "/opt/dagster/settings"
SETTINGS_FILE: Final = "dagster.yaml"

CONFIGURATION_ANNOTATION: Final = "hybrid.dagster/configuration"
"""On the agent's pods: a digest of its settings, so that other ones start it anew."""
GENERATION_ANNOTATION: Final = "hybrid.dagster/generation"

# The scratch folder outlives a container that crashed, and with it what its agent had finished.
_START: Final = (
    f'set -eu; umask 077; mkdir -p "$DAGSTER_HOME" {SENTINELS}; rm -f {READY_FILE} {ALIVE_FILE}; '
    f'cp {SETTINGS}/{SETTINGS_FILE} "$DAGSTER_HOME/"; exec dagster-cloud agent run "$DAGSTER_HOME"'
)
_FIRST_SIGN: Final = 300  # seconds until the loop turns for the first time: imports, and Dagster+ that is slow

# The cluster's API and the code servers; a proxy knows neither. The first is Kubernetes' own variable in every pod.
_NEVER_BY_PROXY: Final = ("$(KUBERNETES_SERVICE_HOST)", ".svc")


@dataclass(frozen=True)
class AgentText:
    """What the agent is told, beside its settings."""

    label: str
    deployment: str
    url: str
    """Where Dagster+ answers agents."""


@dataclass(frozen=True)
class AgentPod:
    """What the agent's pod is made of, beside its settings."""

    names: KubernetesNames
    settings: str
    """The text of ``dagster_yaml``."""
    image: str
    token_version: str = ""
    """Another one starts the agent anew."""
    pull_secrets: Sequence[str] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    locations: int = 1
    """How many locations the stack serves, for the time that the agent may take to load them."""


def dagster_yaml(spec: KubernetesAgentSpec, place: CodePlace, said: AgentText) -> str:
    """The agent's settings. The token is not in them."""
    return render(
        spec,
        kubernetes_launcher(spec, place),
        url=said.url,
        label=said.label,
        deployment=said.deployment,
        compute_logs=_compute_logs(spec),
        full_deployment=spec.full_deployment,
        proxies=spec.proxy.to_dagster_plus if spec.proxy else None,
    )


def _compute_logs(spec: KubernetesAgentSpec) -> dict[str, Any]:
    match spec.compute_logs:
        case CustomComputeLogs() as custom:
            return {"module": custom.module, "class": custom.class_name, "config": dict(custom.config)}
        case "off":
            return nowhere()
        case _:
            return in_dagster_plus(spec.log_upload_interval_seconds)


def pod_template(spec: KubernetesAgentSpec, pod: AgentPod) -> dict[str, Any]:
    """The pods of the agent's Deployment."""
    labels = {**pod.names.labels(pod.labels), **pod.names.agent_selector, "app.kubernetes.io/name": "dagster-agent"}
    return {
        "metadata": {
            "labels": labels,
            "annotations": {
                **spec.annotations,
                CONFIGURATION_ANNOTATION: hashlib.sha256(pod.settings.encode()).hexdigest()[:16],
                **_generation(spec, pod.token_version),
            },
        },
        "spec": _pod_spec(spec, pod),
    }


def _generation(spec: KubernetesAgentSpec, token_version: str) -> dict[str, str]:
    parts = [f"restart {spec.restarts}" if spec.restarts else "", f"token {token_version}" if token_version else ""]
    said = ", ".join(part for part in parts if part)
    return {GENERATION_ANNOTATION: said} if said else {}


def _pod_spec(spec: KubernetesAgentSpec, pod: AgentPod) -> dict[str, Any]:
    place = spec.place
    said: dict[str, Any] = {
        "serviceAccountName": pod.names.agent,
        "automountServiceAccountToken": True,
        "terminationGracePeriodSeconds": spec.stop_timeout_seconds,
        "enableServiceLinks": False,  # else a variable for each Service of the namespace, of which it makes many
        "securityContext": _pod_security(spec),
        "nodeSelector": {**place.node_selector, ARCHITECTURE_LABEL: spec.architecture, "kubernetes.io/os": "linux"},
        "tolerations": [dict(toleration) for toleration in place.tolerations],
        "affinity": dict(place.affinity),
        "priorityClassName": place.priority_class_name,
        "schedulerName": place.scheduler_name,
        # with one replica, too: a second one must not start the first anew
        "topologySpreadConstraints": _spread(pod.names) if spec.spread else [],
        "imagePullSecrets": [{"name": name} for name in pod.pull_secrets],
        "containers": [_container(spec, pod)],
        "volumes": [
            {"name": "settings", "configMap": {"name": pod.names.agent}},
            {"name": "scratch", "emptyDir": {"sizeLimit": "1Gi"}},
        ],
    }
    return {key: value for key, value in said.items() if value not in ({}, [], None)}


def _container(spec: KubernetesAgentSpec, pod: AgentPod) -> dict[str, Any]:
    timing = spec.timing(pod.locations)
    variables = {
        "DAGSTER_HOME": HOME,
        "DAGSTER_CLOUD_AGENT_SENTINEL_DIR": SENTINELS,
        "HOME": SCRATCH,
        "PYTHONUNBUFFERED": "1",
        **timing.environment(),
        **_limits(spec),
        **(proxy_environment(spec.proxy, pod.names.namespace) if spec.proxy else {}),
        **spec.environment,
    }
    token = {"secretKeyRef": {"name": pod.names.token_secret, "key": AGENT_TOKEN_VARIABLE}}
    return {
        "name": CONTAINER,
        "image": pod.image,
        "imagePullPolicy": spec.pull_policy,
        "command": ["/bin/sh", "-c"],
        "args": [_START],
        "env": [
            *({"name": name, "value": value} for name, value in sorted(variables.items())),
            {"name": AGENT_TOKEN_VARIABLE, "valueFrom": token},
        ],
        "resources": spec.resources.document(),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": spec.read_only_root,
        },
        "volumeMounts": [
            {"name": "settings", "mountPath": SETTINGS, "readOnly": True},
            {"name": "scratch", "mountPath": SCRATCH},
        ],
        **_probes(timing.silence),
    }


def _probes(silence: int) -> dict[str, Any]:
    fresh = f'test -n "$(find {ALIVE_FILE} -mmin -{silence // 60})"'
    return {
        "startupProbe": {
            "exec": {"command": ["test", "-f", ALIVE_FILE]},
            "periodSeconds": 5,
            "timeoutSeconds": 5,
            "failureThreshold": _FIRST_SIGN // 5,
        },
        "readinessProbe": {
            "exec": {"command": ["test", "-f", READY_FILE]},
            "periodSeconds": 5,
            "timeoutSeconds": 5,
            "failureThreshold": 3,
        },
        "livenessProbe": {
            "exec": {"command": ["/bin/sh", "-c", fresh]},
            "periodSeconds": 60,
            "timeoutSeconds": 10,
            "failureThreshold": 3,
        },
    }


def _limits(spec: KubernetesAgentSpec) -> dict[str, str]:
    """What the agent may take, which it sends with its metrics (dagster_cloud_agent.py)."""
    said = {
        "DAGSTER_CLOUD_AGENT_CPU_LIMIT": spec.resources.limits.get("cpu"),
        "DAGSTER_CLOUD_AGENT_MEMORY_LIMIT": spec.resources.limits.get("memory"),
        "DAGSTER_CLOUD_AGENT_CPU_REQUEST": spec.resources.requests.get("cpu"),
        "DAGSTER_CLOUD_AGENT_MEMORY_REQUEST": spec.resources.requests.get("memory"),
    }
    return {name: value for name, value in said.items() if value}


def proxy_environment(proxy: Proxy, namespace: str) -> dict[str, str]:
    """Code servers are in the namespace."""
    return proxy.environment(*_NEVER_BY_PROXY, f".{namespace}")


def _pod_security(spec: KubernetesAgentSpec) -> dict[str, Any]:
    user = {} if spec.run_as_user is None else {"runAsUser": spec.run_as_user, "runAsGroup": spec.run_as_user}
    return {"runAsNonRoot": True, **user, "seccompProfile": {"type": "RuntimeDefault"}}


def _spread(names: KubernetesNames) -> list[dict[str, Any]]:
    return [
        {
            "maxSkew": 1,
            "topologyKey": key,
            "whenUnsatisfiable": "ScheduleAnyway",  # an agent too close is better than none
            "labelSelector": {"matchLabels": names.agent_selector},
        }
        for key in ("topology.kubernetes.io/zone", "kubernetes.io/hostname")
    ]
