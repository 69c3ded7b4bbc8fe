"""Where a resource about Kubernetes looks: its inputs, and the doors to clusters that the resources of an update
share."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from hybrid.provider.definition import ListOf, Property, Text

if TYPE_CHECKING:
    from hybrid.kubernetes.session import Cluster

CONTEXT: Final = Property(Text(), "the context of the kubeconfig; default: the current one", required=False)
KUBECONFIG: Final = Property(
    Text(), "the kubeconfig's path; default: that of KUBECONFIG, else ~/.kube/config", required=False
)
SERVER: Final = Property(
    Text(), "the address of the cluster's API; a context that leads elsewhere is refused; default: any", required=False
)
NAMESPACE: Final = Property(Text(), "the namespace")
PLACE: Final = {"context": CONTEXT, "kubeconfig": KUBECONFIG, "server": SERVER}
"""The inputs of every resource about a cluster."""

OF_AGENT: Final[Mapping[str, Property]] = {
    **PLACE,
    "namespaces": Property(ListOf(Text(), empty=False), "the agent's namespace, then those of locations"),
    "deployment": Property(Text(), "the name of the agent's Deployment"),
    "stack": Property(Text(), "the value of the label hybrid.dagster/stack on what the agent makes"),
}
"""What ``AgentReady`` takes as ``place`` of the platform ``kubernetes``."""


class Doors:
    """The ways to clusters, one for each kubeconfig and context."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[tuple[str | None, ...], Cluster] = {}

    def to(self, inputs: Mapping[str, Any]) -> Cluster:
        """The door for inputs that have ``PLACE`` among them. It is opened when it is first used."""
        from hybrid.kubernetes.session import Cluster

        key = tuple(inputs.get(name) or None for name in ("kubeconfig", "context", "server"))
        with self._lock:
            if key not in self._open:
                self._open[key] = Cluster(*key)
            return self._open[key]
