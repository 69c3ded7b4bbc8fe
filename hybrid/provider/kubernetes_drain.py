"""The ``KubernetesDrain`` resource: what an agent's launcher made in a cluster is taken away with the stack."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Final

from hybrid.errors import NotReadyError
from hybrid.provider.agent_drain import RUNS, RUNS_VARIABLE, runs_on_delete
from hybrid.provider.definition import Definition, Flag, ListOf, Number, Property, Text
from hybrid.provider.end_rule import EndRule
from hybrid.provider.kubernetes_place import PLACE, Doors
from hybrid.provider.properties import Properties
from hybrid.provider.resource import Call, Existing

if TYPE_CHECKING:
    from hybrid.kubernetes.kinds import Kind
    from hybrid.kubernetes.made import Made
    from hybrid.kubernetes.session import Cluster
    from hybrid.kubernetes.workloads import Job, Pod, Thing

DEFINITION: Final = Definition(
    name="KubernetesDrain",
    description="Takes away what an agent's launcher made in a cluster when it is deleted: first the agent's own "
    "clean-up is waited for, then the Deployments, Services, ConfigMaps, Jobs and pods that are left are removed. Only "
    "what bears the stack's label is touched; in a namespace of the stack's own also what a launcher made without it. "
    "The agent's Deployment depends on it, and it depends on namespace, accounts, rights and Secrets, so it is deleted "
    "between them.",
    inputs={
        **PLACE,
        "namespaces": Property(
            ListOf(Text(), empty=False),
            "the agent's namespace, then those in which locations run that name one of their own",
        ),
        "agent": Property(Text(), "the name of the agent's Deployment, which must be gone first", replaces=True),
        "stack": Property(Text(), "the value of the label hybrid.dagster/stack", replaces=True),
        "ownsNamespace": Property(
            Flag(),
            "whether the first namespace is this stack's and goes away with it, and with it all that is in it",
            default=True,
        ),
        "runs": Property(
            RUNS,
            f"what happens to Jobs of runs; {RUNS_VARIABLE} overrules it. With `leave` they are removed all the same "
            "where their namespace goes away",
            default="wait",
        ),
        "cleanupSeconds": Property(
            Number(0, 3600, whole=False), "how long the agent may take to end and to clean up after itself", default=300
        ),
        "timeoutSeconds": Property(
            Number(1, 86400, whole=False), "how long each of the steps after that may take", default=1200
        ),
    },
)

_POLL: Final = 2.0  # seconds
_SHOWN: Final = 5  # names in one line
_PATIENCE: Final = 20.0  # seconds until pods whose Deployment or Job is gone are removed by us, and not by the cluster


class KubernetesDrain(EndRule):
    """See ``DEFINITION``. The id is ``namespace/stack``.

    All its work is done when it is deleted, and each step looks at what is there: one that was stopped half-way goes
    on when it is run again.
    """

    definition = DEFINITION

    def __init__(self, doors: Doors) -> None:
        self._doors = doors

    def create(self, inputs: Properties, call: Call) -> Existing:
        return Existing(f"{inputs['namespaces'][0]}/{inputs['stack']}", {})

    def delete(self, id: str, inputs: Properties, outputs: Properties, call: Call) -> None:
        """Raises ``NotReadyError`` when something stays, and when the agent's Deployment still stands."""
        choice = runs_on_delete(inputs)
        drain = _Drain(self._doors.to(inputs), inputs, call)
        drain.agent()
        drain.servers()
        drain.runs(choice)
        drain.rest()
        drain.tell()


class _Drain:
    """The steps, in their order. Each looks for itself and may be done before."""

    def __init__(self, cluster: Cluster, inputs: Properties, call: Call) -> None:
        self._cluster = cluster
        self._inputs = inputs
        self._call = call
        self._agents: set[str] = set()
        self._locations: set[str] = set()
        self._left: set[str] = set()
        self._removed: dict[str, set[str]] = {}

    def agent(self) -> None:
        """Wait until no pod of the agent is left: on SIGTERM it removes what it made, one by one."""
        from hybrid.kubernetes.kinds import POD

        deadline = time.monotonic() + self._inputs["cleanupSeconds"]
        while True:
            made = self._look()
            if made.agent is not None and not made.agent.thing.leaving and made.agent.desired > 0:
                raise _still_served(self._inputs)
            pods = [pod for pod in made.agent_pods if not pod.is_over]
            if not pods:
                return
            if time.monotonic() >= deadline:
                self._call.report.warning(
                    f"the agent did not end in {self._inputs['cleanupSeconds']:g} s; its pods are removed"
                )
                self._until_gone(POD, lambda: [pod.thing for pod in self._look().agent_pods], "agent's pod")
                return
            left = f"; {_counted(len(made.servers), 'code server')} left" if made.servers else ""
            self._pause(f"waiting for the agent to end and to clean up{left}")

    def servers(self) -> None:
        """Remove the code servers that are left. Their Services first, as the launcher does: a code server is found by
        its Deployment."""
        from hybrid.kubernetes.kinds import CONFIG_MAP, DEPLOYMENT, SERVICE

        self._until_gone(SERVICE, lambda: self._look().services, "service")
        self._until_gone(DEPLOYMENT, lambda: [one.thing for one in self._look().servers], "code server")
        self._until_gone(CONFIG_MAP, self._config_maps, "config map")

    def runs(self, choice: str) -> None:
        """Wait for the Jobs of runs, or remove them. Those that are over go in any case: without the agent nobody asks
        for them."""
        from hybrid.kubernetes.kinds import JOB

        self._until_gone(JOB, lambda: [job.thing for job in self._look().jobs if job.is_over], "finished run")
        found = self._look().runs
        kept = self._kept(found) if choice == "leave" else []
        if kept:
            self._call.report.warning(f"left to themselves, though their account and Secrets go away: {_named(kept)}")
        if choice == "leave" and len(kept) < len(found):
            gone = [job for job in found if job not in kept]
            self._call.report.warning(f"removed, since their namespace goes away: {_named(gone)}")
        if choice == "wait":
            self._await_runs()
        else:
            self._left = {job.thing.uid for job in kept}
            self._until_gone(JOB, lambda: [job.thing for job in self._look().jobs if self._may_go(job)], "run")

    def rest(self) -> None:
        """Wait until the pods of what was removed are over: until then they hold what else is to go. Those that the
        cluster forgets are removed."""
        from hybrid.kubernetes.kinds import POD

        begun, deadline = time.monotonic(), time.monotonic() + self._inputs["timeoutSeconds"]
        while pods := self._pods():
            self._refuse_late(deadline, [pod.name for pod in pods], "pods do not end")
            if time.monotonic() - begun >= _PATIENCE:
                self._remove(POD, [pod.thing for pod in pods])
            self._pause(f"waiting for {_counted(len(pods), 'pod')} to end")

    def tell(self) -> None:
        """What the agent itself had left over."""
        parts = [_counted(len(uids), noun) for noun, uids in self._removed.items()]
        if parts:
            self._call.report.info(f"removed what the agent had left: {', '.join(parts)}")

    def _await_runs(self) -> None:
        from hybrid.kubernetes.kinds import JOB

        deadline = time.monotonic() + self._inputs["timeoutSeconds"]
        waited = False
        while found := self._look().runs:
            waited = True
            if time.monotonic() >= deadline:
                raise _runs_stay(found, self._inputs)
            self._pause(f"waiting for {_named(found)}")
        if waited:
            self._call.report.info("no run is left")
            self._until_gone(JOB, lambda: [job.thing for job in self._look().jobs], "finished run")

    def _kept(self, found: Sequence[Job]) -> list[Job]:
        home = self._inputs["namespaces"][0]
        return [job for job in found if not (self._inputs["ownsNamespace"] and job.thing.namespace == home)]

    def _may_go(self, job: Job) -> bool:
        return job.thing.uid not in self._left

    def _pods(self) -> list[Pod]:
        """Pods of code servers and runs; not those of runs that are left to themselves."""
        made = self._look()
        return [pod for pod in (*made.server_pods, *made.run_pods) if not self._left.intersection(pod.thing.owners)]

    def _look(self) -> Made:
        from hybrid.kubernetes.made import made_in

        given = self._inputs
        made = made_in(
            self._cluster, given["namespaces"], given["agent"], given["stack"], owns=bool(given["ownsNamespace"])
        )
        # of what is gone by the next look the ids are still needed, to know its config maps
        self._agents |= made.agent_ids
        self._locations |= made.location_hashes
        return made

    def _config_maps(self) -> list[Thing]:
        return self._look().config_maps(self._agents, self._locations)

    def _until_gone(self, kind: Kind, look: Callable[[], Iterable[Thing]], noun: str) -> None:
        deadline = time.monotonic() + self._inputs["timeoutSeconds"]
        while found := list(look()):
            self._refuse_late(deadline, [thing.name for thing in found], f"{noun}s could not be removed")
            self._call.report.status(f"removing {_counted(len(found), noun)}: {found[0].name}")
            self._remove(kind, found, noun)
            if found := list(look()):
                self._pause(f"waiting for {_counted(len(found), noun)} to go")

    def _remove(self, kind: Kind, things: Iterable[Thing], noun: str = "pod") -> None:
        for thing in things:
            self._call.check()
            if not thing.leaving and self._cluster.remove(kind, thing.namespace, thing.name, thing.uid):
                self._removed.setdefault(noun, set()).add(thing.uid)

    def _pause(self, status: str) -> None:
        self._call.report.status(status)
        self._call.wait(_POLL)

    def _refuse_late(self, deadline: float, names: Sequence[str], what: str) -> None:
        if time.monotonic() >= deadline:
            shown = ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
            raise NotReadyError(
                f"After {self._inputs['timeoutSeconds']:g} s {len(names)} {what}: {shown}.",
                why="Namespace, accounts and rights stay while they are there: a finalizer, a node that does not "
                "answer, or something that makes them again may hold them.",
                next_step=f"look at `kubectl -n {self._inputs['namespaces'][0]} get all`, then run the same command "
                "again: it goes on from here.",
            )


def _still_served(inputs: Properties) -> NotReadyError:
    return NotReadyError(
        f"The agent's Deployment {inputs['agent']} still stands.",
        why="It would make again what is removed now; it has to be deleted first. Nothing was removed.",
        next_step="destroy the whole stack, or the agent's Deployment before its KubernetesDrain; if somebody else "
        f"made it, `kubectl -n {inputs['namespaces'][0]} delete deployment {inputs['agent']}`.",
    )


def _runs_stay(found: Sequence[Job], inputs: Properties) -> NotReadyError:
    return NotReadyError(
        f"After {inputs['timeoutSeconds']:g} s there {'are' if len(found) > 1 else 'is'} still {_named(found)}.",
        why="They go on without an agent, but not without their account and Secrets, so these stay.",
        next_step=f"wait and run the same command again, or set {RUNS_VARIABLE}=terminate to end them.",
    )


def _named(jobs: Sequence[Job]) -> str:
    names = ", ".join(f"{job.thing.job_name} {job.thing.run_id[:8]}".strip() for job in jobs[:_SHOWN])
    return f"{_counted(len(jobs), 'run')}: {names}" + (", …" if len(jobs) > _SHOWN else "")


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
