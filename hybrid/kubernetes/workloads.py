"""Deployments, pods and jobs as the API tells them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from hybrid.kubernetes.labels import (
    AGENT_LABEL,
    JOB_LABEL,
    LOCATION_HASH_LABEL,
    LOCATION_LABEL,
    RUN_LABEL,
    SERVER_LABEL,
    STACK_LABEL,
)

NEVER: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Thing:
    """Any object: its name, its place, and ``uid``, which no other object ever has. ``created`` is NEVER when the API
    does not say; ``leaving`` when its end was asked for; ``owners`` are the uids of what it belongs to."""

    namespace: str
    name: str
    uid: str
    created: datetime
    leaving: bool
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    owners: Sequence[str]
    generation: int

    @property
    def stack(self) -> str:
        return self.labels.get(STACK_LABEL, "")

    @property
    def agent_id(self) -> str:
        """The id of the agent that made it, which is another one after each start of an agent."""
        return self.labels.get(AGENT_LABEL, "")

    @property
    def run_id(self) -> str:
        return self.labels.get(RUN_LABEL, "")

    @property
    def job_name(self) -> str:
        return self.labels.get(JOB_LABEL, "")

    @property
    def location(self) -> str:
        """Letters, digits and a few signs of the location's name only: for people."""
        return self.labels.get(LOCATION_LABEL, "")

    @property
    def location_hash(self) -> str:
        return self.labels.get(LOCATION_HASH_LABEL, "")

    @property
    def server(self) -> str:
        """Of a code server's pod: the name of its Deployment."""
        return self.labels.get(SERVER_LABEL, "")


@dataclass(frozen=True)
class Deployment:
    """``observed``: the generation that the numbers are about. ``updated``, ``ready``, ``available``, ``total`` count
    pods. ``image`` is that of its first container. ``conditions`` by type: status, reason, message."""

    thing: Thing
    desired: int
    observed: int
    updated: int
    ready: int
    available: int
    total: int
    paused: bool
    selector: Mapping[str, str]
    image: str
    conditions: Mapping[str, tuple[str, str, str]]

    @property
    def name(self) -> str:
        return self.thing.name

    @property
    def is_rolled_out(self) -> bool:
        """Whether all wanted pods are of the wanted kind and available, and none of an older one is left
        (kubectl's rollout status)."""
        seen = self.observed >= self.thing.generation and self.desired > 0
        return seen and self.updated == self.desired == self.available == self.total


@dataclass(frozen=True)
class Container:
    """One container of a pod, ``first`` for one that runs before the others. ``state``: waiting, running, terminated,
    or empty before the node has taken the pod. ``reason`` and ``message`` are of that state; ``exit_code`` and
    ``last_*`` of how it ended, this time or the time before."""

    name: str
    image: str
    first: bool
    state: str
    reason: str
    message: str
    started: datetime | None
    ready: bool
    restarts: int
    exit_code: int | None
    last_reason: str
    last_message: str
    last_ended: datetime | None


@dataclass(frozen=True)
class Pod:
    """``phase``: Pending, Running, Succeeded, Failed, Unknown. ``reason`` is of the pod as a whole (Evicted). ``node``
    is empty until it was given one. ``conditions`` by type: status, reason, message. ``resources`` are those of its
    first container."""

    thing: Thing
    phase: str
    reason: str
    message: str
    node: str
    started: datetime | None
    containers: Sequence[Container]
    conditions: Mapping[str, tuple[str, str, str]]
    resources: Mapping[str, Mapping[str, str]]

    @property
    def name(self) -> str:
        return self.thing.name

    @property
    def is_over(self) -> bool:
        return self.phase in {"Succeeded", "Failed"}

    @property
    def is_ready(self) -> bool:
        return self.conditions.get("Ready", ("", "", ""))[0] == "True" and not self.thing.leaving

    @property
    def restarts(self) -> int:
        return sum(one.restarts for one in self.containers)


@dataclass(frozen=True)
class Job:
    """A run's Job. ``ended``: Complete, Failed or empty."""

    thing: Thing
    active: int
    ended: str
    reason: str
    message: str

    @property
    def name(self) -> str:
        return self.thing.name

    @property
    def is_over(self) -> bool:
        return bool(self.ended)


def thing_of(given: Any) -> Thing:
    """Any object's metadata."""
    meta = given.get("metadata") or {}
    return Thing(
        namespace=str(meta.get("namespace") or ""),
        name=str(meta.get("name") or ""),
        uid=str(meta.get("uid") or ""),
        created=moment(meta.get("creationTimestamp")) or NEVER,
        leaving=bool(meta.get("deletionTimestamp")),
        labels=dict(meta.get("labels") or {}),
        annotations=dict(meta.get("annotations") or {}),
        owners=tuple(str(one.get("uid")) for one in meta.get("ownerReferences") or []),
        generation=int(meta.get("generation") or 0),
    )


def deployment_of(given: Any) -> Deployment:
    """As the API tells it; numbers that it leaves out are 0, of wanted pods 1 (its default)."""
    spec, status = given.get("spec") or {}, given.get("status") or {}
    wanted = spec.get("replicas")
    return Deployment(
        thing=thing_of(given),
        desired=1 if wanted is None else int(wanted),
        observed=int(status.get("observedGeneration") or 0),
        updated=int(status.get("updatedReplicas") or 0),
        ready=int(status.get("readyReplicas") or 0),
        available=int(status.get("availableReplicas") or 0),
        total=int(status.get("replicas") or 0),
        paused=bool(spec.get("paused")),
        selector=dict((spec.get("selector") or {}).get("matchLabels") or {}),
        image=_image(spec.get("template") or {}),
        conditions=_conditions(status),
    )


def pod_of(given: Any) -> Pod:
    """As the API tells it."""
    spec, status = given.get("spec") or {}, given.get("status") or {}
    first = [_container(one, first=True) for one in status.get("initContainerStatuses") or []]
    containers = [_container(one, first=False) for one in status.get("containerStatuses") or []]
    main = (spec.get("containers") or [{}])[0]
    return Pod(
        thing=thing_of(given),
        phase=str(status.get("phase") or "Unknown"),
        reason=str(status.get("reason") or ""),
        message=str(status.get("message") or ""),
        node=str(spec.get("nodeName") or ""),
        started=moment(status.get("startTime")),
        containers=(*first, *containers),
        conditions=_conditions(status),
        resources={kind: dict(told) for kind, told in (main.get("resources") or {}).items() if isinstance(told, dict)},
    )


def job_of(given: Any) -> Job:
    """As the API tells it."""
    status = given.get("status") or {}
    conditions = _conditions(status)
    ended = next((kind for kind in ("Complete", "Failed") if conditions.get(kind, ("", "", ""))[0] == "True"), "")
    _, reason, message = conditions.get(ended, ("", "", ""))
    return Job(thing_of(given), int(status.get("active") or 0), ended, reason, message)


def moment(text: Any) -> datetime | None:
    """A time as the API writes it."""
    if not isinstance(text, str) or not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _image(template: Any) -> str:
    containers = (template.get("spec") or {}).get("containers") or [{}]
    return str(containers[0].get("image") or "")


def _conditions(status: Any) -> dict[str, tuple[str, str, str]]:
    return {
        str(one.get("type")): (str(one.get("status")), str(one.get("reason") or ""), str(one.get("message") or ""))
        for one in status.get("conditions") or []
    }


def _container(given: Any, *, first: bool) -> Container:
    state: tuple[str, Any] = next(((kind, told or {}) for kind, told in (given.get("state") or {}).items()), ("", {}))
    last = (given.get("lastState") or {}).get("terminated") or {}
    ended = state[1] if state[0] == "terminated" else last
    code = ended.get("exitCode")
    return Container(
        name=str(given.get("name") or ""),
        image=str(given.get("image") or ""),
        first=first,
        state=state[0],
        reason=str(state[1].get("reason") or ""),
        message=str(state[1].get("message") or ""),
        started=moment(state[1].get("startedAt")),
        ready=bool(given.get("ready")),
        restarts=int(given.get("restartCount") or 0),
        exit_code=int(code) if code is not None else None,
        last_reason=str(ended.get("reason") or ""),
        last_message=str(ended.get("message") or ""),
        last_ended=moment(ended.get("finishedAt")),
    )
