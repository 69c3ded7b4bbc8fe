"""The ``AgentReady`` resource: waits until what was stood up does its work."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hybrid.errors import NotReadyError
from hybrid.provider import process_folder
from hybrid.provider.connection import Clients, Connection, connection_record
from hybrid.provider.definition import Anything, Definition, Failure, Flag, MapOf, Number, Property, Text
from hybrid.provider.difference import Change
from hybrid.provider.properties import Properties
from hybrid.provider.resource import Call, Existing, Resource
from hybrid.provider.runtime import socket_path
from hybrid.provider.supervisor import Supervisor
from hybrid.workspace import PROCESS_LOG

if TYPE_CHECKING:
    from hybrid.plus import Agent, CodeLocationStatus, PlusClient

DEFINITION: Final = Definition(
    name="AgentReady",
    description="Stands when an agent is RUNNING and every location is loaded from the document that was sent last.",
    inputs={
        "connection": Property(connection_record(), "where Dagster+'s API is"),
        "agentLabel": Property(Text(), "the agent's label in Dagster+"),
        "locations": Property(
            MapOf(Text(empty=True)),
            "names of locations, each with a text; another text means to wait for it again",
        ),
        "triggers": Property(MapOf(Anything()), "other values that, when they change, mean to wait again", default={}),
        "heartbeatAfter": Property(
            Text(),
            "ISO 8601 time; agents last heard of before it do not count. Give a Process's startedAt: Dagster+ calls an "
            "agent RUNNING for a while after it died",
            required=False,
        ),
        "processDirectory": Property(
            Text(absolute=True),
            "the `directory` of the agent's Process, if it is one: when that ends again and again, so does the wait",
            required=False,
        ),
        "timeoutSeconds": Property(Number(1, 7200, whole=False), "how long to wait", default=300),
    },
    outputs={
        "agentId": Property(Text(), "the agent's id in Dagster+: another one after each start of it"),
        "ready": Property(Flag(), "true; false when a refresh found that it is not so any more"),
    },
)

_POLL_EMBEDDED: Final = 0.2  # seconds; the embedded Dagster+ is for one person
_POLL: Final = 2.0
_CRASHES: Final = 2  # one may be bad luck, such as Dagster+ away for a moment
_SHOWN: Final = 5  # locations named in one line of progress


class AgentReady(Resource):
    """See ``DEFINITION``. The id is ``organization/deployment/label``."""

    definition = DEFINITION
    import_refusal = "It is a statement about what stands, not a thing."

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def check(self, inputs: Properties) -> list[Failure]:
        moment = inputs.get("heartbeatAfter")
        try:
            if isinstance(moment, str):
                datetime.fromisoformat(moment)
        except ValueError:
            return [Failure("heartbeatAfter", f"must be a time in ISO 8601, not '{moment}'")]
        return []

    def diff(self, old_inputs: Properties, outputs: Properties, inputs: Properties) -> list[Change]:
        found = super().diff(old_inputs, outputs, inputs)
        # how long to wait says nothing about what is
        found = [change for change in found if change.path != "timeoutSeconds"]
        return found if outputs.get("ready", True) else [*found, Change("ready", "update", replaces=False)]

    def foreseen(self, inputs: Properties) -> Properties:
        return {"ready": True}

    def create(self, inputs: Properties, call: Call) -> Existing:
        connection = Connection.of(inputs)
        client = self._clients.client(connection, call)
        deadline = time.monotonic() + inputs["timeoutSeconds"]
        crashes = _Crashes(inputs.get("processDirectory"))
        while True:
            seen = _look(client, inputs)
            if seen.agent is not None and not seen.waiting:
                if seen.failed:
                    raise _failed(seen.failed)
                call.report.status(f"agent RUNNING, {len(inputs['locations'])} locations loaded")
                return Existing(_id(inputs), {"agentId": seen.agent.id, "ready": True})
            if time.monotonic() > deadline:
                raise _late(seen, inputs)
            crashes.look(inputs["agentLabel"])
            call.report.status(seen.progress(inputs))
            call.wait(_POLL_EMBEDDED if connection.is_embedded else _POLL)

    def read(self, id: str, inputs: Properties, outputs: Properties, call: Call) -> Existing | None:
        from hybrid.plus import PlusError

        connection = Connection.of(inputs)
        not_ready = Existing(id, {**outputs, "ready": False})
        if connection.is_wiped:
            return not_ready
        try:
            seen = _look(self._clients.client(connection, call, patient=False), inputs)
        except PlusError as error:
            if not connection.is_down(error):
                raise
            return not_ready
        if seen.agent is None or seen.waiting or seen.failed:
            return not_ready
        return Existing(id, {"agentId": seen.agent.id, "ready": True})

    def update(self, id: str, outputs: Properties, inputs: Properties, call: Call) -> Existing:
        return self.create(inputs, call)

    def delete(self, id: str, inputs: Properties, outputs: Properties, call: Call) -> None:
        """Nothing: it is a statement, not a thing."""


class _Crashes:
    """Counts how often the agent's process ended soon after its start while we wait."""

    def __init__(self, directory: str | None) -> None:
        self._directory = Path(directory) if directory else None
        self._state = ""
        self._count = 0

    def look(self, label: str) -> None:
        """Raises ``NotReadyError`` with the end of the log when it will not come up."""
        if self._directory is None:
            return
        status = Supervisor(self._directory, socket_path(self._directory)).status()
        state = status.state if status is not None else ""
        self._count += state == "BACKOFF" and state != self._state
        self._state = state
        if self._count >= _CRASHES or state == "FATAL":
            log_file = self._directory / PROCESS_LOG
            raise NotReadyError(
                f"Agent {label} ends again and again right after its start.",
                why=f"The end of its log:\n{process_folder.log_tail(log_file)}",
                next_step=f"mend what the log says, then run `up` again. The whole log: {log_file}",
            )


@dataclass(frozen=True)
class _Seen:
    """One look: the agent that counts, names that are not loaded yet, locations that failed."""

    agent: Agent | None
    others: Sequence[Agent]
    waiting: Sequence[str]
    failed: Sequence[CodeLocationStatus]

    def progress(self, inputs: Properties) -> str:
        if self.agent is None:
            return f"waiting for agent {inputs['agentLabel']} to be RUNNING"
        names = ", ".join(self.waiting[:_SHOWN]) + (" …" if len(self.waiting) > _SHOWN else "")
        count = len(inputs["locations"])
        return f"{count - len(self.waiting)} of {count} locations loaded; waiting for {names}"


def _look(client: PlusClient, inputs: Properties) -> _Seen:
    agents = [agent for agent in client.agents() if agent.label == inputs["agentLabel"]]
    moment = inputs.get("heartbeatAfter")
    after = datetime.fromisoformat(moment).timestamp() if moment else 0.0
    counting = [agent for agent in agents if agent.is_running and agent.last_heartbeat >= after]
    wanted: Mapping[str, str] = inputs["locations"]
    # an agent reports for the first time when it has tried to load all locations: to ask for them earlier is idle work
    found = {status.name: status for status in client.code_locations()} if wanted and counting else {}
    settled = {name for name in wanted if name in found and _is_settled(found[name])}
    return _Seen(
        agent=max(counting, key=lambda agent: agent.last_heartbeat, default=None),
        others=agents,
        waiting=sorted(wanted.keys() - settled),
        failed=[found[name] for name in sorted(settled) if found[name].error is not None],
    )


def _is_settled(status: CodeLocationStatus) -> bool:
    return status.load_status == "LOADED" and not status.is_outdated


def _id(inputs: Properties) -> str:
    connection = Connection.of(inputs)
    return f"{connection.organization}/{connection.deployment}/{inputs['agentLabel']}"


def _failed(failed: Sequence[CodeLocationStatus]) -> NotReadyError:
    names = ", ".join(status.name for status in failed)
    return NotReadyError(
        f"{len(failed)} code location{'s' if len(failed) > 1 else ''} did not load: {names}.",
        why="\n\n".join(f"{status.name}:\n{status.error}" for status in failed),
        next_step="mend the code or its requirements and run `up` again. The agent and the other locations stand.",
    )


def _late(seen: _Seen, inputs: Properties) -> NotReadyError:
    label, seconds = inputs["agentLabel"], f"{inputs['timeoutSeconds']:g} s"
    if seen.agent is None:
        last = max(seen.others, key=lambda agent: agent.last_heartbeat, default=None)
        errors = [str(error.failure) for error in (last.errors if last is not None else ())][-1:]
        known = f"Dagster+ knows it as {last.status}." if last is not None else "Dagster+ never heard of it."
        return NotReadyError(
            f"Agent {label} is not RUNNING after {seconds}.",
            why="\n".join([known, *errors]),
            next_step="look at the agent's log (`hybrid logs` for a local one), then run `up` again.",
        )
    failures = [f"{status.name} failed:\n{status.error}" for status in seen.failed]
    return NotReadyError(
        f"After {seconds} {', '.join(seen.waiting)} {'are' if len(seen.waiting) > 1 else 'is'} not loaded.",
        why="\n\n".join(failures) or f"Agent {label} is RUNNING; it has not reported them.",
        next_step="look at the agent's log (`hybrid logs` for a local one), then run `up` again.",
    )
