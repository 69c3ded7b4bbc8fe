"""The ``AzureDrain`` resource: what an agent made in a Container Apps environment is taken away with the stack."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from hybrid.errors import NotReadyError
from hybrid.provider.agent_drain import RUNS, RUNS_VARIABLE, runs_on_delete
from hybrid.provider.azure_place import OF_AGENT, AzureDoors
from hybrid.provider.definition import Definition, Number, Property
from hybrid.provider.end_rule import EndRule
from hybrid.provider.properties import Properties
from hybrid.provider.resource import Call, Existing

if TYPE_CHECKING:
    from hybrid.azure.made import Made, RunJob
    from hybrid.azure.session import Azure

DEFINITION: Final = Definition(
    name="AzureDrain",
    description="Takes away what an agent made in a Container Apps environment when it is deleted: code servers, and "
    "the jobs of runs, finished ones too, which nobody else removes. Only what is in that environment and bears the "
    "launcher's tags is touched. The agent's app depends on it, and it depends on the environment and the agent's "
    "rights, so it is deleted between them.",
    inputs={
        **OF_AGENT,
        "runs": Property(
            RUNS,
            f"what happens to runs in progress; {RUNS_VARIABLE} overrules it. With `leave` they are stopped all the "
            "same, since the environment goes away",
            default="wait",
        ),
        "timeoutSeconds": Property(Number(1, 86400, whole=False), "how long each of the steps may take", default=1800),
    },
)

_POLL: Final = 5.0  # seconds
_SHOWN: Final = 5


class AzureDrain(EndRule):
    """See ``DEFINITION``. The id is the environment's.

    All its work is done when it is deleted, and each step looks at what is there: one that was stopped half-way goes
    on when it is run again.
    """

    definition = DEFINITION

    def __init__(self, doors: AzureDoors) -> None:
        self._doors = doors

    def create(self, inputs: Properties, call: Call) -> Existing:
        return Existing(str(inputs["environmentId"]), {})

    def delete(self, id: str, inputs: Properties, outputs: Properties, call: Call) -> None:
        """Raises ``NotReadyError`` when something stays, and when the agent's app is still there."""
        choice = runs_on_delete(inputs)
        drain = _Drain(self._doors.to(inputs), inputs, call)
        drain.agent()
        drain.servers()
        drain.runs(choice)
        drain.jobs()
        drain.tell()


class _Drain:
    """The steps, in their order. Each looks for itself and may be done before."""

    def __init__(self, azure: Azure, inputs: Properties, call: Call) -> None:
        self._azure = azure
        self._inputs = inputs
        self._group = str(inputs["resourceGroup"])
        self._call = call
        self._servers: set[str] = set()
        self._stopped: set[str] = set()

    def agent(self) -> None:
        if self._look().agent_stands:
            raise NotReadyError(
                f"The agent's app {self._inputs['agentApp']} is still there.",
                why="It would make again what is removed now; it has to be deleted first. Nothing was removed.",
                next_step="destroy the whole stack, or the agent's app before its AzureDrain.",
            )

    def servers(self) -> None:
        """Delete the code servers that are left, until none is listed any more."""
        from hybrid.azure.made import remove_server

        deadline = self._deadline()
        asked: set[str] = set()
        while servers := self._look().servers:
            self._refuse_late(deadline, [server.name for server in servers], "code servers could not be deleted")
            for server in servers:
                if server.name not in asked:
                    self._call.check()
                    remove_server(self._azure, self._group, server.name)
                    asked.add(server.name)
            self._pause(f"waiting for {_counted(len(servers), 'code server')} to go")
        self._servers = asked

    def runs(self, choice: str) -> None:
        """Wait for the runs' jobs, or stop them."""
        from hybrid.azure.made import stop_job

        deadline = self._deadline()
        while going := self._going():
            if choice != "wait":
                if choice == "leave" and not self._stopped:
                    self._call.report.warning(f"stopped, since their environment goes away: {_named(going)}")
                for job in going:
                    if job.name not in self._stopped:
                        self._call.check()
                        stop_job(self._azure, self._group, job.name)
                        self._stopped.add(job.name)
            if time.monotonic() >= deadline:
                raise self._runs_stay(going, stopped=choice != "wait")
            self._pause(f"waiting for {_named(going)}")

    def jobs(self) -> None:
        """Delete the jobs, until none is listed any more: the environment does not go while they are in it."""
        from hybrid.azure.made import remove_job

        deadline = self._deadline()
        asked: set[str] = set()
        while jobs := self._look().jobs:
            self._refuse_late(deadline, [job.name for job in jobs], "jobs of runs could not be deleted")
            for job in jobs:
                if job.name not in asked:
                    self._call.check()
                    remove_job(self._azure, self._group, job.name)
                    asked.add(job.name)
            self._pause(f"waiting for {_counted(len(jobs), 'job')} of runs to go")

    def tell(self) -> None:
        """What the agent itself had left over. Jobs of finished runs are no news: nobody removes them."""
        parts = [_counted(len(self._servers), "code server")] if self._servers else []
        parts += [_counted(len(self._stopped), "run")] if self._stopped else []
        if parts:
            self._call.report.info(f"removed what the agent had left: {', '.join(parts)}")

    def _look(self) -> Made:
        from hybrid.azure.made import made_in

        return made_in(self._azure, self._group, str(self._inputs["environmentId"]), str(self._inputs["agentApp"]))

    def _going(self) -> list[RunJob]:
        from hybrid.azure.made import is_running

        return [job for job in self._look().jobs if is_running(self._azure, self._group, job.name)]

    def _deadline(self) -> float:
        return time.monotonic() + float(self._inputs["timeoutSeconds"])

    def _pause(self, status: str) -> None:
        self._call.report.status(status)
        self._call.wait(_POLL)

    def _refuse_late(self, deadline: float, names: Sequence[str], what: str) -> None:
        if time.monotonic() >= deadline:
            shown = ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
            raise NotReadyError(
                f"After {self._inputs['timeoutSeconds']:g} s {len(names)} {what}: {shown}.",
                why="The environment and the network cannot go while they are there.",
                next_step=f"look at the resource group {self._group} in the Azure portal, then run the same command "
                "again: it goes on from here.",
            )

    def _runs_stay(self, found: Sequence[RunJob], *, stopped: bool) -> NotReadyError:
        after = f"After {self._inputs['timeoutSeconds']:g} s there {'are' if len(found) > 1 else 'is'} still "
        if stopped:
            return NotReadyError(
                f"{after}{_named(found)}.",
                why="They were asked to stop, and Azure has not ended them.",
                next_step="run the same command again: it goes on from here.",
            )
        return NotReadyError(
            f"{after}{_named(found)}.",
            why="They go on without an agent, but not without their environment, so it stays.",
            next_step=f"wait and run the same command again, or set {RUNS_VARIABLE}=terminate to stop them.",
        )


def _named(jobs: Sequence[RunJob]) -> str:
    names = ", ".join(f"{job.job} {job.run_id[:8]}".strip() for job in jobs[:_SHOWN])
    return f"{_counted(len(jobs), 'run')}: {names}" + (", …" if len(jobs) > _SHOWN else "")


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
