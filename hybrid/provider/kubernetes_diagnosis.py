"""What a cluster knows of an agent that does not come up and of locations that do not load: for the errors of a
wait."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from hybrid.errors import NotReadyError
from hybrid.provider.agent_diagnosis import PlatformDiagnosis, Told
from hybrid.provider.kubernetes_place import Doors

if TYPE_CHECKING:
    from hybrid.kubernetes.workloads import Deployment, Pod

_LINES: Final = 15


class KubernetesDiagnosis(PlatformDiagnosis):
    """Of an agent that is a Deployment in a cluster. ``place``: ``kubernetes_place.OF_AGENT``."""

    name = "the cluster"

    def __init__(self, place: Mapping[str, Any]) -> None:
        self._cluster = Doors().to(place)
        self._namespaces, self._deployment, self._stack = place["namespaces"], place["deployment"], place["stack"]
        self._known: set[tuple[str, int]] | None = None

    def refuse_stopped(self) -> None:
        from hybrid.kubernetes.diagnosis import diagnosed
        from hybrid.kubernetes.rollout import rollout_of

        seen = rollout_of(self._cluster, self._namespaces[0], self._deployment)
        troubled = seen.troubled if seen is not None else []
        if self._known is None:
            self._known = {(pod.thing.uid, pod.restarts) for pod in troubled}
        for pod in troubled:
            if (pod.thing.uid, pod.restarts) in self._known:
                continue
            self._known.add((pod.thing.uid, pod.restarts))
            found = diagnosed(self._cluster, pod)
            if not found.cause.passing:
                raise NotReadyError(
                    f"The agent's pod does not run any more. {found.cause.what}",
                    why=found.paragraph(),
                    next_step=f"{found.cause.next_step} Then run `up` again.",
                )

    def of_agent(self) -> Told:
        from hybrid.kubernetes.rollout import hindrance, rollout_of

        seen = rollout_of(self._cluster, self._namespaces[0], self._deployment)
        if seen is None:
            return Told(f"There is no Deployment {self._deployment} in the namespace {self._namespaces[0]}.")
        head = f"The Deployment {self._deployment}: {seen.progress()}."
        if said := self._of_pods([*seen.pods, *seen.failed]):
            return Told(f"{head}\n{said.text}", said.next_step)
        held = hindrance(self._cluster, seen.deployment)
        if held is not None:
            return Told(f"{head}\nIt says: {held[0]}\nLikely cause: {held[1].what}", held[1].next_step)
        return Told(head)

    def of_locations(self, deployment: str, locations: Sequence[str]) -> Iterator[Told]:
        from hybrid.kubernetes.labels import location_hash
        from hybrid.kubernetes.made import made_in

        made = made_in(self._cluster, self._namespaces, self._deployment, self._stack)
        for location in locations:
            wanted = location_hash(deployment, location)
            pods = [pod for pod in made.server_pods if pod.thing.location_hash == wanted]
            servers = [server for server in made.servers if server.thing.location_hash == wanted]
            said = self._of_pods(pods) or self._unmade(servers)
            if said is not None:
                yield Told(f"{location} in the cluster:\n{said.text}", said.next_step)

    def _of_pods(self, pods: Sequence[Pod]) -> Told | None:
        """The newest pod: why it does not run, or what it logs while it does."""
        from hybrid.kubernetes.diagnosis import diagnosed
        from hybrid.kubernetes.faults import cause_of_lines, is_in_trouble

        newest = max(pods, key=lambda pod: pod.thing.created, default=None)
        if newest is None:
            return None
        found = diagnosed(self._cluster, newest, _LINES)
        if is_in_trouble(newest) or newest.phase == "Pending":
            return Told(found.paragraph(), found.cause.next_step)
        cause = cause_of_lines(found.lines)
        parts = [f"Pod {newest.name} runs. The end of its log:" if found.lines else f"Pod {newest.name} runs."]
        parts += [f"  {line}" for line in found.lines] or [found.unread or "It logged nothing."]
        parts += [f"Likely cause: {cause.what}"] if cause is not None else []
        return Told("\n".join(parts), cause.next_step if cause is not None else None)

    def _unmade(self, servers: Sequence[Deployment]) -> Told | None:
        from hybrid.kubernetes.rollout import hindrance

        for server in servers:
            if (held := hindrance(self._cluster, server)) is not None:
                text = f"No pod of {server.name} can be made: {held[0]}\nLikely cause: {held[1].what}"
                return Told(text, held[1].next_step)
        return None
