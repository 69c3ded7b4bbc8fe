"""The ``AgentDrain`` resource: when an agent is taken away, what happens to the runs that need it."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hybrid.errors import NotReadyError, SettingsError
from hybrid.plus.run_words import named, short
from hybrid.provider.connection import Clients, Connection, connection_record, reaching
from hybrid.provider.definition import Choice, Definition, Flag, ListOf, Number, Property, Text
from hybrid.provider.end_rule import EndRule
from hybrid.provider.properties import Properties
from hybrid.provider.resource import Call, Existing

if TYPE_CHECKING:
    from hybrid.plus import PlusClient, Run

RUNS_VARIABLE: Final = "HYBRID_RUNS_ON_DOWN"
RUNS: Final = Choice(
    "RunsOnDelete",
    "What happens to the runs in progress of an agent that is taken away.",
    {
        "wait": "they are waited for; when the time is over the agent stays, and the update ends with an error",
        "terminate": "they are asked to end, and waited for",
        "leave": "they are named, and left to themselves",
    },
)

DEFINITION: Final = Definition(
    name="AgentDrain",
    description="Holds an agent back from going away while runs of its locations are in progress. It depends on the "
    "agent, so it is deleted before it; all its work is done then.",
    inputs={
        "connection": Property(connection_record("url", "organization", "deployment"), "where Dagster+'s API is"),
        "locations": Property(ListOf(Text()), "names of the code locations whose runs need the agent"),
        "agentLabel": Property(
            Text(),
            "the agent's label: when no agent of that label is RUNNING, nobody could end the runs, so they are not "
            "waited for",
            required=False,
        ),
        "runs": Property(RUNS, f"what happens to runs in progress; {RUNS_VARIABLE} overrules it", default="wait"),
        "queuedRuns": Property(
            Flag(), "whether queued runs are waited for, too; otherwise they wait for the next agent", default=False
        ),
        "timeoutSeconds": Property(Number(0, 86400, whole=False), "how long to wait for them to end", default=600),
    },
)

_POLL_EMBEDDED: Final = 0.2  # seconds; the embedded Dagster+ is for one person
_POLL: Final = 5.0


class AgentDrain(EndRule):
    """See ``DEFINITION``. The id is ``organization/deployment/`` and the locations.

    Dagster+ has no call that keeps new runs from an agent. Schedules and sensors may therefore start runs while others
    are waited for, and these are waited for as well, until the time is over.
    """

    definition = DEFINITION
    import_refusal = "It is a rule for the end of an agent, not a thing."

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def create(self, inputs: Properties, call: Call) -> Existing:
        connection = Connection.of(inputs)
        names = ",".join(sorted(inputs["locations"])) or "none"
        return Existing(f"{connection.organization}/{connection.deployment}/{names}", {})

    def delete(self, id: str, inputs: Properties, outputs: Properties, call: Call) -> None:
        connection = Connection.of(inputs)
        if connection.is_wiped or not inputs["locations"]:
            return
        choice = runs_on_delete(inputs)
        with reaching(connection, call, "nobody knows of runs in progress"):
            client = self._clients.client(connection, call, patient=False)
            found = _look(client, inputs)
            if not found.awaited:
                return
            if choice == "wait" and not _can_end(client, inputs):
                call.report.warning(f"no agent {inputs['agentLabel']} is RUNNING to end {named(found.awaited)}")
                return
            if choice == "leave":
                call.report.warning(f"left to themselves: {named(found.awaited)}")
                return
            _drain(client, inputs, found, call, ends=choice == "terminate")


@dataclass(frozen=True)
class _Found:
    """One look: the runs that hold the agent, and how many more are queued."""

    awaited: Sequence[Run]
    queued: int

    def progress(self) -> str:
        beside = f"; {self.queued} queued for the next agent" if self.queued else ""
        return f"waiting for {named(self.awaited)}{beside}"


def _drain(client: PlusClient, inputs: Properties, found: _Found, call: Call, *, ends: bool) -> None:
    deadline = time.monotonic() + inputs["timeoutSeconds"]
    asked: set[str] = set()
    while found.awaited:
        if ends:
            _terminate(client, found.awaited, asked, call)
        call.report.status(found.progress())
        if time.monotonic() >= deadline:
            raise _late(found, inputs)
        call.wait(_POLL_EMBEDDED if Connection.of(inputs).is_embedded else _POLL)
        found = _look(client, inputs)
    call.report.info("no run is in progress any more")


def _terminate(client: PlusClient, runs: Sequence[Run], asked: set[str], call: Call) -> None:
    """Ask each run once. One that ended meanwhile refuses, and one that stays is told of when the time is over."""
    from hybrid.plus import PlusNotFound, PlusRejected

    for run in runs:
        if run.id in asked or run.status == "CANCELING":
            continue
        asked.add(run.id)
        try:
            client.terminate_run(run.id)
        except (PlusNotFound, PlusRejected) as error:
            call.report.info(f"{short(run)} was not terminated: {error.what}")


def _look(client: PlusClient, inputs: Properties) -> _Found:
    locations = set(inputs["locations"])
    runs = [run for run in client.runs_in_progress() if run.location in locations]
    queued = [run for run in runs if run.status == "QUEUED"]
    awaited = runs if inputs.get("queuedRuns") else [run for run in runs if run.status != "QUEUED"]
    return _Found(awaited, 0 if inputs.get("queuedRuns") else len(queued))


def _can_end(client: PlusClient, inputs: Properties) -> bool:
    label = inputs.get("agentLabel")
    return label is None or any(agent.label == label and agent.is_running for agent in client.agents())


def runs_on_delete(inputs: Properties) -> str:
    """What ``runs`` says, unless the variable overrules it. Raises ``SettingsError`` when the variable is no choice."""
    chosen = os.environ.get(RUNS_VARIABLE) or str(inputs["runs"])
    if chosen not in RUNS.values:
        raise SettingsError(
            f"{RUNS_VARIABLE} is '{chosen}'.",
            why=f"It is one of {', '.join(RUNS.values)}.",
            next_step="correct it or unset it.",
        )
    return chosen


def _late(found: _Found, inputs: Properties) -> NotReadyError:
    return NotReadyError(
        f"After {inputs['timeoutSeconds']:g} s there {'are' if len(found.awaited) > 1 else 'is'} still "
        f"{named(found.awaited)}.",
        why="Without the agent they would not end well, so it stays.",
        next_step=f"wait and run the same command again, or set {RUNS_VARIABLE}=terminate to end them, or "
        f"{RUNS_VARIABLE}=leave to leave them to themselves.",
    )
