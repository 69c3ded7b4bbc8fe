"""What a cluster needs to launch a pod: names that are there, nodes of the right architecture. Each look is free of
changes, and each answers with what is wrong and with what could not be found out. Of Secrets only names are looked
at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from hybrid.kubernetes.errors import KubernetesDenied
from hybrid.kubernetes.kinds import NAMESPACE, NODE, Kind
from hybrid.kubernetes.session import Cluster
from hybrid.kubernetes.workloads import thing_of

ARCHITECTURE_LABEL: Final = "kubernetes.io/arch"
_SYSTEM_LABEL: Final = "kubernetes.io/os"


@dataclass(frozen=True)
class Finding:
    """What keeps a pod from being launched, with its ``next_step``; or, without one, only what could not be found
    out."""

    what: str
    next_step: str = ""

    @property
    def is_wrong(self) -> bool:
        return bool(self.next_step)


def namespace_findings(cluster: Cluster, namespace: str) -> list[Finding]:
    """Whether a namespace is there and not going away. Raises ``KubernetesError`` when the cluster cannot be asked."""
    try:
        found = cluster.find(NAMESPACE, "", namespace)
    except KubernetesDenied:
        return [Finding(f"The namespace {namespace} was not looked at: this identity may not get namespaces.")]
    if found is None:
        step = f"`kubectl create namespace {namespace}` with the stack's Role in it, or correct its name."
        return [Finding(f"The namespace {namespace} does not exist.", step)]
    if thing_of(found).leaving:
        return [Finding(f"The namespace {namespace} is being deleted.", "wait until it is gone, then make it again.")]
    return []


def name_findings(cluster: Cluster, namespace: str, kind: Kind, names: Sequence[str]) -> list[Finding]:
    """Which of ``names`` are not in ``namespace``. Raises ``KubernetesError`` when the cluster cannot be asked."""
    found: list[Finding] = []
    for name in dict.fromkeys(names):
        try:
            there = cluster.find(kind, namespace, name, contents=False) is not None
        except KubernetesDenied:
            return [*found, Finding(f"{kind.noun.capitalize()}s were not looked at: this identity may not get them.")]
        if not there:
            what = f"The {kind.noun} {name} does not exist in the namespace {namespace}."
            found.append(Finding(what, f"create it there, or correct the {kind.noun}'s name."))
    return found


def architectures_of(cluster: Cluster, node_selector: Mapping[str, str]) -> set[str] | None:
    """Architectures of the nodes with all these labels, such as ``{"amd64"}``; None when nodes may not be looked at, or
    there is none, as where they are made when they are needed. Raises ``KubernetesError``."""
    if wanted := node_selector.get(ARCHITECTURE_LABEL):
        return {wanted}
    try:
        nodes = [thing_of(one) for one in cluster.listed(NODE, "", contents=False)]
    except KubernetesDenied:
        return None
    fitting = [
        node
        for node in nodes
        if node.labels.get(_SYSTEM_LABEL, "linux") == "linux"
        and all(node.labels.get(key) == value for key, value in node_selector.items())
    ]
    return {node.labels[ARCHITECTURE_LABEL] for node in fitting if ARCHITECTURE_LABEL in node.labels} or None
