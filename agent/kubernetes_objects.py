"""Manifests as resources of Pulumi."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import pulumi
import pulumi_kubernetes as kubernetes

from agent.kubernetes_manifests import Manifest

_KINDS: Final[Mapping[str, Any]] = {
    "ConfigMap": kubernetes.core.v1.ConfigMap,
    "Deployment": kubernetes.apps.v1.Deployment,
    "Namespace": kubernetes.core.v1.Namespace,
    "NetworkPolicy": kubernetes.networking.v1.NetworkPolicy,
    "PodDisruptionBudget": kubernetes.policy.v1.PodDisruptionBudget,
    "Role": kubernetes.rbac.v1.Role,
    "RoleBinding": kubernetes.rbac.v1.RoleBinding,
    "Secret": kubernetes.core.v1.Secret,
    "ServiceAccount": kubernetes.core.v1.ServiceAccount,
}


def stood_up(name: str, manifest: Manifest, opts: pulumi.ResourceOptions) -> Any:
    """The resource of the manifest's kind. Its contents are written as Kubernetes has them, which the SDK takes and its
    types do not say."""
    contents = {_snake(key): value for key, value in manifest.items() if key not in {"apiVersion", "kind"}}
    return _KINDS[manifest["kind"]](name, **contents, opts=opts)


def _snake(key: str) -> str:
    return re.sub(r"([A-Z])", r"_\1", key).lower()
