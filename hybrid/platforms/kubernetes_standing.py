"""What ``hybrid status`` adds for a stack on Kubernetes: the agent's Deployment, and what its launcher has made."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from hybrid.errors import HybridError
from hybrid.platforms.commands import Remark, Shown

if TYPE_CHECKING:
    from rich.table import Table

    from hybrid.kubernetes.made import Made
    from hybrid.kubernetes.workloads import Deployment, Job, Pod
    from hybrid.platforms.kubernetes_place import KubernetesPlace
    from hybrid.plus import Agent


@dataclass(frozen=True)
class KubernetesStanding:
    """How the stack stands in the cluster. ``problem``: why the cluster did not tell; then all else is empty."""

    key: ClassVar[str] = "kubernetes"

    place: KubernetesPlace
    problem: HybridError | None = None
    version: str | None = None
    made: Made | None = None
    agents: Sequence[str] | None = None
    """Ids of the stack's agents that are RUNNING; None: Dagster+ has none of the stack that runs, so that no code
    server can be told to be an orphan."""

    @property
    def orphans(self) -> list[Deployment]:
        """Code servers of agents that are not there any more. A new agent removes them when they are old enough."""
        if self.made is None or self.agents is None:
            return []
        return self.made.orphans(self.agents)

    def document(self) -> dict[str, Any]:
        made = self.made
        orphans = {server.thing.uid for server in self.orphans}
        return {
            "context": self.place.context,
            "namespaces": list(self.place.namespaces),
            "version": self.version,
            "problem": self.problem.what if self.problem else None,
            "agent": _agent(made.agent, made.agent_pods) if made and made.agent else None,
            "code_servers": [
                _server(server, _of_server(made, server), orphan=server.thing.uid in orphans) for server in made.servers
            ]
            if made
            else [],
            "runs": [_run(job) for job in made.runs] if made else [],
            "strays": [pod.name for pod in made.strays()] if made else [],
        }

    def shown(self) -> Iterator[Shown]:
        from rich.table import Table
        from rich.text import Text

        yield Text(self.place.shown, style="bold") + Text(f"  {self.version or ''}")
        if self.problem is not None:
            yield Remark(f"The cluster does not tell what stands there: {self.problem.sentence()}")
            return
        if self.made is None:
            return
        yield from _remarks(self.made)
        table = Table(box=None, pad_edge=False, show_header=False)
        _agent_row(table, self.made, self.place)
        orphans = {server.thing.uid for server in self.orphans}
        for server in self.made.servers:
            _server_row(table, server, _of_server(self.made, server), orphan=server.thing.uid in orphans)
        for job in self.made.runs:
            state = "RUNNING" if job.active else "PENDING"
            table.add_row("run", Text(job.thing.job_name or "?"), Text(state), Text(job.thing.run_id[:8]))
        for pod in self.made.strays():
            table.add_row("stray", Text(pod.name), Text(pod.phase, style="yellow"), "")
        yield table
        if orphans:
            yield Remark(
                "Orphans are code servers of an agent that is gone; a running agent removes them once they are old "
                "enough."
            )


def kubernetes_standing(place: KubernetesPlace, agents: Sequence[Agent]) -> KubernetesStanding:
    """What the cluster says. Its refusals, a missing kubeconfig too, are an answer: Dagster+'s side can be shown
    without."""
    from hybrid.kubernetes.errors import KubernetesError
    from hybrid.kubernetes.made import made_in

    cluster = place.door()
    running = [agent.id for agent in agents if agent.is_running]
    try:
        version = str(cluster.version())
        owns = not place.adopts_namespace
        made = made_in(cluster, place.namespaces, place.deployment, place.base, owns=owns)
    except KubernetesError as error:
        return KubernetesStanding(place, problem=error)
    return KubernetesStanding(place, None, version, made, running or None)


def _of_server(made: Made, server: Deployment) -> list[Pod]:
    where = server.thing.namespace, server.name
    return [pod for pod in made.server_pods if (pod.thing.namespace, pod.thing.server) == where]


def _agent(agent: Deployment, pods: Sequence[Pod]) -> dict[str, Any]:
    return {
        "name": agent.name,
        "desired": agent.desired,
        "ready": agent.ready,
        "rolled_out": agent.is_rolled_out,
        "image": agent.image or None,
        "version": _version(agent.image),
        "pods": [_pod(pod) for pod in pods],
    }


def _server(server: Deployment, pods: Sequence[Pod], *, orphan: bool) -> dict[str, Any]:
    return {
        "deployment": server.name,
        "namespace": server.thing.namespace,
        "location": server.thing.location,
        "of": server.thing.labels.get("deployment_name", ""),
        "agent_id": server.thing.agent_id,
        "orphan": orphan,
        "desired": server.desired,
        "ready": server.ready,
        "pods": [_pod(pod) for pod in pods],
    }


def _pod(pod: Pod) -> dict[str, Any]:
    from hybrid.kubernetes.faults import is_in_trouble, reason_of
    from hybrid.redaction import redact

    return {
        "name": pod.name,
        "phase": pod.phase,
        "ready": pod.is_ready,
        "node": pod.node or None,
        "restarts": pod.restarts,
        "reason": redact(reason_of(pod)) or None if is_in_trouble(pod) else None,
        "started_at": pod.started.isoformat() if pod.started else None,
    }


def _run(job: Job) -> dict[str, Any]:
    return {
        "run_id": job.thing.run_id,
        "job": job.thing.job_name,
        "name": job.name,
        "namespace": job.thing.namespace,
        "active": job.active,
    }


def _version(image: str) -> str | None:
    return image.partition("@")[0].rpartition("/")[2].partition(":")[2] or None


def _remarks(made: Made) -> Iterator[Remark]:
    """Why pods do not run, as far as they say so themselves."""
    from hybrid.kubernetes.faults import is_in_trouble, likely_cause, reason_of
    from hybrid.redaction import redact

    for pod in (*made.agent_pods, *made.server_pods):
        if is_in_trouble(pod):
            cause = likely_cause(pod)
            yield Remark(f"{pod.name}: {redact(reason_of(pod)) or pod.phase}. {cause.what} Next: {cause.next_step}")


def _agent_row(table: Table, made: Made, place: KubernetesPlace) -> None:
    from rich.text import Text

    agent = made.agent
    if agent is None:
        table.add_row("agent", Text(place.deployment), Text("NOT THERE", style="red"), "the namespace has none")
        return
    good = agent.is_rolled_out
    word = f"{agent.ready}/{agent.desired} ready"
    more = [_version(agent.image) or agent.image, *_restarts(made.agent_pods)]
    more += [] if good else ["not rolled out"]
    table.add_row("agent", Text(agent.name), Text(word, style="green" if good else "red"), Text("  ".join(more)))


def _server_row(table: Table, server: Deployment, pods: Sequence[Pod], *, orphan: bool) -> None:
    from rich.text import Text

    good = server.ready >= server.desired and not orphan
    word = f"{server.ready}/{server.desired} ready" + ("  ORPHAN" if orphan else "")
    more = [server.thing.labels.get("deployment_name", ""), server.thing.namespace, *_restarts(pods)]
    table.add_row(
        "server",
        Text(server.thing.location),
        Text(word, style="green" if good else "yellow"),
        Text("  ".join(filter(None, more))),
    )


def _restarts(pods: Sequence[Pod]) -> list[str]:
    count = sum(pod.restarts for pod in pods)
    return [f"started anew {count} times"] if count > 1 else ["started anew once"] if count else []
