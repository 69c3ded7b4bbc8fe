"""The ``AlertPolicy`` resource: whom Dagster+ tells of what, such as of an agent that is away."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Final

from hybrid.delivery.document_form import normal
from hybrid.errors import HybridError
from hybrid.provider.connection import Clients, Connection, connection_record, imported, reaching
from hybrid.provider.definition import Anything, Definition, Failure, MapOf, Property, Text
from hybrid.provider.difference import Change
from hybrid.provider.properties import Properties, has_unknown
from hybrid.provider.resource import Call, Existing, Resource

DEFINITION: Final = Definition(
    name="AlertPolicy",
    description="An alert policy of a deployment. Policies that no stack declares are never touched.",
    inputs={
        "connection": Property(connection_record("organization", "deployment"), "where Dagster+'s API is"),
        "name": Property(Text(), "the policy's name", replaces=True),
        "document": Property(
            MapOf(Anything()),
            "the policy as Dagster+ documents it (`event_types: [AGENT_UNAVAILABLE]`, `description`, `alert_targets`, "
            "…), without `name` and `notification_service`",
        ),
        "notificationService": Property(
            MapOf(Anything()),
            "the document's `notification_service`; secret, for it may hold keys and addresses that let in. Left out "
            "(as after an import) the one that Dagster+ has is left as it is",
            required=False,
            secret=True,
        ),
    },
    outputs={"documentDigest": Property(Text(), "names the policy as Dagster+ keeps it", secret=True)},
)

_NOTIFICATION: Final = "notification_service"


class AlertPolicy(Resource):
    """See ``DEFINITION``. The id is ``organization/deployment/name``."""

    definition = DEFINITION

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def check(self, inputs: Properties) -> list[Failure]:
        document = inputs["document"]
        if has_unknown(document):
            return []
        found = []
        if _NOTIFICATION in document:
            found.append(Failure(f"document.{_NOTIFICATION}", "must be given as `notificationService`: it is a secret"))
        if "name" in document:
            found.append(Failure("document.name", "must be given as `name`"))
        if not document.get("event_types"):
            found.append(Failure("document.event_types", "must name at least one event, such as AGENT_UNAVAILABLE"))
        return found

    def diff(self, old_inputs: Properties, outputs: Properties, inputs: Properties) -> list[Change]:
        found = super().diff(old_inputs, outputs, inputs)
        # what the program leaves out is not managed, so there is nothing to take away
        return [change for change in found if (change.path, change.how) != ("notificationService", "delete")]

    def create(self, inputs: Properties, call: Call) -> Existing:
        connection, name = Connection.of(inputs), inputs["name"]
        client = self._clients.client(connection, call)
        present = client.alert_policies().get(name)
        wanted = {**inputs["document"], _NOTIFICATION: _notification(inputs, present)}
        if present is not None and _normal(present) == _normal(wanted):
            return _existing(connection, name, present)
        client.put_alert_policy({**wanted, "name": name})
        return _existing(connection, name, client.alert_policies().get(name, wanted))

    def read(self, id: str, inputs: Properties, outputs: Properties, call: Call) -> Existing | None:
        if not inputs:
            return self._imported(id, call)
        connection = Connection.of(inputs)
        if connection.is_wiped:
            return None
        present: dict[str, Any] | None = None
        with reaching(connection, call, "the alert policy is taken to be as it was") as reach:
            client = self._clients.client(connection, call, patient=False)
            present = client.alert_policies().get(inputs["name"])
        if reach.down:
            return Existing(id=id, outputs=outputs)
        if present is None:
            return None
        found = _existing(connection, inputs["name"], present)
        # Dagster+'s own form of a policy may differ from ours for ever; its form then and now is what compares
        if found.outputs["documentDigest"] == outputs.get("documentDigest"):
            return found
        drifted = {"document": _document(present)}
        if inputs.get("notificationService") is not None:
            drifted["notificationService"] = dict(present.get(_NOTIFICATION) or {})
        return Existing(found.id, found.outputs, drifted)

    def update(self, id: str, outputs: Properties, inputs: Properties, call: Call) -> Existing:
        return self.create(inputs, call)

    def delete(self, id: str, inputs: Properties, outputs: Properties, call: Call) -> None:
        connection = Connection.of(inputs)
        if connection.is_wiped:
            return
        with reaching(connection, call, "the alert policy stays in it"):
            self._clients.client(connection, call, patient=False).delete_alert_policy(inputs["name"])

    def _imported(self, id: str, call: Call) -> Existing | None:
        connection, name = imported(id, "AlertPolicy", "NAME")
        present = self._clients.client(connection, call).alert_policies().get(name)
        if present is None:
            return None
        # without the notification service: an import writes code, which is no place for keys
        inputs = {"connection": connection.described(), "name": name, "document": _document(present)}
        return Existing(id, _existing(connection, name, present).outputs, inputs)


def _notification(inputs: Properties, present: dict[str, Any] | None) -> Any:
    given = inputs.get("notificationService")
    if given is None and present is None:
        raise HybridError(
            f"The alert policy {inputs['name']} tells nobody.",
            why="It can be left out only for a policy that is there already.",
            next_step="give `notificationService`, such as {'email': {'email_addresses': [...]}}.",
        )
    return given if given is not None else (present or {}).get(_NOTIFICATION)


def _normal(policy: dict[str, Any]) -> dict[str, Any]:
    """A policy without its name and without what is null or empty: neither says anything."""
    return {key: value for key, value in normal(policy).items() if key != "name"}


def _document(policy: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in _normal(policy).items() if key != _NOTIFICATION}


def _existing(connection: Connection, name: str, policy: dict[str, Any]) -> Existing:
    digest = hashlib.sha256(json.dumps(_normal(policy), sort_keys=True).encode()).hexdigest()
    return Existing(f"{connection.organization}/{connection.deployment}/{name}", {"documentDigest": digest})
