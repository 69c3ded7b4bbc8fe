"""Logs of a Kubernetes stack: which pods are meant, and their lines."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from hybrid.platforms import commands

if TYPE_CHECKING:
    from hybrid.engine.stack import Stack
    from hybrid.kubernetes.logs import LogLine
    from hybrid.kubernetes.session import Cluster
    from hybrid.kubernetes.workloads import Pod
    from hybrid.platforms.kubernetes_place import KubernetesPlace


@dataclass(frozen=True)
class PodLog:
    """Lines of the pods that ``pods`` finds, anew at each look; none of before ``since``."""

    what: str
    cluster: Cluster
    pods: Callable[[], Sequence[Pod]]
    since: datetime
    single: bool = False
    """Whether it is always one pod, so that lines need not say which."""

    @classmethod
    def of(cls, stack: Stack, place: KubernetesPlace, wanted: commands.LogRequest) -> PodLog:
        """Raises ``UsageError`` for a location that the stack does not have."""
        from hybrid.kubernetes.workloads import NEVER

        cluster = place.door()
        since = NEVER if wanted.since is None else datetime.now(UTC) - wanted.since
        if wanted.run is not None:
            run = wanted.run
            return cls(f"the run {run}", cluster, lambda: pods_of_run(place, run, cluster), since, single=True)
        if wanted.location is not None:
            location = wanted.location
            stack.location(location)
            what = f"the code server of {location}"
            return cls(what, cluster, lambda: pods_of_location(stack, place, location, cluster), since)
        return cls("the agent", cluster, lambda: pods_of_agent(place, cluster), since)

    def last(self, count: int) -> list[LogLine]:
        """The last lines of all pods together, oldest first. Raises ``KubernetesError``."""
        from hybrid.kubernetes.logs import lines_since

        return lines_since(self.cluster, self.pods(), self.since, count=count) if count else []

    def followed(self, shown: Sequence[LogLine]) -> Iterator[LogLine]:
        """What comes after ``shown``, until the caller ends it."""
        from hybrid.kubernetes.logs import followed

        since = shown[-1].at if shown else datetime.now(UTC)
        already = set(shown)
        for line in followed(self.cluster, self.pods, since, time.sleep):
            if line not in already:
                yield line

    @property
    def bound(self) -> str:
        """From when on, for a sentence; empty: all there is."""
        from hybrid.kubernetes.workloads import NEVER

        return "" if self.since == NEVER else f" since {self.since.astimezone():%Y-%m-%d %H:%M}"

    def state(self) -> str:
        """Why there may be no log."""
        from hybrid.kubernetes.faults import reason_of

        pods = self.pods()
        if not pods:
            return "there is no pod of it"
        return "; ".join(f"{pod.name} is {pod.phase} {reason_of(pod)}".strip() for pod in pods)

    def line(self, found: LogLine) -> commands.LogLine:
        """Several pods may write at once: during a roll-out, or as replicas."""
        short = "" if self.single else found.pod.rpartition("-")[2]
        return commands.LogLine(f"{found.message}\n", found.at, short)


def pods_of_agent(place: KubernetesPlace, cluster: Cluster | None = None) -> list[Pod]:
    """Also those that are leaving, whose last words are of interest. Raises ``KubernetesError``."""
    from hybrid.kubernetes.made import deployment_in, pods_of

    cluster = cluster or place.door()
    found = deployment_in(cluster, place.home, place.deployment)
    return pods_of(cluster, found) if found is not None else []


def pods_of_location(stack: Stack, place: KubernetesPlace, location: str, cluster: Cluster | None = None) -> list[Pod]:
    """Those of its code servers, of the stack's agents alone. Raises ``UsageError`` for a location that the stack does
    not have, and ``KubernetesError``."""
    from hybrid.kubernetes.labels import LOCATION_HASH_LABEL, STACK_LABEL, location_hash

    stack.location(location)
    wanted = location_hash(stack.who.endpoint.deployment, location)
    return _pods(cluster or place.door(), place, {STACK_LABEL: place.base, LOCATION_HASH_LABEL: wanted})


def pods_of_run(place: KubernetesPlace, run: str, cluster: Cluster | None = None) -> list[Pod]:
    """Raises ``KubernetesError``."""
    from hybrid.kubernetes.labels import RUN_LABEL, STACK_LABEL

    return _pods(cluster or place.door(), place, {STACK_LABEL: place.base, RUN_LABEL: run})


def _pods(cluster: Cluster, place: KubernetesPlace, labels: dict[str, str]) -> list[Pod]:
    from hybrid.kubernetes.kinds import POD
    from hybrid.kubernetes.labels import selector
    from hybrid.kubernetes.workloads import pod_of

    asked = selector(labels)
    return [pod_of(one) for namespace in place.namespaces for one in cluster.listed(POD, namespace, asked)]
