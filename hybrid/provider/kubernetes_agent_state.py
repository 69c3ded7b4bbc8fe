"""The ``KubernetesAgentState`` resource: an agent's Deployment was seen rolled out, and since when."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from hybrid.errors import NotReadyError
from hybrid.provider.definition import Anything, Definition, Flag, MapOf, Number, Property, Text
from hybrid.provider.difference import Change
from hybrid.provider.kubernetes_place import NAMESPACE, PLACE, Doors
from hybrid.provider.properties import Properties
from hybrid.provider.resource import Call, Existing, PartialError, Resource

if TYPE_CHECKING:
    from hybrid.kubernetes.causes import Cause
    from hybrid.kubernetes.diagnosis import Diagnosis
    from hybrid.kubernetes.rollout import Rollout
    from hybrid.kubernetes.session import Cluster
    from hybrid.kubernetes.workloads import Pod

DEFINITION: Final = Definition(
    name="KubernetesAgentState",
    description="The statement that a Deployment runs as many ready pods as are wanted, all of its newest revision and "
    "none of an older one. A pod that cannot start, or ends again and again, ends the wait with the cluster's reason, "
    "the end of its log and the likely cause; so does a quota that lets none be made.",
    inputs={
        **PLACE,
        "namespace": NAMESPACE.replacing(),
        "deployment": Property(Text(), "the Deployment's name", replaces=True),
        "triggers": Property(MapOf(Anything()), "other values that, when they change, mean to wait again", default={}),
        "timeoutSeconds": Property(Number(1, 7200, whole=False), "how long to wait", default=900),
    },
    outputs={
        "startedAt": Property(Text(empty=True), "when the newest of its containers was started, in ISO 8601"),
        "instance": Property(Text(empty=True), "changes whenever one of its pods is another, or was started anew"),
        "runningCount": Property(Number(0, 1000), "how many pods are ready"),
        "steady": Property(Flag(), "true; false when the last wait failed"),
    },
)

_NO_REASON_TO_WAIT: Final = frozenset({"timeoutSeconds", *PLACE})
_POLL: Final = 2.0  # seconds
_GRACE: Final = 15.0  # seconds for what is just being made elsewhere, and for a first pull that breaks


class KubernetesAgentState(Resource):
    """See ``DEFINITION``. The id is ``namespace/deployment``.

    A pod that failed is tried again by the cluster after up to five minutes. So a wait that follows upon one which
    failed begins with having such pods made anew.
    """

    definition = DEFINITION
    import_refusal = "It says something of a Deployment, and is not a thing."

    def __init__(self, doors: Doors) -> None:
        self._doors = doors

    def diff(self, old_inputs: Properties, outputs: Properties, inputs: Properties) -> list[Change]:
        found = super().diff(DEFINITION.complete(old_inputs), outputs, inputs)
        found = [change for change in found if change.path.partition(".")[0] not in _NO_REASON_TO_WAIT]
        return found if outputs.get("steady", True) else [*found, Change("steady", "update", replaces=False)]

    def create(self, inputs: Properties, call: Call) -> Existing:
        return self._watched(inputs, {}, call)

    def update(self, id: str, outputs: Properties, inputs: Properties, call: Call) -> Existing:
        return self._watched(inputs, outputs, call)

    def read(self, id: str, inputs: Properties, outputs: Properties, call: Call) -> Existing | None:
        """None is drift: the next update waits for it again, or says why it does not stand."""
        from hybrid.kubernetes.rollout import rollout_of

        seen = rollout_of(self._doors.to(inputs), inputs["namespace"], inputs["deployment"])
        if seen is None or not seen.is_steady:
            call.report.warning(f"the Deployment {inputs['deployment']} does not run as it should")
            return None
        return Existing(id, {**outputs, **_outputs(seen)})

    def delete(self, id: str, inputs: Properties, outputs: Properties, call: Call) -> None:
        """It states something; there is nothing to take away."""

    def _watched(self, inputs: Properties, before: Properties, call: Call) -> Existing:
        watch = _Watch(self._doors.to(inputs), inputs, call)
        if before.get("steady") is False:
            watch.begin_anew()
        id = f"{inputs['namespace']}/{inputs['deployment']}"
        deadline = time.monotonic() + inputs["timeoutSeconds"]
        try:
            while True:
                seen = watch.look()
                if seen.is_steady:
                    return Existing(id, {**_outputs(seen), "steady": True})
                if time.monotonic() >= deadline:
                    raise watch.late(seen)
                call.report.status(seen.progress())
                call.wait(_POLL)
        except NotReadyError as error:
            stood = {name: before.get(name, "") for name in ("startedAt", "instance")}
            raise PartialError(error, id=id, outputs={**stood, "runningCount": 0, "steady": False}) from error


class _Watch:
    """Looks at a Deployment again and again."""

    def __init__(self, cluster: Cluster, inputs: Properties, call: Call) -> None:
        self._cluster = cluster
        self._inputs = inputs
        self._call = call
        self._since: dict[str, float] = {}
        self._told: set[str] = set()

    def begin_anew(self) -> None:
        """Have the pods made again that failed before; what kept them from starting may be mended."""
        from hybrid.kubernetes.rollout import begin_anew, rollout_of

        seen = rollout_of(self._cluster, self._inputs["namespace"], self._inputs["deployment"])
        if seen is not None and begin_anew(self._cluster, seen.troubled):
            self._call.report.info(f"pods of {self._inputs['deployment']} that had failed are made anew")

    def look(self) -> Rollout:
        """Raises ``NotReadyError`` when it is certain that the agent will not stand by waiting."""
        from hybrid.kubernetes.rollout import rollout_of

        seen = rollout_of(self._cluster, self._inputs["namespace"], self._inputs["deployment"])
        if seen is None or seen.deployment.thing.leaving:
            raise _gone(self._inputs)
        if seen.deployment.desired == 0:
            raise _scaled_away(self._inputs)
        if seen.deployment.paused:
            raise _paused(self._inputs)
        self._refuse_unmade(seen)
        for pod in seen.troubled:
            self._refuse_trouble(pod)
        return seen

    def late(self, seen: Rollout) -> NotReadyError:
        """The error for a time that is over."""
        from hybrid.kubernetes.diagnosis import diagnosed

        waiting = [pod for pod in (*seen.pods, *seen.failed) if not pod.is_ready]
        found = diagnosed(self._cluster, waiting[0]) if waiting else None
        step = found.cause.next_step if found is not None else "look at `kubectl describe deployment`."
        return NotReadyError(
            f"After {self._inputs['timeoutSeconds']:g} s the agent's Deployment {self._inputs['deployment']} does not "
            f"stand: {seen.progress()}.",
            why=found.paragraph() if found is not None else "No pod of it says why.",
            next_step=f"{step} Then run the same command again: it waits on.",
        )

    def _refuse_unmade(self, seen: Rollout) -> None:
        from hybrid.kubernetes.rollout import hindrance

        if len(seen.pods) >= seen.deployment.desired:
            self._since.pop("", None)
            return
        found = hindrance(self._cluster, seen.deployment)
        if found is not None and self._lasts("") and not found[1].passing:
            raise _not_made(*found, self._inputs)

    def _refuse_trouble(self, pod: Pod) -> None:
        from hybrid.kubernetes.diagnosis import diagnosed

        if not self._lasts(pod.thing.uid) or pod.thing.uid in self._told:
            return
        found = diagnosed(self._cluster, pod)
        if not found.cause.passing:
            raise _failed(found, self._inputs)
        self._told.add(pod.thing.uid)
        self._call.report.warning(f"pod {pod.name}: {found.reason}. {found.cause.what} {found.cause.next_step}")

    def _lasts(self, what: str) -> bool:
        """Whether a trouble was seen a while ago already."""
        now = time.monotonic()
        return now - self._since.setdefault(what, now) >= _GRACE


def _outputs(seen: Rollout) -> Properties:
    return {
        "startedAt": seen.started.isoformat(timespec="milliseconds") if seen.started else "",
        "instance": seen.instance,
        "runningCount": len(seen.pods),
    }


def _failed(found: Diagnosis, inputs: Properties) -> NotReadyError:
    return NotReadyError(
        f"A pod of the agent's Deployment {inputs['deployment']} does not run. {found.cause.what}",
        why=found.paragraph(),
        next_step=f"{found.cause.next_step} Then run the same command again.",
    )


def _not_made(said: str, cause: Cause, inputs: Properties) -> NotReadyError:
    return NotReadyError(
        f"The cluster cannot make a pod of the agent's Deployment {inputs['deployment']}. {cause.what}",
        why=f"It says: {said}",
        next_step=f"{cause.next_step} Then run the same command again.",
    )


def _gone(inputs: Properties) -> NotReadyError:
    return NotReadyError(
        f"There is no Deployment {inputs['deployment']} in the namespace {inputs['namespace']}.",
        why="Somebody deleted it since it was made.",
        next_step="run `up --refresh`; it makes another.",
    )


def _scaled_away(inputs: Properties) -> NotReadyError:
    return NotReadyError(
        f"The agent's Deployment {inputs['deployment']} is to run no pod.",
        why="Somebody scaled it to 0.",
        next_step="run `up --refresh`; it scales it to what the stack says.",
    )


def _paused(inputs: Properties) -> NotReadyError:
    return NotReadyError(
        f"The roll-out of the agent's Deployment {inputs['deployment']} is paused.",
        why="Somebody paused it; until it is resumed the cluster changes nothing of it.",
        next_step=f"`kubectl -n {inputs['namespace']} rollout resume deployment/{inputs['deployment']}`, then run the "
        "same command again.",
    )
