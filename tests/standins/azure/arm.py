"""Azure Resource Manager of the stand-in: what is there, and the operations on it. See the package for what it is and
is not."""

from __future__ import annotations

import itertools
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from tests.standins.azure import acr
from tests.standins.azure.answer import Answer, absent, error
from tests.standins.azure.containers import Container
from tests.standins.azure.resources import Resources
from tests.standins.azure.rights import Rights
from tests.standins.azure.shapes import complaints
from tests.standins.azure.things import (
    Place,
    Revision,
    Thing,
    ended,
    provisioned,
    shown_revision,
    template_of,
    until_up,
)  # fmt: skip

API_VERSIONS: Final = ("2025-07-01", "2025-02-02-preview")
"""Of apps and jobs: what azure-mgmt-appcontainers 4.0 asks with, and Pulumi's provider 3.29."""
HOST: Final = "https://management.azure.com"
_POLLS: Final = 1  # how often an operation is not over yet
_SOON: Final = {"Retry-After": "1"}  # 0 is no answer to Azure's SDK, which then looks every 30 s only
_SECRET: Final = "Microsoft.KeyVault/vaults/secrets/getSecret/action"


Start = Callable[[Thing, str], Container]


@dataclass
class _Operation:
    """``over`` says why it failed, with an empty text that it did not, and with None that it goes on."""

    over: Callable[[], str | None]
    left: int = _POLLS


class FakeArm:
    """``start`` makes the container of an app's revision or of a job's execution, of the given name. Safe for
    threads."""

    def __init__(self, place: Place, rights: Rights, start: Start) -> None:
        self.place = place
        self.rights = rights
        self.unknown: list[str] = []
        """What nobody should have asked."""
        self.things: dict[tuple[str, str], Thing] = {}
        self.resources = Resources(rights, self._in_environment)
        self.others: dict[str, Any] = {}
        """Further answers to GET, by path in small letters: what is of no stack."""
        self.printed: dict[str, list[Container]] = {}
        """All containers of an app or a job, by its name: logs outlive them."""
        self._start = start
        self._operations: dict[str, _Operation] = {}
        self._number = itertools.count(1)
        self._lock = threading.RLock()

    def handle(self, who: str, method: str, path: str, query: Mapping[str, str], body: Any) -> Answer:
        """One request of the identity ``who``."""
        with self._lock:
            known = self._of_others(who, method, path) or self._of_apps(who, method, path, query, body)
            known = known or self.resources.handle(who, method, path, body)
            if known is None:
                self.unknown.append(f"{method} {path}")
                return error(404, "StandInRefused", f"the stand-in has no {method} {path}")
            return known

    def end(self) -> None:
        ended = [threading.Thread(target=each.end, args=(0.5,)) for all_ in self.printed.values() for each in all_]
        for thread in ended:
            thread.start()
        for thread in ended:
            thread.join()

    def named(self, kind: str) -> list[Thing]:
        return [thing for (of, _), thing in self.things.items() if of == kind and thing.going is None]

    # who asks what

    def _of_others(self, who: str, method: str, path: str) -> Answer | None:
        found = self.others.get(path.lower())
        if method != "GET":
            return None
        if found is None:
            scope = path.lower().removesuffix("/providers/microsoft.authorization/permissions")
            return None if scope == path.lower() else Answer(200, {"value": self.rights.permissions(who, scope)})
        return found if isinstance(found, Answer) else Answer(200, found)

    def _of_apps(self, who: str, method: str, path: str, query: Mapping[str, str], body: Any) -> Answer | None:
        poll = re.fullmatch(r".*/providers/Microsoft\.App/locations/\w+/(\w+)/(\d+)", path)
        if poll:
            return self._poll(poll[1], poll[2])
        inside = re.fullmatch(rf"{re.escape(self.place.group_id)}/providers/Microsoft\.App/(.*)", path, re.IGNORECASE)
        if inside is None or query.get("api-version") not in API_VERSIONS:
            return None
        parts = inside[1].split("/")
        match (method, parts):
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
        return self.resources.refused(who, f"{provider}/{action}", on)

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

    def _list(self, kind: str) -> Answer:
        for thing in list(self.things.values()):
            self._look(thing)
        return Answer(200, {"value": [self._shown(each) for (of, _), each in self.things.items() if of == kind]})

    def _get(self, kind: str, name: str) -> Answer:
        found = self.things.get((kind, name))
        shown = absent(name) if found is None else Answer(200, self._shown(found))
        if found is not None:
            self._look(found)
        return shown

    def _look(self, thing: Thing) -> None:
        """One that is deleted is seen for a while, and goes when its containers have ended."""
        if thing.going is None:
            return
        thing.going -= 1
        if thing.going < 0 and ended(thing.containers) is not None:
            self.things.pop((thing.kind, thing.name), None)

    def _in_environment(self, environment: str) -> list[str]:
        found = []
        for thing in self.things.values():
            properties = thing.body["properties"]
            inside = properties.get("managedEnvironmentId") or properties.get("environmentId") or ""
            found += [thing.name] if str(inside).lower() == environment.lower() else []
        return found

    def _revisions(self, name: str) -> Answer:
        found = self.things.get(("containerApps", name))
        if found is None:
            return absent(name)
        return Answer(200, {"value": [shown_revision(each) for each in found.revisions]})

    # changes

    def _put(self, kind: str, name: str, body: dict[str, Any]) -> Answer:
        wrong = list(complaints(kind, name, body))
        if wrong:
            self.unknown.append(f"PUT {kind}/{name}: {'; '.join(wrong)}")
            return error(400, "InvalidParameterValueInContainerTemplate", "; ".join(wrong))
        thing, before = Thing(kind, name, body, datetime.now(UTC)), self.things.get((kind, name))
        if before is not None and before.going is None:
            thing.made, thing.revisions, thing.count = before.made, before.revisions, before.count
        refusal = self._read_secrets(thing) or self._pulled(thing)
        if refusal:
            return refusal
        self.things[kind, name] = thing
        if kind == "containerApps" and not (thing.revisions and thing.revisions[-1].template == template_of(body)):
            self._revise(thing)
        headers = self._operation("operationStatuses", lambda: provisioned(thing), "Azure-AsyncOperation")
        return Answer(201, self._shown(thing), headers)

    def _revise(self, thing: Thing) -> None:
        """The new revision starts, and when it runs those before it end."""
        thing.count += 1
        name = f"{thing.name}--{thing.count:07}"
        former = list(thing.revisions)
        container = self._started(thing, name)
        thing.revisions.append(Revision(name, template_of(thing.body), container))
        if former:
            threading.Thread(target=self._replace, args=(thing, former, container), daemon=True).start()

    def _replace(self, thing: Thing, former: list[Revision], latest: Container) -> None:
        until_up(latest)
        if latest.fault:
            return  # Azure keeps what runs when the next one cannot
        for each in former:
            each.container.end()
        with self._lock:
            thing.revisions[:] = [each for each in thing.revisions if each not in former]

    def _started(self, thing: Thing, name: str) -> Container:
        container = self._start(thing, name)
        self.printed.setdefault(thing.name, []).append(container)
        return container

    def _read_secrets(self, thing: Thing) -> Answer | None:
        """From Key Vault, by the identity that the app names for it. The refusal, if it may not."""
        values: dict[str, str] = {}
        for each in (thing.body["properties"].get("configuration") or {}).get("secrets") or ():
            uri, identity = str(each.get("keyVaultUrl") or ""), str(each.get("identity") or "")
            stored = self.resources.secret_at(uri)
            if identity.lower() not in [one.lower() for one in thing.identities]:
                return error(400, "InvalidRequest", f"the app has no identity {identity!r}")
            may = stored is not None and self.rights.allows(
                self.resources.client_of(identity), _SECRET, stored.address.id
            )
            if stored is None or not may:
                why = "there is none" if stored is None else "Forbidden"
                return error(400, "ContainerAppSecretInvalid", f"{identity} cannot get the secret {uri}: {why}")
            values[each["name"]] = stored.secret
        thing.secrets = values
        return None

    def _pulled(self, thing: Thing) -> Answer | None:
        """The refusal, if an image lies in a registry of Azure, and no identity is named for it that may pull there."""
        logins = (thing.body["properties"].get("configuration") or {}).get("registries") or ()
        known = {str(each["server"]): str(each.get("identity")) for each in logins}
        for container in template_of(thing.body)["containers"]:
            host = str(container["image"]).partition("/")[0]
            identity = known.get(host, "")
            is_own = identity.lower() in [each.lower() for each in thing.identities]
            if not host.endswith(acr.DOMAIN) or not self.resources.of_kind("Microsoft.ContainerRegistry/registries"):
                continue
            if not (is_own and acr.may(self, self.resources.client_of(identity), acr.PULL, host)):
                return error(400, "InvalidParameterValueInContainerTemplate", f"{container['image']}: UNAUTHORIZED")
        return None

    def _delete(self, kind: str, name: str) -> Answer:
        found = self.things.get((kind, name))
        if found is None:
            return Answer(204)
        if found.going is None:
            found.going = 1
            for container in found.containers:
                threading.Thread(target=container.end, daemon=True).start()
        return Answer(202, None, self._operation("operationResults", lambda: ended(found.containers)))

    def _start_job(self, name: str) -> Answer:
        found = self.things.get(("jobs", name))
        if found is None:
            return absent(name)
        execution = f"{name}-{next(self._number):05}"
        found.started.append((execution, self._started(found, execution)))
        return Answer(202, {"id": execution, "name": execution}, self._operation("operationResults"))

    def _stop_job(self, name: str) -> Answer:
        found = self.things.get(("jobs", name))
        if found is None:
            return absent(name)
        for execution, container in found.started:
            found.stopped.add(execution)
            threading.Thread(target=container.end, daemon=True).start()
        return Answer(202, None, self._operation("operationResults"))

    def _executions(self, name: str) -> Answer:
        found = self.things.get(("jobs", name))
        if found is None:
            return absent(name)
        return Answer(200, {"value": [self._execution(found, *each) for each in found.started]})

    def _execution(self, job: Thing, name: str, container: Container) -> dict[str, Any]:
        code = container.exit_code
        status = (
            "Processing"
            if container.starting
            else "Running"
            if code is None
            else "Succeeded"
            if code == 0
            else "Failed"
        )
        status = "Stopped" if name in job.stopped and code is not None else status
        return {"name": name, "properties": {"status": status, "startTime": job.made.isoformat()}}

    def _shown(self, thing: Thing) -> dict[str, Any]:
        properties = {**thing.body["properties"], "provisioningState": thing.provisioning}
        if thing.kind == "containerApps":
            properties["runningStatus"] = thing.state
            properties["latestRevisionName"] = thing.revisions[-1].name
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

    def _operation(
        self, kind: str, over: Callable[[], str | None] = lambda: "", header: str = "Location"
    ) -> dict[str, str]:
        number = str(next(self._number))
        self._operations[number] = _Operation(over)
        subscription = "/".join(self.place.group_id.split("/")[:3])
        where = f"{HOST}{subscription}/providers/Microsoft.App/locations/westeurope"
        return {header: f"{where}/{kind}/{number}?api-version={API_VERSIONS[0]}", **_SOON}

    def _poll(self, kind: str, number: str) -> Answer:
        """Azure lets whoever has the address ask: it is signed."""
        operation = self._operations.get(number)
        if operation is None:
            return absent(number)
        operation.left -= 1
        fault = operation.over()
        goes_on = operation.left >= 0 or fault is None
        if kind != "operationStatuses":
            return Answer(202, None, _SOON) if goes_on else Answer(200, {})
        if goes_on:
            return Answer(200, {"status": "InProgress"}, _SOON)
        if fault:
            return Answer(200, {"status": "Failed", "error": {"code": "ContainerAppOperationError", "message": fault}})
        return Answer(200, {"status": "Succeeded"})
