"""An agent on Kubernetes as a place to adopt from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import yaml

from hybrid.adopt.agent_in_cluster import digests_in, read_agent, the_agent_of
from hybrid.adopt.kubernetes_settings import FoundInCluster, kubernetes_settings
from hybrid.adopt.organization import FoundOrganization
from hybrid.adopt.place import FoundPlace, told_of
from hybrid.adopt.remarks import Remark
from hybrid.delivery.images.reference import Reference
from hybrid.kubernetes.labels import STACK_LABEL
from hybrid.kubernetes.session import Cluster
from hybrid.kubernetes.workloads import thing_of
from hybrid.plus import Endpoint

_RELEASE = "meta.helm.sh/release-name"


@dataclass(frozen=True)
class InCluster:
    """``namespace`` and ``agent`` name its Deployment; None: the only one that there is."""

    kind: ClassVar[str] = "kubernetes"
    makes_registry: ClassVar[bool] = False

    context: str
    kubeconfig: str | None = None
    namespace: str | None = None
    agent: str | None = None

    @cached_property
    def _cluster(self) -> Cluster:
        return Cluster(self.kubeconfig, self.context)

    @cached_property
    def _name(self) -> tuple[str, str]:
        if self.namespace is not None and self.agent is not None:
            return self.namespace, self.agent
        return the_agent_of(self._cluster, self.namespace)

    def find(self, endpoint: Endpoint, organization: FoundOrganization) -> FoundPlace:
        found = read_agent(self._cluster, self.context, *self._name)
        said = kubernetes_settings(found, endpoint)
        kubeconfig = {"kubeconfig": self.kubeconfig} if self.kubeconfig else {}
        cloud = {**said.kubernetes, **kubeconfig}
        remarks = [told_of(_label(found), self._name[1], organization), *_of_owner(found)]
        return FoundPlace(said, {"kubernetes": cloud}, tuple(remarks))

    def digest(self, image: Reference) -> str | None:
        """That of the image that the nodes of the agent's namespace have pulled."""
        return self._digests.get(str(image))

    @cached_property
    def _digests(self) -> dict[str, str]:
        return digests_in(self._cluster, self._name[0])


def _label(found: FoundInCluster) -> str | None:
    document: Any = yaml.safe_load(found.dagster_yaml)
    api = document.get("dagster_cloud_api") if isinstance(document, dict) else None
    label = api.get("agent_label") if isinstance(api, dict) else None
    return label if isinstance(label, str) else None


def _of_owner(found: FoundInCluster) -> list[Remark]:
    thing = thing_of(found.deployment)
    if release := thing.annotations.get(_RELEASE):
        text = (
            f"`helm uninstall {release} -n {thing.namespace}` once the new agent is RUNNING and the stack serves; the "
            "namespace stays"
        )
        return [Remark("left", f"Helm release {release}", text)]
    if stack := thing.labels.get(STACK_LABEL):
        return [Remark("danger", "agent", f"it is of the stack {stack} already: two stacks would serve one deployment")]
    return []
