"""Azure Resource Manager of the stand-in: what is there, and the operations on it. See the package for what it is and
is not."""

from __future__ import annotations

import itertools
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from tests.standins.azure.processes import Container
from tests.standins.azure.rights import Rights
from tests.standins.azure.shapes import complaints

API_VERSION: Final = "2025-07-01"
HOST: Final = "https://management.azure.com"
_POLLS: Final = 1  # how often an operation is not over yet
_WORDS: Final = {"Running": "Running", "Succeeded": "Succeeded", "Failed": "Failed"}


@dataclass
class Answer:
    """What Azure answers."""

    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


def error(status: int, code: str, message: str) -> Answer:
    return Answer(status, {"error": {"code": code, "message": message}})


@dataclass
class Thing:
    """A container app or a job."""

    kind: str
    name: str
    body: dict[str, Any]
    made: datetime
    containers: list[Container] = field(default_factory=list)
    address: str = ""
    started: list[tuple[str, Container]] = field(default_factory=list)
    """Of a job: its executions."""
    stopped: set[str] = field(default_factory=set)
    going: int | None = None
    """While it is deleted: how often it is still shown."""


@dataclass(frozen=True)
class Place:
    """The one place that there is."""

    group_id: str
    environment_id: str
    domain: str = "internal.happy-hill-01234567.westeurope.azurecontainerapps.io"


Start = Callable[[Thing, str], Container]


class FakeArm:
    """``start`` makes the container of an app or of a job's execution. Safe for threads."""

    def __init__(self, place: Place, rights: Rights, start: Start, apps: str) -> None:
        """``apps``: the first three parts of the addresses of apps."""
        self._apps = apps
        self.place = place
        self.rights = rights
        self.unknown: list[str] = []
        """What nobody should have asked."""
        self.things: dict[tuple[str, str], Thing] = {}
        self.bodies: list[dict[str, Any]] = []
        """What was put, in order."""
        self.others: dict[str, Any] = {}
        """Further answers to GET, by path in small letters: what is not of Container Apps."""
        self._start = start
        self._polls: dict[str, int] = {}
        self._number = itertools.count(1)
        self._lock = threading.RLock()

    def handle(self, who: str, method: str, path: str, query: Mapping[str, str], body: Any) -> Answer:
        """One request of the identity ``who``."""
        with self._lock:
            known = self._of_others(who, method, path) or self._of_apps(who, method, path, query, body)
            if known is None:
                self.unknown.append(f"{method} {path}")
                return error(404, "StandInRefused", f"the stand-in has no {method} {path}")
            return known

    def end(self) -> None:
        for thing in self.things.values():
            for container in [*thing.containers, *(each for _, each in thing.started)]:
                container.end(grace=0.5)

    def named(self, kind: str) -> list[Thing]:
        return [thing for (of, _), thing in self.things.items() if of == kind and thing.going is None]

    # who asks what

    def _of_others(self, who: str, method: str, path: str) -> Answer | None:
        found = self.others.get(path.lower())
        if found is None or method != "GET":
            return None
        return found if isinstance(found, Answer) else Answer(200, found)

    def _of_apps(self, who: str, method: str, path: str, query: Mapping[str, str], body: Any) -> Answer | None:
        poll = re.fullmatch(r".*/providers/Microsoft\.App/locations/\w+/(\w+)/(\d+)", path)
        if poll:
            return self._poll(poll[1], poll[2])
        inside = re.fullmatch(rf"{re.escape(self.place.group_id)}/providers/Microsoft\.App/(.*)", path, re.IGNORECASE)
        if inside is None or query.get("api-version") != API_VERSION:
            return None
        parts = inside[1].split("/")
        match (method, parts):
            case ("GET", ["managedEnvironments", _]):
                return self._allowed(who, "managedEnvironments/read", path) or self._environment(path)
            case ("GET", ["containerApps" | "jobs" as kind]):
                return self._allowed(who, f"{kind}/read", self.place.group_id) or self._list(kind)
            case ("GET", ["containerApps", name, "revisions"]):
                return self._allowed(who, "containerApps/revisions/read", path) or self._revisions(name)
            case ("GET", ["containerApps" | "jobs" as kind, name]):
                return self._allowed(who, f"{kind}/read", path) or self._get(kind, name)
            case ("PUT", ["containerApps" | "jobs" as kind, name]):
                return self._may_put(who, kind, path, body) or self._put(kind, name, body)
            case ("DELETE", ["containerApps" | "jobs" as kind, name]):
                return self._allowed(who, f"{kind}/delete", path) or self._delete(kind, name)
            case ("POST", ["jobs", name, "start"]):
                return self._allowed(who, "jobs/start/action", path) or self._start_job(name)
            case ("POST", ["jobs", name, "stop"]):
                return self._allowed(who, "jobs/stop/action", path) or self._stop_job(name)
            case ("GET", ["jobs", name, "executions"]):
                return self._allowed(who, "jobs/executions/read", path) or self._executions(name)
        return None

    def _allowed(self, who: str, action: str, on: str, provider: str = "Microsoft.App") -> Answer | None:
        if self.rights.allows(who, f"{provider}/{action}", on):
            return None
        message = (
            f"The client '{who}' does not have authorization to perform action '{provider}/{action}' over scope '{on}'"
        )
        return error(403, "AuthorizationFailed", message)

    def _may_put(self, who: str, kind: str, path: str, body: Mapping[str, Any]) -> Answer | None:
        """Also what Azure asks about the things that are named: it calls these linked scopes."""
        properties = body.get("properties") or {}
        environment = properties.get("managedEnvironmentId") or properties.get("environmentId") or ""
        refusal = self._allowed(who, f"{kind}/write", path)
        refusal = refusal or self._allowed(who, "managedEnvironments/join/action", environment)
        for identity in (body.get("identity") or {}).get("userAssignedIdentities") or {}:
            of_identities = "Microsoft.ManagedIdentity"
            refusal = refusal or self._allowed(who, "userAssignedIdentities/assign/action", identity, of_identities)
        return refusal

    # what is there

    def _environment(self, path: str) -> Answer:
        if path.lower() != self.place.environment_id.lower():
            return _absent(path)
        return Answer(200, {"id": self.place.environment_id, "name": path.rpartition("/")[2], "properties": {}})

    def _list(self, kind: str) -> Answer:
        for thing in [each for each in self.things.values() if each.going is not None]:
            thing.going = (thing.going or 0) - 1
            if thing.going < 0:
                del self.things[thing.kind, thing.name]
        return Answer(200, {"value": [self._shown(each) for (of, _), each in self.things.items() if of == kind]})

    def _get(self, kind: str, name: str) -> Answer:
        found = self.things.get((kind, name))
        return _absent(name) if found is None else Answer(200, self._shown(found))

    def _revisions(self, name: str) -> Answer:
        found = self.things.get(("containerApps", name))
        if found is None:
            return _absent(name)
        up = all(container.exit_code is None for container in found.containers)
        state = {"runningState": "Running" if up else "Failed", "healthState": "None", "replicas": 1, "active": True}
        shown = {"name": f"{name}--0000001", "properties": {**state, "template": found.body["properties"]["template"]}}
        return Answer(200, {"value": [shown]})

    def _put(self, kind: str, name: str, body: dict[str, Any]) -> Answer:
        wrong = list(complaints(kind, name, body))
        if wrong:
            self.unknown.append(f"PUT {kind}/{name}: {'; '.join(wrong)}")
            return error(400, "InvalidParameterValueInContainerTemplate", "; ".join(wrong))
        self.bodies.append(body)
        thing = Thing(kind, name, body, datetime.now(UTC))
        self.things[kind, name] = thing
        if kind == "containerApps":
            thing.address = f"{self._apps}.{len(self.bodies)}"
            thing.containers.append(self._start(thing, name))
        operation = self._operation("operationStatuses")
        return Answer(201, self._shown(thing, "InProgress"), {"Azure-AsyncOperation": operation, "Retry-After": "0"})

    def _delete(self, kind: str, name: str) -> Answer:
        found = self.things.get((kind, name))
        if found is None:
            return Answer(204)
        if found.going is None:
            found.going = 1
            for container in [*found.containers, *(each for _, each in found.started)]:
                threading.Thread(target=container.end, daemon=True).start()
        return Answer(202, None, {"Location": self._operation("operationResults"), "Retry-After": "0"})

    def _start_job(self, name: str) -> Answer:
        found = self.things.get(("jobs", name))
        if found is None:
            return _absent(name)
        execution = f"{name}-{next(self._number):05}"
        found.started.append((execution, self._start(found, execution)))
        location = {"Location": self._operation("operationResults"), "Retry-After": "0"}
        return Answer(202, {"id": execution, "name": execution}, location)

    def _stop_job(self, name: str) -> Answer:
        found = self.things.get(("jobs", name))
        if found is None:
            return _absent(name)
        for execution, container in found.started:
            found.stopped.add(execution)
            threading.Thread(target=container.end, daemon=True).start()
        return Answer(202, None, {"Location": self._operation("operationResults"), "Retry-After": "0"})

    def _executions(self, name: str) -> Answer:
        found = self.things.get(("jobs", name))
        if found is None:
            return _absent(name)
        return Answer(200, {"value": [self._execution(found, *each) for each in found.started]})

    def _execution(self, job: Thing, name: str, container: Container) -> dict[str, Any]:
        code = container.exit_code
        status = "Running" if code is None else "Succeeded" if code == 0 else "Failed"
        status = "Stopped" if name in job.stopped and code is not None else status
        return {"name": name, "properties": {"status": status, "startTime": job.made.isoformat()}}

    def _shown(self, thing: Thing, provisioning: str = "Succeeded") -> dict[str, Any]:
        properties = {**thing.body["properties"], "provisioningState": provisioning}
        if thing.kind == "containerApps":
            up = all(container.exit_code is None for container in thing.containers)
            properties["runningStatus"] = "Deleting" if thing.going is not None else "Running" if up else "Stopped"
            properties["latestRevisionName"] = f"{thing.name}--0000001"
            configuration = properties.get("configuration") or {}
            if configuration.get("ingress"):
                ingress = {**configuration["ingress"], "fqdn": self.fqdn(thing.name)}
                properties["configuration"] = {**configuration, "ingress": ingress}
        return {
            **thing.body,
            "id": f"{self.place.group_id}/providers/Microsoft.App/{thing.kind}/{thing.name}",
            "name": thing.name,
            "type": f"Microsoft.App/{thing.kind}",
            "systemData": {"createdAt": thing.made.isoformat()},
            "properties": properties,
        }

    def fqdn(self, app: str) -> str:
        return f"{app}.{self.place.domain}"

    # long operations

    def _operation(self, kind: str) -> str:
        number = str(next(self._number))
        self._polls[number] = _POLLS
        subscription = "/".join(self.place.group_id.split("/")[:3])
        where = f"{HOST}{subscription}/providers/Microsoft.App/locations/westeurope"
        return f"{where}/{kind}/{number}?api-version={API_VERSION}"

    def _poll(self, kind: str, number: str) -> Answer:
        """Azure lets whoever has the address ask: it is signed."""
        if number not in self._polls:
            return _absent(number)
        left, self._polls[number] = self._polls[number], self._polls[number] - 1
        if kind == "operationStatuses":
            return Answer(200, {"status": "InProgress" if left > 0 else "Succeeded"}, {"Retry-After": "0"})
        return Answer(202, None, {"Retry-After": "0"}) if left > 0 else Answer(200, {})


def _absent(what: str) -> Answer:
    return error(404, "ResourceNotFound", f"The Resource '{what}' was not found.")
