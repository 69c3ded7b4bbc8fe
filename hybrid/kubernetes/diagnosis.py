"""What is known of a pod that does not run: the cluster's reason, how its containers ended, the end of its log, its
image and the node's architecture, the likely cause."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hybrid.kubernetes import causes, faults
from hybrid.kubernetes.causes import Cause
from hybrid.kubernetes.errors import KubernetesError
from hybrid.kubernetes.events import events_in
from hybrid.kubernetes.kinds import NODE
from hybrid.kubernetes.logs import lines_of
from hybrid.kubernetes.session import Cluster
from hybrid.kubernetes.workloads import Pod
from hybrid.redaction import redact

_OF_IMAGES = frozenset(
    {causes.ARCHITECTURE.kind, causes.IMAGE_MISSING.kind, causes.IMAGE_NAME.kind, causes.PULL_PERMISSION.kind,
     causes.PULL_LIMIT.kind, causes.NO_ROUTE_TO_REGISTRY.kind, causes.REGISTRY_CERTIFICATE.kind, causes.PULL.kind,
     causes.PULL_BROKEN.kind, causes.NEVER_PULLED.kind}
)  # fmt: skip


@dataclass(frozen=True)
class Diagnosis:
    """One pod. ``lines`` are the last of its log, oldest first, redacted; ``unread`` says why there are none when it
    could not be read. ``image`` is named where it is what is wrong, with the node's architecture."""

    pod: Pod
    reason: str
    exits: str
    lines: Sequence[str]
    cause: Cause
    image: str = ""
    unread: str = ""

    def paragraph(self) -> str:
        """All of it, for the ``why`` of an error."""
        parts = [f"Pod {self.pod.name} is {self.pod.phase}: {self.reason or 'the cluster gives no reason'}."]
        parts += [f"Image: {self.image}."] if self.image else []
        parts += [f"Container {self.exits}."] if self.exits else []
        parts += [f"Memory limit: {limit}."] if (limit := self._limit()) else []
        if self.lines:
            parts += ["The end of its log:", *(f"  {line}" for line in self.lines)]
        elif self.unread:
            parts.append(self.unread)
        elif self.exits:
            parts.append("It logged nothing.")
        parts.append(f"Likely cause: {self.cause.what}")
        return "\n".join(parts)

    def _limit(self) -> str:
        killed = self.cause in {causes.MEMORY, causes.KILLED}
        return str(self.pod.resources.get("limits", {}).get("memory", "")) if killed else ""


def diagnosed(cluster: Cluster, pod: Pod, count: int = 20) -> Diagnosis:
    """Why ``pod`` does not run. Events and logs that cannot be read are no error: the reason is there all the same."""
    try:
        events = events_in(cluster, pod.thing.namespace, of=pod.thing.uid)
    except KubernetesError:
        events = []
    lines: Sequence[str] = ()
    unread = ""
    try:
        lines = lines_of(cluster, pod, count)
    except KubernetesError as error:
        unread = f"Its log could not be read: {error.what}"
    cause = faults.likely_cause(pod, events, lines)
    return Diagnosis(
        pod=pod,
        reason=redact(faults.reason_of(pod, events)).rstrip("."),
        exits=faults.exits_of(pod),
        lines=lines,
        cause=cause,
        image=_image(cluster, pod) if cause.kind in _OF_IMAGES else "",
        unread=unread,
    )


def architecture_of(cluster: Cluster, node: str) -> str:
    """A node's architecture, such as amd64; empty when this identity may not look at nodes, or there is none."""
    try:
        found = cluster.find(NODE, "", node) if node else None
    except KubernetesError:
        return ""
    return str((((found or {}).get("status") or {}).get("nodeInfo") or {}).get("architecture") or "")


def _image(cluster: Cluster, pod: Pod) -> str:
    images = ", ".join(dict.fromkeys(one.image for one in pod.containers if one.image))
    kind = architecture_of(cluster, pod.node)
    return f"{images}, on a node of linux/{kind}" if images and kind else images
