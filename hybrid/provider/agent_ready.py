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
from hybrid.provider.agent_diagnosis import AgentWatch, explained, wrong_place
from hybrid.provider.connection import Clients, Connection, connection_record
from hybrid.provider.definition import (
    Anything,
    Definition,
    Failure,
    Flag,
    ListOf,
    MapOf,
    Number,
    Property,
    Record,
    Text,
)
from hybrid.provider.difference import Change
from hybrid.provider.properties import Properties, has_unknown
from hybrid.provider.resource import Call, Existing, PartialError, Resource
from hybrid.provider.runtime import socket_path
from hybrid.provider.supervisor import Supervisor
from hybrid.workspace import PROCESS_LOG

if TYPE_CHECKING:
    from hybrid.plus import Agent, CodeLocationStatus, PlusClient

DEFINITION: Final = Definition(
    name="AgentReady",
    description="Stands when an agent is RUNNING and every location is loaded: from the document that was sent last, "
    "and from the image that is expected of it.",
    inputs={
        "connection": Property(connection_record(), "where Dagster+'s API is"),
        "agentLabel": Property(Text(), "the agent's label in Dagster+"),
        "locations": Property(
            MapOf(Text(empty=True)),
            "names of locations, each with a text; another text means to wait for it again",
        ),
        "images": Property(
            MapOf(Text()),
            "the image that a location is to be loaded from, by its name; compared by digest where both have one. "
            "A location that is not named here may be loaded from anything",
            default={},
        ),
        "queues": Property(
            MapOf(Text(empty=True)),
            "the agent queue of a location, by its name; empty is the default queue",
            default={},
        ),
        "agentQueues": Property(
            Record(
                "AgentQueues",
                "The queues whose locations an agent serves.",
                {
                    "includeDefault": Property(Flag(), "the default queue", default=True),
                    "additional": Property(ListOf(Text()), "further queues by name", default=[]),
                },
            ),
            "the agent's own queues; a location on another one is refused, for nobody would load it",
            required=False,
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
        "place": Property(
            MapOf(Text()),
            "where the agent runs, if its platform can be asked: errors then tell why it, or code servers, stopped. "
            "`platform` names it; for `ecs` there are region, account, cluster, service and stack, the value of the "
            "tag dagster-hybrid/stack on what the agent makes",
            required=False,
        ),
        "heartbeatTimeoutSeconds": Property(
            Number(1, 7200, whole=False),
            "how long an agent that was heard of may be missing before the wait ends. One that was just started is "
            "given the whole `timeoutSeconds`: it reports when it has tried to load all locations",
            default=60,
        ),
        "timeoutSeconds": Property(Number(1, 7200, whole=False), "how long to wait", default=300),
    },
    outputs={
        "agentId": Property(Text(empty=True), "the agent's id in Dagster+: another one after each start of it"),
        "ready": Property(Flag(), "true; false when a refresh found that it is not so any more"),
        "loaded": Property(
            MapOf(Text()),
            "the image from which each location was last seen loaded without an error; kept for those that fail, so "
            "that there is something to go back to. Locations without an image are left out",
        ),
        "failed": Property(
            ListOf(Text()), "names of the locations that failed, or did not load in time, at the last wait"
        ),
    },
)

# How long to wait says nothing about what is, and who takes which queue is only checked.
_NO_REASON_TO_WAIT: Final = frozenset({"timeoutSeconds", "heartbeatTimeoutSeconds", "agentQueues", "queues", "place"})
_POLL_EMBEDDED: Final = 0.2  # seconds; the embedded Dagster+ is for one person
_POLL: Final = 2.0
_CRASHES: Final = 2  # one may be bad luck, such as Dagster+ away for a moment
_SHOWN: Final = 5  # locations named in one line of progress


class AgentReady(Resource):
    """See ``DEFINITION``. The id is ``organization/deployment/label``.

    A wait that fails leaves its outputs in state all the same (``PartialError``): ``failed`` names the locations,
    ``loaded`` what to go back to. What Dagster+ shows of images, and what that rests on: ``CodeLocationStatus``.
    """

    definition = DEFINITION
    import_refusal = "It is a statement about what stands, not a thing."

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def check(self, inputs: Properties) -> list[Failure]:
        return [*_wrong_moment(inputs.get("heartbeatAfter")), *wrong_place(inputs.get("place")), *_unserved(inputs)]

    def diff(self, old_inputs: Properties, outputs: Properties, inputs: Properties) -> list[Change]:
        # state of a release that had fewer inputs is no other wish
        found = super().diff(DEFINITION.complete(old_inputs), outputs, inputs)
        found = [change for change in found if change.path.partition(".")[0] not in _NO_REASON_TO_WAIT]
        return found if outputs.get("ready", True) else [*found, Change("ready", "update", replaces=False)]

    def foreseen(self, inputs: Properties) -> Properties:
        return {"ready": True, "failed": []}

    def create(self, inputs: Properties, call: Call) -> Existing:
        return self._stood(inputs, {}, call)

    def read(self, id: str, inputs: Properties, outputs: Properties, call: Call) -> Existing | None:
        from hybrid.plus import PlusError

        connection = Connection.of(inputs)
        not_ready = Existing(id, {"loaded": {}, "failed": [], **outputs, "ready": False})
        if connection.is_wiped:
            return not_ready
        try:
            seen = _look(self._clients.client(connection, call, patient=False), inputs)
        except PlusError as error:
            if not connection.is_down(error):
                raise
            return not_ready
        if seen.agent is None or seen.waiting or seen.failed:
            return Existing(id, {**not_ready.outputs, "failed": seen.unloaded})
        return Existing(id, _outputs(seen, inputs, outputs, ready=True))

    def update(self, id: str, outputs: Properties, inputs: Properties, call: Call) -> Existing:
        return self._stood(inputs, outputs, call)

    def delete(self, id: str, inputs: Properties, outputs: Properties, call: Call) -> None:
        """Nothing: it is a statement, not a thing."""

    def _stood(self, inputs: Properties, before: Properties, call: Call) -> Existing:
        """What stands, once it does. ``before``: the state of the last wait, if there was one."""
        connection = Connection.of(inputs)
        client = self._clients.client(connection, call)
        deadline = time.monotonic() + inputs["timeoutSeconds"]
        absence = _Absence(inputs["heartbeatTimeoutSeconds"], heard=_stands_already(before, inputs))
        crashes = _Crashes(inputs.get("processDirectory"))
        watch = AgentWatch(inputs.get("place"))
        seen = _Seen(None, (), sorted(inputs["locations"]), (), {}, {})
        try:
            while True:
                seen = _look(client, inputs)
                if seen.agent is not None and not seen.waiting:
                    if seen.failed:
                        raise _failed(seen.failed)
                    call.report.status(f"agent RUNNING, {len(inputs['locations'])} locations loaded")
                    return Existing(_id(inputs), _outputs(seen, inputs, before, ready=True))
                absence.look(seen, inputs)
                if time.monotonic() > deadline:
                    raise _late(seen, inputs)
                crashes.look(inputs["agentLabel"])
                watch.look()
                call.report.status(seen.progress(inputs))
                call.wait(_POLL_EMBEDDED if connection.is_embedded else _POLL)
        except NotReadyError as error:
            outputs = _outputs(seen, inputs, before, ready=False)
            missing = seen.agent is None and not watch.has_told
            told = explained(error, inputs.get("place"), connection.deployment, seen.unloaded, agent=missing)
            raise PartialError(told, id=_id(inputs), outputs=outputs) from error


class _Absence:
    """How long an agent that was heard of is missing. ``heard``: it stood when the wait began."""

    def __init__(self, limit: float, *, heard: bool) -> None:
        self._limit = limit
        self._heard = heard
        self._since: float | None = None

    def look(self, seen: _Seen, inputs: Properties) -> None:
        """Raises ``NotReadyError`` when it is missing for too long."""
        now = time.monotonic()
        if seen.agent is not None:
            self._heard, self._since = True, None
        elif self._since is None:
            self._since = now
        elif self._heard and now - self._since > self._limit:
            raise _absent(seen, inputs, f"{self._limit:g} s")


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
    """One look: the agent that counts, names that are not loaded yet, locations that failed, the image of each that is
    loaded, and of those that are loaded from another image than is expected which one."""

    agent: Agent | None
    others: Sequence[Agent]
    waiting: Sequence[str]
    failed: Sequence[CodeLocationStatus]
    loaded: Mapping[str, str]
    strange: Mapping[str, str]

    @property
    def unloaded(self) -> list[str]:
        """An agent that did not come leaves nothing to be said about locations."""
        names = {*self.waiting, *(status.name for status in self.failed)}
        return sorted(names) if self.agent is not None else []

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
    listed = client.code_locations() if wanted and counting else []
    found = {status.name: status for status in listed if status.name in wanted}
    images: Mapping[str, str] = inputs["images"]
    failed = [status for status in found.values() if status.has_failed(images.get(status.name))]
    loaded = [status for status in found.values() if _has_loaded(status, images.get(status.name))]
    return _Seen(
        agent=max(counting, key=lambda agent: agent.last_heartbeat, default=None),
        others=agents,
        waiting=sorted(wanted.keys() - {status.name for status in (*failed, *loaded)}),
        failed=sorted(failed, key=lambda status: status.name),
        loaded={status.name: status.loaded_image for status in loaded if status.loaded_image},
        strange={status.name: status.loaded_image or "none" for status in found.values()
                 if status.is_loaded and status not in loaded},
    )  # fmt: skip


def _has_loaded(status: CodeLocationStatus, image: str | None) -> bool:
    return status.is_loaded if image is None else status.has_loaded(image)


def _outputs(seen: _Seen, inputs: Properties, before: Properties, *, ready: bool) -> Properties:
    kept = {name: image for name, image in before.get("loaded", {}).items() if name in inputs["locations"]}
    return {
        "agentId": seen.agent.id if seen.agent is not None else "",
        "ready": ready,
        "loaded": {**kept, **seen.loaded},
        "failed": seen.unloaded,
    }


def _stands_already(before: Properties, inputs: Properties) -> bool:
    """Whether the agent was heard of and nothing of it was started anew since."""
    alike = all(before.get(name) == inputs.get(name) for name in ("agentLabel", "triggers", "heartbeatAfter"))
    return alike and bool(before.get("agentId"))


def _wrong_moment(moment: object) -> list[Failure]:
    try:
        if isinstance(moment, str):
            datetime.fromisoformat(moment)
    except ValueError:
        return [Failure("heartbeatAfter", f"must be a time in ISO 8601, not '{moment}'")]
    return []


def _unserved(inputs: Properties) -> list[Failure]:
    """Locations on queues that the agent does not take. Dagster+ shows no agent's queues (an ``Agent`` of its public
    schema has none, and agents do not put them into their metadata), so another agent's cannot be asked for."""
    agent, queues, locations = inputs.get("agentQueues"), inputs["queues"], inputs["locations"]
    if agent is None or has_unknown([agent, queues]) or not isinstance(locations, Mapping):
        return []
    served = {*agent.get("additional", []), *([""] if agent.get("includeDefault", True) else [])}
    taken = " and ".join(_queue_named(queue) for queue in sorted(served)) or "none"
    return [
        Failure(
            f"queues.{name}",
            f"{_queue_named(queue)} is not one that agent {inputs['agentLabel']} takes; it takes {taken}. Name the "
            "queue among the agent's, or another one in the location's build.yaml",
        )
        for name in sorted(locations)
        if (queue := queues.get(name, "")) not in served
    ]


def _queue_named(queue: str) -> str:
    return f"queue '{queue}'" if queue else "the default queue"


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
    seconds = f"{inputs['timeoutSeconds']:g} s"
    if seen.agent is None:
        return _absent(seen, inputs, seconds)
    reasons = [f"{status.name} failed:\n{status.error}" for status in seen.failed]
    reasons += [
        f"{name} is loaded from the image {image}, not from {inputs['images'][name]}."
        for name, image in sorted(seen.strange.items())
    ]
    return NotReadyError(
        f"After {seconds} {', '.join(seen.waiting)} {'are' if len(seen.waiting) > 1 else 'is'} not loaded.",
        why="\n\n".join(reasons) or f"Agent {inputs['agentLabel']} is RUNNING; it has not reported them.",
        next_step="look at the agent's log (`hybrid logs STACK`), then run `up` again.",
    )


def _absent(seen: _Seen, inputs: Properties, seconds: str) -> NotReadyError:
    last = max(seen.others, key=lambda agent: agent.last_heartbeat, default=None)
    errors = [str(error.failure) for error in (last.errors if last is not None else ())][-1:]
    known = f"Dagster+ knows it as {last.status}." if last is not None else "Dagster+ never heard of it."
    return NotReadyError(
        f"Agent {inputs['agentLabel']} is not RUNNING after {seconds}.",
        why="\n".join([known, *errors]),
        next_step="look at the agent's log (`hybrid logs STACK`), then run `up` again.",
    )
