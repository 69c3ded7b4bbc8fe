"""Code locations: deployed, listed, deleted.

Rests on: ``schema``; ``client`` for the documents' shape, which Dagster+'s own schema of locations judges
(dagster_cloud/workspace/config_schema), and for agent tokens being used to deploy (``dg plus create ci-api-token``
makes one) and ``docs`` for editors doing it; ``invented``: deleting a location that is not there succeeds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from hybrid.emulator.api.context import context_of
from hybrid.emulator.api.public.errors import Typed, invalid_location, plain_error
from hybrid.emulator.api.rights import lacking, shortage
from hybrid.emulator.api.schema import Resolvers
from hybrid.emulator.loading import RuntimeLoader
from hybrid.emulator.organization import Deployment, LocationRecord, Organization
from hybrid.emulator.organization.deployments import built_in_environment
from hybrid.emulator.seam import LocationDocuments, Runtime
from hybrid.redaction import redact


class _Locations:
    """Resolvers over the locations of one organization."""

    def __init__(self, organization: Organization, runtime: RuntimeLoader) -> None:
        self._locations = organization.locations
        self._runtime = runtime

    def put(self, _parent: Any, info: Any, document: Any) -> Typed:
        return self._deploy(info, [document], lambda records: _entry(records[0]))

    def deploy(self, _parent: Any, info: Any, document: Any) -> Typed:
        return self._deploy(info, _listed(document), lambda records: _several("DeployLocationsSuccess", records))

    def reconcile(self, _parent: Any, info: Any, document: Any) -> Typed:
        """What is not in the document goes away."""
        success = "ReconcileLocationsSuccess"
        return self._deploy(info, _listed(document), lambda records: _several(success, records), others_go=True)

    def delete(self, _parent: Any, info: Any, **arguments: Any) -> Typed:
        fault = lacking(info, "EDITOR", agents=True)
        if fault:
            return fault
        name = arguments["locationName"]
        if self._locations.delete(context_of(info)["deployment"].name, name):
            self._tell(context_of(info)["deployment"].name, [name])
        return {"__typename": "DeleteLocationSuccess", "locationName": name}

    def ping(self, _parent: Any, info: Any, **arguments: Any) -> Typed:
        """Whether an agent answers for the location's code server; the result has no type of its own for refusals."""
        deployment, name = context_of(info)["deployment"], arguments["locationName"]
        words = shortage(context_of(info), "VIEWER", agents=True)
        if words:
            return plain_error(words)
        if self._locations.get(deployment.name, name) is None:
            return plain_error(f"The deployment '{deployment.name}' has no code location '{name[:80]}'.")
        runtime = self._runtime.get()
        try:
            runtime.ping(deployment.name, name)
        except Exception as error:  # whatever the agent or its code server said is the answer
            return plain_error(redact(str(error)))
        return {"__typename": "PingLocationSuccess", "locationName": name}

    def as_document(self, _parent: Any, info: Any) -> Typed:
        records = self._locations.all(context_of(info)["deployment"].name)
        return {"document": {"locations": [record.document for record in records]}}

    def _tell(self, deployment: str, changed: Sequence[str]) -> None:
        def tell(runtime: Runtime) -> None:
            for name in changed:
                runtime.location_changed(deployment, name)

        self._runtime.when_loaded(tell)

    def _deploy(
        self,
        info: Any,
        documents: Sequence[Any],
        success: Callable[[list[LocationRecord]], Typed],
        *,
        others_go: bool = False,
    ) -> Typed:
        fault = lacking(info, "EDITOR", agents=True)
        if fault:
            return fault
        deployment = context_of(info)["deployment"]
        with self._locations.deploying():
            return self._deployed(self._runtime.documents(), deployment, documents, success, others_go=others_go)

    def _deployed(
        self,
        judge: LocationDocuments,
        deployment: Deployment,
        documents: Sequence[Any],
        success: Callable[[list[LocationRecord]], Typed],
        *,
        others_go: bool,
    ) -> Typed:
        errors = _faults(judge, documents)
        if errors:
            return invalid_location(errors)
        names = {document["location_name"] for document in documents}
        there = self._locations.all(deployment.name)
        gone = [record.name for record in there if others_go and record.name not in names]
        environment = built_in_environment(deployment)
        deployed = [(document, judge.deploy_metadata(document, environment)) for document in documents]
        records = self._locations.replace_all(deployment.name, deployed, delete=gone)
        self._tell(deployment.name, [*names, *gone])
        return success(records)


def resolvers(organization: Organization, runtime: RuntimeLoader) -> Resolvers:
    locations = _Locations(organization, runtime)
    return {
        "Query": {
            "locationsAsDocument": locations.as_document,
            "workspace": lambda _parent, info: {
                "workspaceEntries": workspace_entries(organization, context_of(info)["deployment"].name, None)
            },
        },
        "Mutation": {
            "addOrUpdateLocationFromDocument": locations.put,
            "deployLocations": locations.deploy,
            "reconcileLocationsFromDocument": locations.reconcile,
            "deleteLocation": locations.delete,
            "pingLocation": locations.ping,
        },
    }


def workspace_entries(
    organization: Organization, deployment: str, queues: Sequence[str | None] | None
) -> list[dict[str, Any]]:
    """The deployment's locations that agents of ``queues`` serve; all of them for None."""
    return [
        _entry(record)
        for record in organization.locations.all(deployment)
        if queues is None or record.agent_queue in queues
    ]


def _entry(record: LocationRecord) -> Typed:
    return {
        "__typename": "WorkspaceEntry",
        "locationName": record.name,
        "serializedDeploymentMetadata": record.metadata,
        "metadataTimestamp": record.metadata_timestamp,
        "dataUpdatedTimestamp": record.uploaded_timestamp,
        "hasOutdatedData": record.outdated,
        "hasLoadError": record.error is not None,
    }


def _several(success: str, records: list[LocationRecord]) -> Typed:
    return {"__typename": success, "locations": [_entry(record) for record in records]}


def _listed(document: Any) -> list[Any]:
    """The locations of a document, which names them under ``locations``: a list, or (of old) a map by name."""
    locations = document.get("locations") if isinstance(document, dict) else None
    if isinstance(locations, dict):
        return [{"location_name": name, **(value or {})} for name, value in locations.items()]
    return locations if isinstance(locations, list) else [locations]


def _faults(judge: LocationDocuments, documents: Sequence[Any]) -> list[str]:
    """What is wrong with the documents, the location's name before each fault when there are several."""
    errors: list[str] = []
    seen: set[str] = set()
    for document in documents:
        name = document.get("location_name") if isinstance(document, dict) else None
        if not isinstance(name, str) or not name:
            errors.append("A location's document is a map with location_name.")
            continue
        if name in seen:
            errors.append(f"{name}: named twice.")
        seen.add(name)
        prefix = f"{name}: " if len(documents) > 1 else ""
        errors += [f"{prefix}{fault}" for fault in judge.validate_document(document)]
    return errors
