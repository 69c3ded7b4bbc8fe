"""What the pods of a Kubernetes stack request that are up all the time, by its file and its locations alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from hybrid.costs.estimate import Estimate
from hybrid.costs.own_prices import OwnPrices, PodSize, estimate
from hybrid.delivery.document import CONTEXTS

if TYPE_CHECKING:
    from agent.kubernetes_spec import KubernetesAgentSpec
    from hybrid.delivery.catalog import CodeLocationFolder
    from hybrid.engine.stack import Stack

_GIB: Final = 1024**3


def monthly(stack: Stack, spec: KubernetesAgentSpec) -> Estimate | None:
    """What the stack costs a month by the team's own prices; None: it has said none."""
    kubernetes = stack.who.settings.kubernetes
    prices = kubernetes.prices if kubernetes is not None else None
    if prices is None:
        return None
    return estimate(_pods(stack, spec), OwnPrices(prices.as_of, prices.vcpu_hour, prices.gib_hour))


def requested(stack: Stack, spec: KubernetesAgentSpec) -> tuple[float, float]:
    """Processors and GiB of all pods together."""
    pods = _pods(stack, spec)
    return sum(pod.vcpu * pod.count for pod in pods), sum(pod.memory * pod.count for pod in pods)


def _pods(stack: Stack, spec: KubernetesAgentSpec) -> tuple[PodSize, ...]:
    agent = _size("agent", spec.resources.document(), spec.replicas)
    return agent, *(_server(spec, folder) for folder in stack.folders)


def _server(spec: KubernetesAgentSpec, folder: CodeLocationFolder) -> PodSize:
    """Every agent starts code servers of its own, so that replicas multiply them."""
    own = _below(folder.container_context, CONTEXTS[spec.kind])
    sources = (
        spec.server_resources.document(),
        _below(spec.server_config.document(), "container_config", "resources"),
        _below(own, "resources"),
        _below(own, "server_k8s_config", "container_config", "resources"),
    )
    said = {kind: _joined(sources, kind) for kind in ("requests", "limits")}
    count = own.get("server_replica_count")
    return _size(f"code server of {folder.name}", said, spec.replicas * (count if isinstance(count, int) else 1))


def _size(what: str, resources: Mapping[str, Any], count: int) -> PodSize:
    # what a limit alone is said of, the cluster takes for the request:
    # https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/#requests-and-limits
    requests = {**(resources.get("limits") or {}), **(resources.get("requests") or {})}
    return PodSize(what, _number(requests.get("cpu")), _number(requests.get("memory")) / _GIB, count)


def _number(value: Any) -> float:
    from hybrid.kubernetes.quantities import quantity

    return float(quantity(value) or 0)


def _joined(sources: tuple[Mapping[str, Any], ...], kind: str) -> dict[str, Any]:
    return {name: value for source in sources for name, value in _below(source, kind).items()}


def _below(said: Any, *keys: str) -> Mapping[str, Any]:
    for key in keys:
        said = said.get(key) if isinstance(said, Mapping) else None
    return said if isinstance(said, Mapping) else {}
