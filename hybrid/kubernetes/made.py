"""What stands in a cluster for a stack: the agent's deployment, and what its launcher made: code servers and runs."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from hybrid.kubernetes.errors import KubernetesDenied
from hybrid.kubernetes.kinds import (
    CONFIG_MAP,
    CRON_JOB,
    DAEMON_SET,
    DEPLOYMENT,
    JOB,
    POD,
    SERVICE,
    STATEFUL_SET,
    Kind,
)
from hybrid.kubernetes.labels import (
    LAUNCHER,
    MANAGED_BY_LABEL,
    RUN_LABEL,
    STACK_LABEL,
    is_state_config_map,
    of_launcher,
    selector,
    state_config_map,
)
from hybrid.kubernetes.session import Cluster
from hybrid.kubernetes.workloads import Deployment, Job, Pod, Thing, deployment_of, job_of, pod_of, thing_of

_BETWEEN: Final = timedelta(minutes=1)
"""The launcher makes a code server's config map before its Deployment, by two calls of which one follows the other."""
_USERS_OF_IMAGES: Final = (DEPLOYMENT, STATEFUL_SET, DAEMON_SET, CRON_JOB, JOB, POD)


@dataclass(frozen=True)
class Made:
    """One look. ``agent``: None when there is no such deployment. ``services`` are those of code servers.
    ``state_maps`` are the config maps of code servers of all agents in these namespaces, since the launcher gives them
    no label of the stack. Jobs and pods of runs are there until a day after their end."""

    agent: Deployment | None
    agent_pods: Sequence[Pod]
    servers: Sequence[Deployment]
    services: Sequence[Thing]
    state_maps: Sequence[Thing]
    served: Collection[tuple[str, str]]
    """Namespaces and names of the config maps of all code servers there, of others' too."""
    server_pods: Sequence[Pod]
    jobs: Sequence[Job]
    run_pods: Sequence[Pod]

    @property
    def runs(self) -> list[Job]:
        """Jobs that are not over."""
        return [job for job in self.jobs if not job.is_over]

    @property
    def agent_ids(self) -> set[str]:
        """The ids of the agents that made it; each start of an agent has one of its own."""
        things = (*(one.thing for one in self.servers), *self.services, *(one.thing for one in self.server_pods))
        return {thing.agent_id for thing in things if thing.agent_id}

    @property
    def location_hashes(self) -> set[str]:
        """Of the locations that it serves: each is of one location of one deployment of Dagster+."""
        things = (*(one.thing for one in self.servers), *self.services, *(one.thing for one in self.server_pods))
        return {thing.location_hash for thing in things if thing.location_hash}

    def orphans(self, agents: Collection[str]) -> list[Deployment]:
        """Code servers of agents that are not among ``agents`` (ids as Dagster+ tells them)."""
        return [server for server in self.servers if server.thing.agent_id not in agents]

    def config_maps(self, agents: Collection[str], locations: Collection[str] = ()) -> list[Thing]:
        """Config maps of this stack's code servers, of agents whose ids are ``agents``, and those of no code server at
        all for one of ``locations``, which are hashes: an agent of before ended between the two."""
        named = {(one.thing.namespace, state_config_map(one.name)) for one in self.servers}
        return [
            one
            for one in self.state_maps
            if one.agent_id in agents
            or (one.namespace, one.name) in named
            or (one.location_hash in locations and self._has_no_server(one))
        ]

    def _has_no_server(self, state_map: Thing) -> bool:
        """One that is new may be about to get its server."""
        settled = datetime.now(UTC) - state_map.created >= _BETWEEN
        return settled and (state_map.namespace, state_map.name) not in self.served

    def strays(self) -> list[Pod]:
        """Pods of code servers and runs whose Deployment or Job is gone."""
        servers = {(one.thing.namespace, one.name) for one in self.servers}
        jobs = {job.thing.uid for job in self.jobs}
        found = [pod for pod in self.server_pods if (pod.thing.namespace, pod.thing.server) not in servers]
        return found + [pod for pod in self.run_pods if not jobs.intersection(pod.thing.owners)]


def made_in(cluster: Cluster, namespaces: Sequence[str], agent: str, stack: str, *, owns: bool = False) -> Made:
    """What bears the label of ``stack`` in ``namespaces``, the first of which is the agent's; ``agent`` is the name of
    its deployment. Everything else there is passed over.

    ``owns``: the first namespace is this stack's alone: what a launcher made there counts without that label, too, as
    long as it has not another stack's. Raises ``KubernetesError``.
    """
    home, *others = dict.fromkeys(namespaces)
    whole = [_Look(cluster, home, stack, owns=owns)] + [_Look(cluster, one, stack, owns=False) for one in others]
    deployments = [deployment_of(one) for look in whole for one in look.of(DEPLOYMENT)]
    pods = [pod_of(one) for look in whole for one in look.of(POD)]
    servers = [one for one in deployments if of_launcher(one.thing.labels)]
    own = next((one for one in deployments if one.name == agent and one.thing.namespace == home), None)
    return Made(
        agent=own if own is not None else deployment_in(cluster, home, agent),
        agent_pods=[pod for pod in pods if not _is_of_server(pod) and not pod.thing.run_id],
        servers=servers,
        services=[one for look in whole for one in map(thing_of, look.of(SERVICE)) if of_launcher(one.labels)],
        state_maps=[one for look in whole for one in look.state_maps() if is_state_config_map(one.name)],
        served={named for look in whole for named in look.served()},
        server_pods=[pod for pod in pods if _is_of_server(pod)],
        jobs=[job for look in whole for job in map(job_of, look.of(JOB)) if job.thing.run_id],
        run_pods=[pod for pod in pods if pod.thing.run_id],
    )


def deployment_in(cluster: Cluster, namespace: str, name: str) -> Deployment | None:
    """A deployment by its name. Raises ``KubernetesError``."""
    found = cluster.find(DEPLOYMENT, namespace, name)
    return deployment_of(found) if found is not None else None


def pods_of(cluster: Cluster, deployment: Deployment) -> list[Pod]:
    """The pods that a deployment's selector takes, also those that are leaving. Raises ``KubernetesError``."""
    listed = cluster.listed(POD, deployment.thing.namespace, selector(deployment.selector))
    return [pod_of(one) for one in listed]


def images_in(cluster: Cluster) -> Iterator[tuple[str, str]]:
    """Images that are in use in the cluster, in whichever namespace and by whom, each with who does: of what makes
    pods, at any moment or at its time, and of pods. Raises ``KubernetesDenied`` when this identity may not see all
    namespaces, and other ``KubernetesError``."""
    for kind in _USERS_OF_IMAGES:
        for one in _of_all_namespaces(cluster, kind):
            thing = thing_of(one)
            user = f"the {kind.noun} {thing.namespace}/{thing.name}"
            pod = _pod_spec(kind, one.get("spec") or {})
            for container in (*(pod.get("containers") or ()), *(pod.get("initContainers") or ())):
                if image := container.get("image"):
                    yield str(image), user


def _of_all_namespaces(cluster: Cluster, kind: Kind) -> list[Any]:
    try:
        return cluster.listed(kind, "")
    except KubernetesDenied as error:
        raise KubernetesDenied(
            f"This identity may not list the {kind.noun}s of all namespaces of {cluster.server}.",
            why=f"An image that another namespace uses would be taken for one that nothing uses. Nothing was removed. "
            f"{error.why}",
            next_step="take a context that may list pods and what makes them (deployments, stateful sets, daemon sets, "
            "jobs, cron jobs) in all namespaces, as the cluster role `view` does, bound by a ClusterRoleBinding.",
        ) from None


def _pod_spec(kind: Kind, spec: Any) -> Any:
    """That of the pods which something makes, or is."""
    if kind is POD:
        return spec
    if kind is CRON_JOB:
        spec = (spec.get("jobTemplate") or {}).get("spec") or {}
    return (spec.get("template") or {}).get("spec") or {}


@dataclass(frozen=True)
class _Look:
    """One namespace."""

    cluster: Cluster
    namespace: str
    stack: str
    owns: bool

    def of(self, kind: Kind) -> Iterator[Any]:
        seen: set[str] = set()
        for labels in self._selectors():
            for one in self.cluster.listed(kind, self.namespace, labels):
                thing = thing_of(one)
                if thing.uid not in seen and thing.stack in {"", self.stack}:
                    seen.add(thing.uid)
                    yield one

    def state_maps(self) -> list[Thing]:
        labels = selector({MANAGED_BY_LABEL: LAUNCHER})
        return [thing_of(one) for one in self.cluster.listed(CONFIG_MAP, self.namespace, labels, contents=False)]

    def served(self) -> Iterator[tuple[str, str]]:
        labels = selector({MANAGED_BY_LABEL: LAUNCHER})
        for one in self.cluster.listed(DEPLOYMENT, self.namespace, labels, contents=False):
            yield self.namespace, state_config_map(thing_of(one).name)

    def _selectors(self) -> list[str]:
        stack = selector({STACK_LABEL: self.stack})
        return [stack, selector({MANAGED_BY_LABEL: LAUNCHER}), selector({RUN_LABEL: ""})] if self.owns else [stack]


def _is_of_server(pod: Pod) -> bool:
    return of_launcher(pod.thing.labels) or bool(pod.thing.server)
