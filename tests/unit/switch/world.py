"""An organization and a stack in memory, whose process may be killed before and after each effect."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from hybrid.errors import EngineError, NotReadyError, SettingsError
from hybrid.plus import Agent, CodeLocationStatus, Failure, PlusRejected
from hybrid.switch import kept
from hybrid.switch.work import Marker, OwnQueue, SmokeDone, SwitchRights, TakenVariable, ValuesDone, Wanted

NAMES = tuple(f"location_{number}" for number in range(10))
ON = ("schedule nightly (location_0)", "sensor watcher (location_1)")
VALUES = {"a": 1, "b": 2}


class Killed(BaseException):
    """What ``kill -9`` is to the code: nothing catches it."""


def serverless_document(name: str) -> dict[str, Any]:
    # what looks like a secret has to come back as it was
    return {"location_name": name, "pex_metadata": {"pex_tag": name}, "env": [f"API_TOKEN=0123456789abcdef{name}"]}


def hybrid_document(name: str, queue: str | None = None) -> dict[str, Any]:
    own = {} if queue is None else {"agent_queue": queue}
    return {"location_name": name, "image": f"registry/{name}@sha256:{'1' * 64}", **own}


@dataclass
class World:
    """``SwitchWork``, for ten locations. ``faults``: raised by the method of that name, once each, first in first out;
    one that is a tuple ("after", error) is raised when the effect is done. ``fuse``: after so many moments it ends."""

    folder: Path
    stack: str = "prod"
    organization: str = "acme"
    deployment: str = "prod"
    agent_label: str = "hybrid-prod"
    page: str = "https://acme.dagster.cloud/prod"
    clock: float = 1000.0
    fuse: int | None = None
    type: str = "SERVERLESS"
    told: dict[str, dict[str, Any]] = field(default_factory=lambda: {name: serverless_document(name) for name in NAMES})
    file_phase: str | None = None
    stack_told: bool = False
    queue: OwnQueue | None = None
    agent_queue: str | None = None
    registered: tuple[str, ...] = ()
    told_at: dict[str, float] = field(default_factory=dict)
    most_moving: int = 0
    without: list[str] = field(default_factory=list)
    unanswered: set[str] = field(default_factory=set)
    agent_up: bool = False
    stands_by: bool = False
    loads_theirs: bool = False
    """Whether the stack's agent could load what Serverless runs."""
    grabbed: list[str] = field(default_factory=list)
    """When the agent took what only Serverless could do: it hangs on that, and the work is lost."""
    variables: dict[str, tuple[str, str]] = field(default_factory=dict)
    """By name: the id and the value that Dagster+ has."""
    own_variables: dict[str, str] = field(default_factory=dict)
    """The stack's, by name."""
    values_told: bool = True
    valueless: list[tuple[str, str]] = field(default_factory=list)
    on: set[str] = field(default_factory=lambda: set(ON))
    record: set[str] | None = None
    at_source: dict[str, int] = field(default_factory=lambda: dict(VALUES))
    copied: dict[str, int] = field(default_factory=dict)
    switched_at: float | None = None
    back_at: float = 0.0
    lost: bool = False
    departure: float = 20.0
    stays: bool = False
    agent_comes: bool = True
    hidden_before: bool = False
    fails_to_load: set[str] = field(default_factory=set)
    fixed_at: float | None = None
    others: tuple[str, ...] = ()
    marked: Marker | None = None
    markers: int = 0
    neighbours: list[World] = field(default_factory=list)
    """Other deployments of the organization."""
    plan_fingerprint: str = "f1"
    given_rights: SwitchRights = field(default_factory=lambda: SwitchRights(True, True, True))
    smoke_status: str = "SUCCESS"
    left: str = "nothing"
    press_at: float | None = None
    faults: dict[str, list[Any]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)

    def tick(self) -> None:
        if self.fuse is not None:
            self.fuse -= 1
            if self.fuse < 0:
                raise Killed

    def _fault(self, name: str, *, after: bool) -> None:
        waiting = self.faults.get(name) or []
        if waiting and isinstance(waiting[0], tuple) == after:
            fault = waiting.pop(0)
            raise fault[1] if after else fault

    def _effect(self, name: str, change: Callable[[], Any]) -> Any:
        self.tick()
        self.calls.append(name)
        self._fault(name, after=False)
        answer = change()
        if self._grabs():
            self.grabbed.append(name)
        self.without += [f"{each} after {name}" for each in self.told if not self._has_agent(self.told[each])]
        self._fault(name, after=True)
        self.tick()
        return answer

    def _grabs(self) -> bool:
        takes_all = self.agent_up and not self.stands_by and self.agent_queue is None
        theirs = any("image" not in document for document in self.told.values())
        return self.type == "SERVERLESS" and takes_all and theirs and not self.loads_theirs

    def _has_agent(self, document: Mapping[str, Any]) -> bool:
        """Whether an agent that can run it is there and takes the requests of its queue."""
        return self._is_taken(document) and ("image" not in document or self.agent_up)

    def _is_taken(self, document: Mapping[str, Any]) -> bool:
        if "image" not in document:
            return self.type == "SERVERLESS"
        queue = document.get("agent_queue")
        return not self.stands_by and queue == self.agent_queue and (queue is not None or self.type == "HYBRID")

    def _look(self, name: str) -> None:
        self._fault(name, after=False)

    # Time

    def now(self) -> float:
        return self.clock

    def sleep(self, seconds: float) -> None:
        self.clock += seconds
        if self.press_at is not None and self.clock >= self.press_at:
            self.press_at = None
            self._become("HYBRID")

    # Looks

    def agent_type(self) -> str:
        self._look("agent_type")
        return self.type

    def others_on_serverless(self) -> Sequence[str]:
        return self.others

    def serverless_gone(self) -> bool:
        gone = self.switched_at is not None and self.clock >= self.switched_at + self.departure
        return self.type == "HYBRID" and gone and not self.stays

    def agents(self) -> list[Agent]:
        self._look("agents")
        end = (self.switched_at or 0) + self.departure if self.serverless_gone() else self.clock
        running = self.clock - end < 90
        found = [_agent("s1", "Serverless agent", "ServerlessUserCodeLauncher", end, running=running)]
        hidden = self.hidden_before and self.type == "SERVERLESS"
        if self.agent_up and self.agent_comes and not hidden:
            found.append(_agent("h1", self.agent_label, "EcsUserCodeLauncher", self.clock, running=True))
        return found

    def serverless_status(self) -> str:
        if self.type == "SERVERLESS":
            return "ACTIVE"
        return "INACTIVE" if self.serverless_gone() else "DELETING"

    def locations(self) -> dict[str, CodeLocationStatus]:
        self._look("locations")
        return {name: self._status(name, document) for name, document in self.told.items()}

    def _status(self, name: str, document: Mapping[str, Any]) -> CodeLocationStatus:
        is_hybrid = "image" in document
        served = self._is_taken(document) and (not is_hybrid or self.agent_comes)
        if self.clock < self.told_at.get(name, 0) + 3:
            served = False
        if not is_hybrid and self.clock < self.back_at + 4:  # Serverless needs a while, too
            served = False
        broken = is_hybrid and name in self.fails_to_load and not (self.fixed_at and self.clock >= self.fixed_at)
        return CodeLocationStatus(
            name=name,
            load_status="LOADED" if served else "LOADING",
            image=document.get("image"),
            error=Failure("ImportError: no module named x", "") if served and broken else None,
            updated_at=0,
            deployed_at=0,
            data_updated_at=0,
            is_outdated=not served,
        )

    def documents(self) -> dict[str, dict[str, Any]]:
        return copy.deepcopy(self.told)

    def instigators_on(self) -> list[str]:
        return sorted(self.on)

    def variable_names(self) -> list[str]:
        return ["STRIPE_KEY"]

    def taken_variables(self) -> list[TakenVariable]:
        self._look("taken_variables")
        listed = self.variables.items()
        return [TakenVariable(id, name, self.values_told) for name, (id, _) in listed if name in self.own_variables]

    def variables_without_value(self) -> list[tuple[str, str]]:
        return self.valueless

    def check_engine(self) -> None:
        self._look("check_engine")

    def rights(self) -> SwitchRights:
        return self.given_rights

    def loads(self, document: Mapping[str, Any]) -> bool:
        return self.loads_theirs or "image" in document

    def ping(self, location: str) -> None:
        self._look("ping")
        if location in self.unanswered or not self._has_agent(self.told[location]):
            raise PlusRejected("No agent served PING_LOCATION.")

    def fingerprint(self) -> str:
        return self.plan_fingerprint

    def wanted(self) -> list[Wanted]:
        return [Wanted(name, f"registry/{name}@sha256:{'1' * 64}") for name in NAMES]

    # Effects

    def _become(self, wanted: str) -> None:
        if self.type != wanted:
            self.type = wanted
            self.switched_at = self.clock if wanted == "HYBRID" else None
            self.back_at = self.clock if wanted == "SERVERLESS" else 0.0

    def set_agent_type(self, wanted: str) -> None:
        self._effect("set_agent_type", lambda: self._become(wanted))

    def put_document(self, document: dict[str, Any]) -> None:
        def put() -> None:
            self.told[document["location_name"]] = document
            self.told_at[document["location_name"]] = self.clock

        self._effect("put_document", put)

    def delete_location(self, name: str) -> None:
        self._effect("delete_location", lambda: self.told.pop(name))

    def marker(self) -> Marker | None:
        return self.marked

    def marked_elsewhere(self) -> list[str]:
        return [each.deployment for each in self.neighbours if each.marked is not None]

    def make_marker(self, text: str) -> Marker:
        def make() -> Marker:
            if self.marked is not None:
                raise PlusRejected("There is one of that name.")
            self.markers += 1
            self.marked = Marker(f"m{self.markers}")
            return self.marked

        made: Marker = self._effect("make_marker", make)
        return made

    def remove_marker(self, id: str) -> None:
        def remove() -> None:
            assert self.marked is not None
            assert self.marked.id == id, "somebody else's"
            self.marked = None

        self._effect("remove_marker", remove)

    def phase(self) -> str | None:
        return self.file_phase

    def set_phase(self, phase: str | None) -> None:
        self._effect("set_phase", lambda: setattr(self, "file_phase", phase))

    def own_queue(self) -> OwnQueue | None:
        return self.queue

    def set_own_queue(self, name: str | None, locations: Sequence[str] = ()) -> None:
        queue = None if name is None else OwnQueue(name, tuple(locations))
        self._effect("set_own_queue", lambda: setattr(self, "queue", queue))

    def foresee(self) -> None:
        self._look("foresee")

    def tell_locations(self) -> list[str]:
        if self.queue is not None:
            return []
        self._effect("tell_locations", self._tell)
        return list(NAMES)

    def _tell(self) -> None:
        if self.type == "SERVERLESS":
            raise SettingsError("The deployment is run by Serverless.")
        for name in NAMES:
            self.told[name] = hybrid_document(name, self.agent_queue)

    def up(self, limit: float | None = None) -> None:
        self._effect("up", lambda: self._up(limit))

    def _up(self, limit: float | None) -> None:
        self.agent_up, self.agent_queue = True, self.queue.name if self.queue else None
        self.stands_by = self.file_phase == "standby" and self.queue is None
        if self.file_phase in {"prepare", "standby"}:
            self._register(self.queue.locations if self.queue else ())
            if self.type == "HYBRID" and self.stack_told:  # what Pulumi does with resources that a program left out
                self.told, self.lost = {}, True
            self.stack_told = False
            return
        if self.type == "SERVERLESS" and self.queue is None:
            raise SettingsError("The deployment is run by Serverless.")
        for name in NAMES:
            self.told[name] = hybrid_document(name, self.agent_queue)
        if self.queue is not None:
            self.registered = NAMES
        self._set_variables()
        self.stack_told = True
        if limit is not None and not self.agent_comes:
            self.clock += limit
            raise NotReadyError("`up` was stopped.")
        self.clock += 5
        if not self.agent_comes or self.fails_to_load:
            raise EngineError("`up` failed: a location did not load, or the agent did not come.")

    def _set_variables(self) -> None:
        """As the provider does, which takes nobody's variable away."""
        for name, value in self.own_variables.items():
            if self.variables.get(name, ("", value))[1] != value:
                raise EngineError(f"There is an environment variable {name} already.")
            self.variables.setdefault(name, (f"of-the-stack-{self.clock}", value))

    def _register(self, names: Sequence[str]) -> None:
        """As the provider does: of what the program left out it leaves alone what is on no queue of ours."""
        for name in set(self.registered) - set(names):
            if self.type == "HYBRID" or "agent_queue" in self.told.get(name, {}):
                self.told.pop(name, None)
                self.lost = True
        moving = [name for name in names if self.told.get(name) != hybrid_document(name, self.agent_queue)]
        self.most_moving = max(self.most_moving, len(moving))
        for name in moving:
            self.told[name], self.told_at[name] = hybrid_document(name, self.agent_queue), self.clock
        self.registered = tuple(names)
        if names:
            self._set_variables()

    def gate(self) -> None:
        self._effect("gate", lambda: None)

    def copy_values(self) -> ValuesDone:
        self._effect("copy_values", lambda: self.copied.update(self.at_source))
        return ValuesDone(f"{len(self.copied)} values", {"values": len(self.copied)})

    def verify_values(self) -> ValuesDone:
        if self.copied != self.at_source:
            raise NotReadyError("Values are missing.")
        return ValuesDone("all there", {})

    def values_stored_since(self, moment: float) -> list[str]:
        return ["orders"]

    def pause(self) -> list[str]:
        def stop() -> list[str]:
            self.record = (self.record or set()) | self.on
            self.tick()
            for each in sorted(self.on):
                self.on.discard(each)
                self.tick()
            return sorted(self.record)

        paused: list[str] = self._effect("pause", stop)
        return paused

    def drain(self, runs: str, timeout: float, but_of: str | None = None) -> str:
        self._effect("drain", lambda: self.at_source.update({"c": 3}))  # a last run stored something
        return self.left

    def resume(self) -> list[str]:
        def start() -> list[str]:
            for each in sorted(self.record or ()):
                location = each.partition("(")[2].rstrip(")")
                if not self.locations()[location].is_loaded:
                    raise NotReadyError(f"{each}: its location is not loaded")
                self.on.add(each)
                self.tick()
            self.record = None
            return sorted(self.on)

        resumed: list[str] = self._effect("resume", start)
        return resumed

    def smoke(self) -> list[SmokeDone]:
        self._effect("smoke", lambda: None)
        return [SmokeDone("location_0", "answers", self.smoke_status, "https://run", None)]

    def keep_documents(self, documents: Mapping[str, dict[str, Any]]) -> str:
        digest: str = self._effect("keep_documents", lambda: kept.keep(self.folder / "documents.json", documents))
        return digest

    def kept_documents(self, digest: str) -> Mapping[str, dict[str, Any]]:
        return kept.kept(self.folder / "documents.json", digest)

    def keep_variables(self) -> str:
        found = {id: {"name": name, "value": value} for name, (id, value) in self.variables.items()}
        mine = {id: each for id, each in found.items() if each["name"] in self.own_variables}
        digest: str = self._effect("keep_variables", lambda: kept.keep(self.folder / "variables.json", mine))
        return digest

    def release_variables(self, digest: str) -> None:
        for id, former in kept.kept(self.folder / "variables.json", digest).items():
            if self.variables.get(former["name"], ("",))[0] == id:
                self._effect("release_variable", partial(self.variables.pop, former["name"]))

    def restore_variables(self, digest: str) -> list[str]:
        former = kept.kept(self.folder / "variables.json", digest)
        if not self.values_told:
            return [each["name"] for each in former.values()]
        for each in former.values():
            again = (f"again-{self.clock}", each["value"])
            self._effect(
                "restore_variable", lambda name=each["name"], again=again: self.variables.update({name: again})
            )
        return []

    # What it has to be at the ends

    def is_hybrid(self) -> None:
        assert self.type == "HYBRID"
        queue = None if self.queue is None else self.queue.name
        assert self.told == {name: hybrid_document(name, queue) for name in NAMES}, "a location is not Hybrid's"
        assert self.agent_queue == queue, "the agent takes other requests than its locations' ones"
        assert self.file_phase == "serve"
        assert self.stack_told
        assert self.on == set(ON), "schedules and sensors are not as before"
        assert self.copied == self.at_source, "a value was lost"
        assert self.marked is None, "the marker keeps others out for ever"
        assert not self.grabbed, "the agent took what only Serverless can do"

    def is_serverless(self, phase: str | None = None) -> None:
        assert self.type == "SERVERLESS"
        wanted = {name: serverless_document(name) for name in NAMES}
        assert self.told == wanted, f"not Serverless's own documents: {json.dumps(self.told)[:300]}"
        assert self.file_phase == phase, "the stack file is not as it was"
        assert not self.lost, "an `up` took locations away, with what Dagster+ knows of them"
        assert self.queue is None, "the stack file is not as it was"
        assert not self.registered, "the next `up` or `down` of the stack would take locations from Serverless"
        assert not self.stack_told, "the next `up` or `down` of the stack would take locations from Serverless"
        assert self.on == set(ON), "schedules and sensors are not as before"
        assert self.marked is None, "the marker keeps others out for ever"
        assert not self.grabbed, "the agent took what only Serverless can do"
        assert not self._grabs(), "the agent that still stands takes what only Serverless can do"


def _agent(id: str, label: str, type: str, heartbeat: float, *, running: bool) -> Agent:
    return Agent(id, label, "RUNNING" if running else "NOT_RUNNING", heartbeat, type, {}, (), ())
