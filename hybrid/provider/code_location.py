"""The ``CodeLocation`` resource: what Dagster+ was told that a location runs."""

from __future__ import annotations

import os
import secrets
import time
from typing import TYPE_CHECKING, Any, Final

from hybrid.delivery.document_form import digest_of, normal
from hybrid.delivery.told import Told, read_told
from hybrid.provider.connection import Clients, Connection, connection_record, imported
from hybrid.provider.definition import Anything, Definition, Failure, MapOf, Property, Text
from hybrid.provider.difference import Change
from hybrid.provider.properties import UNKNOWN, Properties
from hybrid.provider.resource import Call, Existing, Resource
from hybrid.provider.snapshot import Snapshot

if TYPE_CHECKING:
    from hybrid.plus import Deployment, PlusClient

Document = dict[str, Any]

DEFINITION: Final = Definition(
    name="CodeLocation",
    description="A code location of a deployment. Locations that no stack declares are never touched.",
    inputs={
        "connection": Property(connection_record("organization", "deployment"), "where Dagster+'s API is"),
        "name": Property(Text(), "the location's name", replaces=True),
        "document": Property(
            MapOf(Anything()), "what it runs, as Dagster+'s location document (without `location_name`)"
        ),
        "contentHash": Property(
            Text(), "names the code behind the document: another value makes agents reload it", required=False
        ),
    },
    outputs={
        "documentDigest": Property(Text(), "names the document as Dagster+ keeps it"),
        "revision": Property(Text(), "new whenever the document is sent: what waits for the location waits again"),
    },
)

_FRESH: Final = 2.0  # seconds; locations that are read together share one answer


class CodeLocation(Resource):
    """See ``DEFINITION``. The id is ``organization/deployment/name``."""

    definition = DEFINITION

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._snapshots: dict[Connection, Snapshot[dict[str, Document]]] = {}
        self._deployments: dict[Connection, Snapshot[Deployment]] = {}
        self._began = time.monotonic()
        self._last_write = float("-inf")

    def check(self, inputs: Properties) -> list[Failure]:
        document, name = inputs["document"], inputs["name"]
        said = document.get("location_name", name) if isinstance(document, dict) else name
        if UNKNOWN not in (said, name) and said != name:
            return [Failure("document.location_name", f"must be left out, or be the location's name '{name}'")]
        return []

    def diff(self, old_inputs: Properties, outputs: Properties, inputs: Properties) -> list[Change]:
        # what was imported, or drifted, has no name in its document; that a program says it there is no change
        return super().diff(_nameless(old_inputs), outputs, _nameless(inputs))

    def create(self, inputs: Properties, call: Call) -> Existing:
        connection, name = Connection.of(inputs), inputs["name"]
        present = self._documents(connection, call, time.monotonic()).get(name)
        if present is not None and _stands(present, inputs):
            return _existing(inputs, present, revision=secrets.token_hex(8))
        return self._put(connection, inputs, call)

    def read(self, id: str, inputs: Properties, outputs: Properties, call: Call) -> Existing | None:
        if not inputs:
            return self._imported(id, call)
        from hybrid.plus import PlusError

        connection = Connection.of(inputs)
        if connection.is_wiped:
            return None
        try:
            moment = max(self._last_write, time.monotonic() - _FRESH)
            present = self._documents(connection, call, moment, patient=False).get(inputs["name"])
        except PlusError as error:
            if not connection.is_down(error):
                raise
            call.report.warning("the embedded Dagster+ does not run; the location is taken to be as it was")
            return Existing(id=id, outputs=outputs)
        if present is None:
            return None
        found = _existing(inputs, present, revision=outputs.get("revision", ""))
        # Dagster+'s own form of a document may differ from ours for ever; its form then and now is what compares
        unchanged = found.outputs["documentDigest"] == outputs.get("documentDigest")
        return found if unchanged else Existing(found.id, found.outputs, {"document": normal(present)})

    def update(self, id: str, outputs: Properties, inputs: Properties, call: Call) -> Existing:
        return self._put(Connection.of(inputs), inputs, call)

    def delete(self, id: str, inputs: Properties, outputs: Properties, call: Call) -> None:
        from hybrid.plus import PlusError

        connection = Connection.of(inputs)
        if connection.is_wiped:
            return
        try:
            client = self._clients.client(connection, call, patient=False)
            if client.current_deployment().agent_type == "SERVERLESS" and not self._is_queued(client, inputs):
                call.report.warning(
                    f"Serverless runs the deployment now, so '{inputs['name']}' stays: it is Serverless's"
                )
                return
            client.delete_location(inputs["name"])
        except PlusError as error:
            if not connection.is_down(error):
                raise
            call.report.warning("the embedded Dagster+ does not run; the location stays registered in it")
        self._last_write = time.monotonic()

    def _is_queued(self, client: PlusClient, inputs: Properties) -> bool:
        """Whether what stands is on the queue that was declared. After a switch was taken back, what stands under the
        name is what Serverless runs, by the default queue."""
        queue = inputs["document"].get("agent_queue")
        present = client.location_documents().get(inputs["name"]) if queue else None
        return present is not None and present.get("agent_queue") == queue

    def _put(self, connection: Connection, inputs: Properties, call: Call) -> Existing:
        name = inputs["name"]
        client = self._clients.client(connection, call)
        if not inputs["document"].get("agent_queue"):  # by a queue, Hybrid locations may live beside Serverless ones
            self._deployments.setdefault(connection, Snapshot()).after(
                self._began, client.current_deployment
            ).refuse_serverless()
        client.put_location({**inputs["document"], "location_name": name})
        self._last_write = time.monotonic()
        kept = self._documents(connection, call, self._last_write).get(name)
        return _existing(inputs, kept if kept is not None else inputs["document"], revision=secrets.token_hex(8))

    def _documents(
        self, connection: Connection, call: Call, moment: float, *, patient: bool = True
    ) -> dict[str, Document]:
        client = self._clients.client(connection, call, patient=patient)
        return self._snapshots.setdefault(connection, Snapshot()).after(moment, client.location_documents)

    def _imported(self, id: str, call: Call) -> Existing | None:
        connection, name = imported(id, "CodeLocation", "NAME")
        present = self._documents(connection, call, time.monotonic()).get(name)
        if present is None:
            return None
        inputs = {"connection": connection.described(), "name": name, "document": normal(present)}
        return Existing(id, {"documentDigest": digest_of(present), "revision": secrets.token_hex(8)}, inputs)


def _existing(inputs: Properties, kept: Document, *, revision: str) -> Existing:
    connection = Connection.of(inputs)
    return Existing(
        id=f"{connection.organization}/{connection.deployment}/{inputs['name']}",
        outputs={"documentDigest": digest_of(kept), "revision": revision},
    )


def _stands(present: Document, inputs: Properties) -> bool:
    """Whether Dagster+ need not be told. With a content hash what stands may have been loaded from other code, unless
    it was told for this very update."""
    document, content = inputs["document"], inputs.get("contentHash") or None
    if content is None and normal(present) == normal(document):
        return True
    return read_told(os.environ).get(inputs["name"]) == Told.of(document, present, content)


def _nameless(inputs: Properties) -> Properties:
    document = inputs.get("document")
    if not isinstance(document, dict):
        return inputs
    return {**inputs, "document": {key: value for key, value in document.items() if key != "location_name"}}
