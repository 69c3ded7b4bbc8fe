"""What a stack on Kubernetes needs of this machine: Pulumi's kubernetes plugin, a context that leads to a cluster new
enough, rights there. Nothing is changed."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

from hybrid.errors import HybridError
from hybrid.toolchain.containers_doctor import plugin_finding
from hybrid.toolchain.doctor import Finding

if TYPE_CHECKING:
    from hybrid.kubernetes.session import Cluster
    from hybrid.platforms.kubernetes_place import KubernetesPlace
    from hybrid.toolchain.pulumi import Pulumi

PLUGIN: Final = "kubernetes plugin"
CLUSTER: Final = "kubernetes cluster"
RIGHTS: Final = "kubernetes rights"
KUBECTL: Final = "kubectl"


def check_cluster(place: KubernetesPlace, environ: Mapping[str, str], pulumi: Pulumi | None) -> list[Finding]:
    """All findings. Each request to the cluster has a time-out of its own."""
    wanted, built_by = version("pulumi-kubernetes"), "hybrid tools install --kubernetes"
    found = [plugin_finding("kubernetes", PLUGIN, wanted, environ, pulumi, built_by=built_by)]
    cluster = place.door()
    answered = _version(place, cluster)
    found.append(answered)
    if answered.status == "ok":  # what does not answer is not asked twice
        found.append(_rights(place, cluster))
    return [*found, _kubectl(environ)]


def _version(place: KubernetesPlace, cluster: Cluster) -> Finding:
    try:
        told = cluster.check_version()
    except HybridError as error:
        return _missing(CLUSTER, error)
    return Finding(CLUSTER, "ok", f"{place.context} answers at {cluster.server}, {told}")


def _rights(place: KubernetesPlace, cluster: Cluster) -> Finding:
    try:
        refusal = place.refusal(cluster)
    except HybridError as error:
        return _missing(RIGHTS, error)
    if refusal is not None:
        return _missing(RIGHTS, refusal)
    return Finding(RIGHTS, "ok", f"this identity may do what a stack needs in {', '.join(place.namespaces)}")


def _kubectl(environ: Mapping[str, str]) -> Finding:
    found = shutil.which("kubectl", path=environ.get("PATH"))
    if found is not None:
        return Finding(KUBECTL, "ok", found)
    step = "install it where `hybrid agent exec` is to be used; all else does without."
    return Finding(KUBECTL, "warning", "not on PATH", step)


def _missing(name: str, error: HybridError) -> Finding:
    why = " ".join((error.why or "").split("\n"))
    return Finding(name, "missing", " ".join(filter(None, (error.what, why))), error.next_step)
