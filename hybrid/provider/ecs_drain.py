"""The ``EcsDrain`` resource: what an agent made in ECS and Cloud Map is taken away with the stack."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from hybrid.errors import NotReadyError
from hybrid.provider.agent_drain import RUNS, RUNS_VARIABLE, runs_on_delete
from hybrid.provider.definition import Definition, Failure, Flag, Number, Property, Text
from hybrid.provider.ecs_place import ACCOUNT, CLUSTER, REGION, Doors, wrong_account
from hybrid.provider.end_rule import EndRule
from hybrid.provider.properties import Properties
from hybrid.provider.resource import Call, Existing

if TYPE_CHECKING:
    from hybrid.aws.made import Made
    from hybrid.aws.session import Aws
    from hybrid.aws.tasks import Task

DEFINITION: Final = Definition(
    name="EcsDrain",
    description="Takes away what an agent made in a cluster and in a Cloud Map namespace when it is deleted: first the "
    "agent's own clean-up is waited for, then what is left over is removed. Only what bears the stack's tag is "
    "touched, and in the stack's own namespace every name. The agent's service depends on it, and it depends on "
    "cluster, namespace, roles and network, so it is deleted between them.",
    inputs={
        "region": REGION,
        "account": ACCOUNT,
        "cluster": Property(CLUSTER.kind, CLUSTER.description, replaces=True),
        "service": Property(Text(), "the name of the agent's service, which must be gone first", replaces=True),
        "stack": Property(Text(), "the value of the tag dagster-hybrid/stack", replaces=True),
        "namespace": Property(Text(), "the id of the Cloud Map namespace; default: none is looked at", required=False),
        "ownsNamespace": Property(Flag(), "whether all names in the namespace are this stack's", default=True),
        "ownsCluster": Property(
            Flag(), "whether the cluster is this stack's and goes away with it, and with it every task", default=True
        ),
        "runs": Property(
            RUNS,
            f"what happens to tasks of runs; {RUNS_VARIABLE} overrules it. With `leave` they are stopped all the same "
            "when the cluster goes away",
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

_POLL: Final = 3.0  # seconds
_SHOWN: Final = 5  # tasks or services named in one line
_REASON: Final = "the stack is taken down"


class EcsDrain(EndRule):
    """See ``DEFINITION``. The id is ``cluster/stack``.

    All its work is done when it is deleted, and each step looks at what is there: one that was stopped half-way goes
    on when it is run again.
    """

    definition = DEFINITION

    def __init__(self, doors: Doors) -> None:
        self._doors = doors

    def check(self, inputs: Properties) -> list[Failure]:
        return wrong_account(inputs)

    def create(self, inputs: Properties, call: Call) -> Existing:
        return Existing(f"{inputs['cluster']}/{inputs['stack']}", {})

    def delete(self, id: str, inputs: Properties, outputs: Properties, call: Call) -> None:
        """Raises ``NotReadyError`` when something stays, and when the agent's service still runs."""
        choice = runs_on_delete(inputs)
        drain = _Drain(self._doors.to(inputs), inputs, call)
        drain.agent()
        drain.servers()
        drain.runs(choice)
        drain.rest()
        drain.names()
        drain.tell()


class _Drain:
    """The steps, in their order. Each looks for itself and may be done before."""

    def __init__(self, aws: Aws, inputs: Properties, call: Call) -> None:
        self._aws = aws
        self._inputs = inputs
        self._call = call
        self._services: set[str] = set()
        self._tasks: set[str] = set()
        self._names: set[str] = set()

    def agent(self) -> None:
        """Wait until no task of the agent's service is left: on SIGTERM it removes what it made, one by one."""
        deadline = time.monotonic() + self._inputs["cleanupSeconds"]
        while True:
            made = self._look()
            if made.agent is not None and made.agent.is_active and made.agent.desired > 0:
                raise _still_served(self._inputs)
            if not made.agent_tasks:
                return
            if time.monotonic() >= deadline:
                self._call.report.warning(
                    f"the agent did not end in {self._inputs['cleanupSeconds']:g} s; it is stopped"
                )
                self._stop([task for task in made.agent_tasks if task.is_of_stack(self._inputs["stack"])])
                self._until_over({task.arn for task in made.agent_tasks}, "the agent's tasks")
                return
            left = f"; {len(made.servers)} code servers left" if made.servers else ""
            self._pause(f"waiting for the agent to end and to clean up{left}")

    def servers(self) -> None:
        """Delete the code servers that are left, until none is listed any more."""
        from hybrid.aws.services import remove_service

        deadline = time.monotonic() + self._inputs["timeoutSeconds"]
        while servers := self._look().servers:
            self._refuse_late(
                deadline, [server.service.name for server in servers], "code servers could not be deleted"
            )
            for server in servers:
                self._call.report.status(f"removing {_counted(len(servers), 'code server')}: {server.service.name}")
                self._call.check()
                if remove_service(self._aws, self._inputs["cluster"], server.service.name):
                    self._services.add(server.service.name)
            if self._look().servers:
                self._pause(f"waiting for {_counted(len(servers), 'code server')} to go")

    def runs(self, choice: str) -> None:
        """Wait for the runs' tasks, or stop them."""
        found = self._look().runs
        if not found:
            return
        if choice == "leave" and not self._inputs["ownsCluster"]:
            self._call.report.warning(f"left to themselves, though their roles go away: {_named(found)}")
            return
        if choice == "leave":
            self._call.report.warning(f"stopped, since their cluster goes away: {_named(found)}")
        if choice != "wait":
            self._stop(found)
        deadline = time.monotonic() + self._inputs["timeoutSeconds"]
        while found := self._look().runs:
            if time.monotonic() >= deadline:
                raise _runs_stay(found, self._inputs, stopped=choice != "wait")
            self._pause(f"waiting for {_named(found)}")
        self._call.report.info("no task of a run is left")

    def rest(self) -> None:
        """Wait until the tasks of what was deleted are over: until then they hold the cluster and the network. Those
        that belong to nothing are stopped."""
        deadline = time.monotonic() + self._inputs["timeoutSeconds"]
        while True:
            strays = self._look().strays
            if not strays:
                return
            self._refuse_late(deadline, [task.id for task in strays], "tasks do not stop")
            self._stop([task for task in strays if task.desired_status != "STOPPED" and not task.service])
            self._pause(f"waiting for {_counted(len(strays), 'task')} to stop")

    def names(self) -> None:
        """Take the names of code servers out of the namespace."""
        from hybrid.aws.discovery import registered_in, remove_registered

        namespace = self._inputs.get("namespace")
        if not namespace:
            return
        deadline = time.monotonic() + self._inputs["timeoutSeconds"]
        while True:
            listed = registered_in(self._aws, namespace)
            ours = [one for one in listed if self._inputs["ownsNamespace"] or one.is_of_stack(self._inputs["stack"])]
            if not ours:
                return
            self._refuse_late(deadline, [one.name for one in ours], "names of Cloud Map could not be removed")
            stay = 0
            for one in ours:
                self._call.report.status(f"removing {_counted(len(ours), 'name')} of Cloud Map: {one.name}")
                self._call.check()
                if remove_registered(self._aws, one, self._call.wait):
                    self._names.add(one.name)
                else:
                    stay += 1
            if stay:
                self._pause(f"waiting for {_counted(stay, 'name')} of Cloud Map to be free")

    def tell(self) -> None:
        """What the agent itself had left over."""
        parts = [_counted(len(self._services), "code server")] if self._services else []
        parts += [_counted(len(self._tasks), "task")] if self._tasks else []
        parts += [_counted(len(self._names), "name") + " of Cloud Map"] if self._names else []
        if parts:
            self._call.report.info(f"removed what the agent had left: {', '.join(parts)}")

    def _look(self) -> Made:
        from hybrid.aws.made import made_in

        return made_in(self._aws, self._inputs["cluster"], self._inputs["service"], self._inputs["stack"])

    def _stop(self, tasks: Sequence[Task]) -> None:
        from hybrid.aws.tasks import stop_task

        for task in tasks:
            self._call.check()
            stop_task(self._aws, self._inputs["cluster"], task.arn, _REASON)
            self._tasks.add(task.arn)

    def _until_over(self, tasks: set[str], what: str) -> None:
        from hybrid.aws.tasks import unfinished_tasks

        deadline = time.monotonic() + self._inputs["timeoutSeconds"]
        while left := [task for task in unfinished_tasks(self._aws, self._inputs["cluster"]) if task.arn in tasks]:
            self._refuse_late(deadline, [task.id for task in left], "tasks do not stop")
            self._pause(f"waiting for {what} to stop")

    def _pause(self, status: str) -> None:
        self._call.report.status(status)
        self._call.wait(_POLL)

    def _refuse_late(self, deadline: float, names: Sequence[str], what: str) -> None:
        if time.monotonic() >= deadline:
            shown = ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
            raise NotReadyError(
                f"After {self._inputs['timeoutSeconds']:g} s {len(names)} {what}: {shown}.",
                why="The cluster, the network and the roles cannot go while they are there.",
                next_step=f"look at the cluster {self._inputs['cluster']} in the ECS console, then run the same "
                "command again: it goes on from here.",
            )


def _still_served(inputs: Properties) -> NotReadyError:
    return NotReadyError(
        f"The agent's service {inputs['service']} still runs.",
        why="It would make again what is removed now; it has to be deleted first. Nothing was removed.",
        next_step="destroy the whole stack, or the agent's service before its EcsDrain; if somebody else made the "
        "service, delete it in the ECS console.",
    )


def _runs_stay(found: Sequence[Task], inputs: Properties, *, stopped: bool) -> NotReadyError:
    after = f"After {inputs['timeoutSeconds']:g} s there {'are' if len(found) > 1 else 'is'} still {_named(found)}."
    if stopped:
        return NotReadyError(
            after,
            why="They were asked to stop, and ECS has not ended them.",
            next_step="run the same command again: it goes on from here.",
        )
    return NotReadyError(
        after,
        why="They go on without an agent, but not without their roles and network, so these stay.",
        next_step=f"wait and run the same command again, or set {RUNS_VARIABLE}=terminate to stop them.",
    )


def _named(tasks: Sequence[Task]) -> str:
    names = ", ".join(f"{task.job} {task.run_id[:8]}".strip() for task in tasks[:_SHOWN])
    return f"{_counted(len(tasks), 'run')}: {names}" + (", …" if len(tasks) > _SHOWN else "")


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
