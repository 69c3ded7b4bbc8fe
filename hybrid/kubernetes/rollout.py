"""A deployment as it is being rolled out: its pods of now and of before, whether it stands, and what holds it up."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from hybrid.kubernetes import faults
from hybrid.kubernetes.causes import Cause
from hybrid.kubernetes.errors import KubernetesDenied, KubernetesError
from hybrid.kubernetes.events import Event, events_in
from hybrid.kubernetes.kinds import POD, REPLICA_SET
from hybrid.kubernetes.labels import selector
from hybrid.kubernetes.made import deployment_in, pods_of
from hybrid.kubernetes.session import Cluster
from hybrid.kubernetes.workloads import Deployment, Pod, thing_of

_REVISION = "deployment.kubernetes.io/revision"
_TEMPLATE = "pod-template-hash"


@dataclass(frozen=True)
class Rollout:
    """One look. ``pods``: those of the newest revision that are not over and not leaving; ``troubled`` among them, and
    those of that revision that failed; ``older`` counts what is left of revisions before."""

    deployment: Deployment
    pods: Sequence[Pod]
    failed: Sequence[Pod]
    older: int

    @property
    def is_steady(self) -> bool:
        """Whether all wanted pods are new and ready, and none of an older revision is left."""
        counted = len(self.pods) == self.deployment.desired and self.older == 0
        return self.deployment.is_rolled_out and counted and all(pod.is_ready for pod in self.pods)

    @property
    def troubled(self) -> list[Pod]:
        """Pods that something keeps from their work."""
        return [pod for pod in (*self.pods, *self.failed) if faults.is_in_trouble(pod)]

    @property
    def started(self) -> datetime | None:
        """When the newest container that runs was started."""
        moments = [one.started for pod in self.pods for one in pod.containers if one.started and one.state == "running"]
        return max(moments, default=None)

    @property
    def instance(self) -> str:
        """Changes whenever a pod is another, or its container was started anew."""
        names = sorted(f"{pod.thing.uid} {pod.restarts}" for pod in self.pods)
        return hashlib.sha256("\n".join(names).encode()).hexdigest()[:16]

    def progress(self) -> str:
        """One line for whoever waits."""
        wanted = self.deployment.desired
        if self.deployment.observed < self.deployment.thing.generation:
            return "waiting for the cluster to begin the roll-out"
        ready = sum(pod.is_ready for pod in self.pods)
        running = sum(pod.phase == "Running" and not pod.is_ready for pod in self.pods)
        starting = [pod for pod in self.pods if pod.phase == "Pending"]
        parts = [f"{ready} of {wanted} {'pod' if wanted == 1 else 'pods'} ready"]
        parts += [f"{running} running and not ready yet"] if running else []
        parts += [f"{len(starting)} starting"] if starting else []
        parts += [f"{self.older} of the old ones left"] if self.older else []
        said = next((text for pod in starting if (text := faults.reason_of(pod))), "")
        return ", ".join(parts) + (f" ({said[:160]})" if said else "")


def rollout_of(cluster: Cluster, namespace: str, name: str) -> Rollout | None:
    """A look at a deployment and its pods; None when it is not there. Raises ``KubernetesError``."""
    deployment = deployment_in(cluster, namespace, name)
    if deployment is None:
        return None
    pods = pods_of(cluster, deployment)
    newest = _newest(cluster, deployment)
    if newest is None:  # who may not look at replica sets sees all pods as one revision
        of_now, older = pods, 0
    else:
        of_now = [pod for pod in pods if pod.thing.labels.get(_TEMPLATE) == newest]
        older = sum(not pod.is_over for pod in pods if pod.thing.labels.get(_TEMPLATE) != newest)
    alive = [pod for pod in of_now if not pod.is_over and not pod.thing.leaving]
    older += sum(pod.thing.leaving and not pod.is_over for pod in of_now)
    return Rollout(deployment, alive, [pod for pod in of_now if pod.phase == "Failed"], older)


def hindrance(cluster: Cluster, deployment: Deployment) -> tuple[str, Cause] | None:
    """Why pods of a deployment cannot even be made, in the cluster's words, with the likely cause. None when nothing
    says so, or events may not be read."""
    try:
        events: list[Event] = events_in(cluster, deployment.thing.namespace, prefix=f"{deployment.name}-")
    except KubernetesError:
        events = []
    begun = [event for event in events if event.about.startswith("ReplicaSet/")]
    return faults.cause_of_rollout(deployment, begun)


def begin_anew(cluster: Cluster, pods: Sequence[Pod]) -> int:
    """Have pods made again at once: one that failed waits up to five minutes between two tries. Returns how many.
    Raises ``KubernetesError``."""
    return sum(cluster.remove(POD, pod.thing.namespace, pod.name, pod.thing.uid) for pod in pods)


def _newest(cluster: Cluster, deployment: Deployment) -> str | None:
    """The template's hash in the labels of the newest revision's pods; None when that cannot be known."""
    try:
        listed = cluster.listed(REPLICA_SET, deployment.thing.namespace, selector(deployment.selector))
    except KubernetesDenied:
        return None
    wanted = deployment.thing.annotations.get(_REVISION)
    for each in map(thing_of, listed):
        if deployment.thing.uid in each.owners and wanted and each.annotations.get(_REVISION) == wanted:
            return each.labels.get(_TEMPLATE)
    return None
