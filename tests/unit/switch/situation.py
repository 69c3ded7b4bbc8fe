"""An organization and a stack in memory as they are at a moment, and as who asks sees them."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hybrid.plus import Agent, CodeLocationStatus, Failure, PlusRejected
from hybrid.switch.work import Marker, OwnQueue, SwitchRights, TakenVariable, Wanted

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
class Situation:
    """What is the case, and how it looks. ``faults``: raised by the method of that name, once each, first in first out;
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
    neighbours: list[Situation] = field(default_factory=list)
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

    def _become(self, wanted: str) -> None:
        if self.type != wanted:
            self.type = wanted
            self.switched_at = self.clock if wanted == "HYBRID" else None
            self.back_at = self.clock if wanted == "SERVERLESS" else 0.0

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


def _agent(id: str, label: str, type: str, heartbeat: float, *, running: bool) -> Agent:
    return Agent(id, label, "RUNNING" if running else "NOT_RUNNING", heartbeat, type, {}, (), ())
