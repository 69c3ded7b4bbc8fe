"""The launcher part of a Kubernetes agent's ``dagster.yaml``. Pure.

Keys: dagster_cloud/workspace/kubernetes/launcher.py and config_schema/kubernetes.py of dagster-cloud 1.13.27. How a
location's own ``container_context.k8s`` is put upon it: dagster_k8s/container_context.py of dagster-k8s 0.29.27.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from agent.kubernetes_names import KubernetesNames
from agent.kubernetes_parts import RawConfiguration
from agent.kubernetes_spec import KubernetesAgentSpec
from agent.launchers import Launcher, shared_configuration
from hybrid.kubernetes.models import named_by_client

ARCHITECTURE_LABEL: Final = "kubernetes.io/arch"
"""On every node: https://kubernetes.io/docs/reference/labels-annotations-taints/#kubernetes-io-arch"""

NOT_SAID: Final = {
    "kubeconfig_file": "the agent is in the cluster, and has a service account there",
    "server_replica_count": "its class takes the key and then fails to start with it; a location says its own",
    "defer_job_snapshots": "Dagster ignores it",
}
"""Keys of the launcher that no setting reaches, with the reason. A contract test holds that these are all."""


@dataclass(frozen=True)
class CodePlace:
    """Where in the cluster code servers and runs live."""

    names: KubernetesNames
    home: str
    """``DAGSTER_HOME`` in the agent's container."""
    code_account: str
    """The service account of code; not the agent's."""
    pull_secrets: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    """The settings' own for everything; the stack's is added."""


def kubernetes_launcher(spec: KubernetesAgentSpec, place: CodePlace) -> Launcher:
    """Dagster's own launcher: a Deployment and a Service for each code server, a Job for each run."""
    config = {
        **shared_configuration(spec),
        "requires_healthcheck": True,  # the pod's readiness probe looks for the file that this writes
        "dagster_home": place.home,
        "instance_config_map": place.names.agent,
        "namespace": place.names.namespace,
        "service_account_name": place.code_account,
        # the token is among them: code asks Dagster+ with it, by the variable's name in the instance handed on
        "env_secrets": [place.names.token_secret, *spec.env_secrets],
        "labels": place.names.labels(place.labels),
        "pull_policy": spec.pull_policy,
        "deployment_startup_timeout": spec.pod_startup_timeout_seconds,
        "image_pull_grace_period": spec.image_pull_grace_seconds,
        "fail_pod_on_run_failure": spec.fail_pod_on_run_failure,
        "server_k8s_config": _configuration(spec, spec.server_config, spec.server_resources.document()),
        "run_k8s_config": _configuration(spec, spec.run_config, spec.run_resources.document()),
        "agent_metrics": {"enabled": spec.agent_metrics},
        "code_server_metrics": {"enabled": spec.code_server_metrics},
        **_optional(spec, place),
    }
    return Launcher("dagster_cloud.workspace.kubernetes", "K8sUserCodeLauncher", config)


def _optional(spec: KubernetesAgentSpec, place: CodePlace) -> dict[str, Any]:
    said: dict[str, Any] = {
        # names alone: the launcher takes the values from the agent's own environment
        "env_vars": sorted(spec.variable_names),
        "env_config_maps": list(spec.env_config_maps),
        "image_pull_secrets": [{"name": name} for name in place.pull_secrets],
        "volumes": [dict(volume) for volume in spec.volumes],
        "volume_mounts": [dict(mount) for mount in spec.volume_mounts],
        "security_context": dict(spec.security_context),
        "scheduler_name": spec.code_place.scheduler_name,
        "k8s_api_ssl_ca_cert_file": spec.ca_certificate_file,
    }
    kept = {key: value for key, value in said.items() if value}
    if spec.only_allow is not None:
        kept["only_allow_user_defined_k8s_config_fields"] = spec.only_allow.document()
    if spec.only_allow_variables is not None:
        kept["only_allow_user_defined_env_vars"] = list(spec.only_allow_variables)
    return kept


def _configuration(spec: KubernetesAgentSpec, raw: RawConfiguration, resources: Mapping[str, Any]) -> dict[str, Any]:
    """What the settings say in their own words, and the raw configuration upon it."""
    own: dict[str, dict[str, Any]] = {
        "container_config": {"resources": dict(resources)} if resources else {},
        "pod_spec_config": _code_pods(spec),
        "pod_template_spec_metadata": _metadata(spec),
    }
    said = {part: named_by_client(raw.models[part], given) for part, given in raw.document().items()}
    merged = {part: _onto(own.get(part, {}), said.get(part, {})) for part in {**own, **said}}
    return {part: each for part, each in merged.items() if each}


def _code_pods(spec: KubernetesAgentSpec) -> dict[str, Any]:
    place = spec.code_place
    architecture = {} if spec.code_architecture is None else {ARCHITECTURE_LABEL: spec.code_architecture}
    said: dict[str, Any] = {
        "node_selector": {**place.node_selector, **architecture},
        "tolerations": [dict(toleration) for toleration in place.tolerations],
        "affinity": dict(place.affinity),
        "priority_class_name": place.priority_class_name,
        # without it every pod of code could speak to the cluster's API in the name of its account
        "automount_service_account_token": spec.step_pods,
    }
    return {key: value for key, value in said.items() if value not in ({}, [], None)}


def _metadata(spec: KubernetesAgentSpec) -> dict[str, Any]:
    said = {"annotations": dict(spec.pod_annotations), "labels": dict(spec.pod_labels)}
    return {key: value for key, value in said.items() if value}


def _onto(own: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Mappings are joined, anything else is the raw configuration's."""
    joined = dict(own)
    for key, value in given.items():
        before = joined.get(key)
        joined[key] = _onto(before, value) if isinstance(before, Mapping) and isinstance(value, Mapping) else value
    return joined
