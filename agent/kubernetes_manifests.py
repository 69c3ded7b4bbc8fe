"""The objects around an agent on Kubernetes, as their manifests: the same for Pulumi and for the official chart. Pure.

A value may be one that only an update knows; nothing here looks at values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from agent.dagster_yaml import AGENT_TOKEN_VARIABLE
from agent.kubernetes_names import KubernetesNames
from agent.kubernetes_rules import Rule

Manifest = dict[str, Any]

_RBAC = "rbac.authorization.k8s.io"
_SECURITY_LABEL = "pod-security.kubernetes.io/enforce"


def manifest(kind: str, group: str, metadata: Mapping[str, Any], **contents: Any) -> Manifest:
    """``group``: the API's, with its version, such as ``apps/v1``."""
    return {"apiVersion": group, "kind": kind, "metadata": dict(metadata), **contents}


def metadata(
    names: KubernetesNames,
    name: str,
    namespace: Any,
    labels: Mapping[str, str],
    annotations: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """``labels``: the settings' own; the stack's is added."""
    said = {"name": name, "namespace": namespace, "labels": names.labels(labels)}
    return {**said, "annotations": dict(annotations)} if annotations else said


def namespace(names: KubernetesNames, labels: Mapping[str, str], pod_security: str) -> Manifest:
    """``pod_security``: https://kubernetes.io/docs/concepts/security/pod-security-standards/"""
    said = {"name": names.namespace, "labels": {**names.labels(labels), _SECURITY_LABEL: pod_security}}
    return manifest("Namespace", "v1", said)


def service_account(about: Mapping[str, Any]) -> Manifest:
    """``about`` is its metadata. Its token comes to pods that ask for it, and to no other that names it."""
    return manifest("ServiceAccount", "v1", about, automountServiceAccountToken=False)


def role(about: Mapping[str, Any], rules: Sequence[Rule]) -> Manifest:
    return manifest("Role", f"{_RBAC}/v1", about, rules=[rule.document() for rule in rules])


def role_binding(about: Mapping[str, Any], accounts: Sequence[tuple[str, Any]]) -> Manifest:
    """Of the Role with the same name; ``accounts``: names and namespaces of service accounts."""
    return manifest(
        "RoleBinding",
        f"{_RBAC}/v1",
        about,
        roleRef={"apiGroup": _RBAC, "kind": "Role", "name": about["name"]},
        subjects=[{"kind": "ServiceAccount", "name": name, "namespace": where} for name, where in accounts],
    )


def token_secret(about: Mapping[str, Any], token: Any) -> Manifest:
    return manifest("Secret", "v1", about, type="Opaque", stringData={AGENT_TOKEN_VARIABLE: token})


def registry_secret(about: Mapping[str, Any], login: Any) -> Manifest:
    """``login``: the contents of a Docker ``config.json``."""
    return manifest(
        "Secret", "v1", about, type="kubernetes.io/dockerconfigjson", stringData={".dockerconfigjson": login}
    )


def code_policy(about: Mapping[str, Any], names: KubernetesNames, *, elsewhere: bool = False) -> Manifest:
    """Code servers run what they are asked, by whoever reaches them: only the stack's own pods may. Ways out are not
    touched. ``elsewhere``: it is for another namespace than the agent's."""
    ours = {"matchLabels": names.labels()}
    peers: list[Manifest] = [{"podSelector": ours}]
    if elsewhere:
        home = {"matchLabels": {"kubernetes.io/metadata.name": names.namespace}}
        peers.append({"podSelector": ours, "namespaceSelector": home})
    spec = {"podSelector": ours, "policyTypes": ["Ingress"], "ingress": [{"from": peers}]}
    return manifest("NetworkPolicy", "networking.k8s.io/v1", about, spec=spec)


def disruption_budget(about: Mapping[str, Any], selector: Mapping[str, str], max_unavailable: int) -> Manifest:
    spec = {"maxUnavailable": max_unavailable, "selector": {"matchLabels": dict(selector)}}
    return manifest("PodDisruptionBudget", "policy/v1", about, spec=spec)
