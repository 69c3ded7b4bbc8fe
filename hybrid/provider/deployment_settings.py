"""The ``DeploymentSettings`` resource: the settings of a deployment that a stack cares about, and who runs its code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from hybrid.errors import SettingsError
from hybrid.provider.connection import Clients, Connection, connection_record, imported, reaching
from hybrid.provider.definition import Anything, Choice, Definition, Flag, MapOf, Property, Text
from hybrid.provider.difference import Change
from hybrid.provider.properties import Properties
from hybrid.provider.resource import Call, Existing, Resource

if TYPE_CHECKING:
    from hybrid.plus import Deployment, PlusClient

Document = Mapping[str, Any]

AGENT_TYPE: Final = Choice(
    "AgentType",
    "Who runs a deployment's code.",
    {"HYBRID": "agents that you run", "SERVERLESS": "Dagster+ itself"},
)

DEFINITION: Final = Definition(
    name="DeploymentSettings",
    description="Settings of a deployment. Only the keys that are given are managed. Deleting the resource, or a key, "
    "leaves the deployment as it is.",
    inputs={
        "connection": Property(connection_record("organization", "deployment"), "where Dagster+'s API is"),
        "settings": Property(
            MapOf(Anything()), "settings by Dagster+'s names; keys at any depth that are not given stay", default={}
        ),
        "agentType": Property(
            AGENT_TYPE, "who is to run the deployment's code; left out, it is not looked at", required=False
        ),
        "allowAgentTypeChange": Property(
            Flag(),
            "whether `up` may hand the deployment from Serverless to Hybrid agents or back: whoever ran its code until "
            "then stops doing so. Without it a difference is shown and refused",
            default=False,
        ),
    },
    outputs={
        "deploymentId": Property(Text(), "the deployment's id in Dagster+"),
        "runBy": Property(AGENT_TYPE, "who runs the deployment's code now"),
        "keptSettings": Property(MapOf(Anything()), "the managed settings in the form that Dagster+ keeps"),
    },
)


class DeploymentSettings(Resource):
    """See ``DEFINITION``. The id is ``organization/deployment``.

    Deleting leaves all as it is: a deployment always has settings and somebody who runs it. What was there before may
    be years old, and bringing it back, the agent type above all, would be a change that no preview showed.
    """

    definition = DEFINITION

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def diff(self, old_inputs: Properties, outputs: Properties, inputs: Properties) -> list[Change]:
        found = super().diff(old_inputs, outputs, inputs)
        # a permission changes nothing by itself
        return [change for change in found if change.path != "allowAgentTypeChange"]

    def create(self, inputs: Properties, call: Call) -> Existing:
        connection, wanted = Connection.of(inputs), inputs.get("agentType")
        client = self._clients.client(connection, call)
        deployment = client.current_deployment()
        if wanted and wanted != deployment.agent_type and not inputs.get("allowAgentTypeChange"):
            raise _refused(deployment, wanted)
        kept = _apply(client, inputs["settings"])
        managed = _picked(kept, inputs["settings"])
        if managed != inputs["settings"]:
            call.report.warning(
                f"Dagster+ keeps these settings in another form: {', '.join(_differing(managed, inputs['settings']))}"
            )
        if wanted and wanted != deployment.agent_type:
            call.report.info(f"handing '{deployment.name}' from {deployment.agent_type} to {wanted}")
            deployment = client.set_agent_type(wanted)
        return _existing(connection, deployment, managed)

    def read(self, id: str, inputs: Properties, outputs: Properties, call: Call) -> Existing | None:
        if not inputs:
            return self._imported(id, call)
        connection = Connection.of(inputs)
        if connection.is_wiped:
            return None
        with reaching(connection, call, "the deployment's settings are taken to be as they were") as reach:
            client = self._clients.client(connection, call, patient=False)
            deployment, settings = client.current_deployment(), client.deployment_settings()
        if reach.down:
            return Existing(id=id, outputs=outputs)
        managed = _picked(settings, inputs["settings"])
        drifted: Properties = {}
        # Dagster+'s own form of a setting may differ from ours for ever; its form then and now is what compares
        if managed != outputs.get("keptSettings"):
            drifted["settings"] = managed
        if inputs.get("agentType") and inputs["agentType"] != deployment.agent_type:
            drifted["agentType"] = deployment.agent_type
        return _existing(connection, deployment, managed, drifted)

    def update(self, id: str, outputs: Properties, inputs: Properties, call: Call) -> Existing:
        return self.create(inputs, call)

    def delete(self, id: str, inputs: Properties, outputs: Properties, call: Call) -> None:
        call.report.info(f"the settings and the agent type of '{id}' stay as they are")

    def _imported(self, id: str, call: Call) -> Existing | None:
        connection, _ = imported(id, "DeploymentSettings", "")
        client = self._clients.client(connection, call)
        deployment, settings = client.current_deployment(), client.deployment_settings()
        inputs = {"connection": connection.described(), "settings": settings, "agentType": deployment.agent_type}
        return _existing(connection, deployment, settings, inputs)


def _apply(client: PlusClient, wanted: Document) -> Document:
    """All settings, after each top-level key of ``wanted`` that differs was sent whole, with what it held besides."""
    present = client.deployment_settings()
    merged = {key: _merged(present.get(key), value) for key, value in wanted.items()}
    changed = {key: value for key, value in merged.items() if key not in present or present[key] != value}
    return client.update_deployment_settings(changed) if changed else present


def _merged(present: Any, wanted: Any) -> Any:
    if not isinstance(wanted, Mapping) or not isinstance(present, Mapping):
        return wanted
    return {**present, **{key: _merged(present.get(key), value) for key, value in wanted.items()}}


def _picked(present: Any, wanted: Any) -> Any:
    """The part of ``present`` that ``wanted`` speaks of."""
    if not isinstance(wanted, Mapping) or not isinstance(present, Mapping) or not wanted:
        return {} if wanted == {} and isinstance(present, Mapping) else present
    return {key: _picked(present[key], value) for key, value in wanted.items() if key in present}


def _differing(kept: Document, wanted: Document) -> list[str]:
    return sorted(key for key, value in wanted.items() if kept.get(key) != value)


def _existing(
    connection: Connection, deployment: Deployment, managed: Any, inputs: Properties | None = None
) -> Existing:
    outputs = {"deploymentId": str(deployment.id), "runBy": deployment.agent_type, "keptSettings": managed}
    return Existing(f"{connection.organization}/{connection.deployment}", outputs, inputs or {})


def _refused(deployment: Deployment, wanted: str) -> SettingsError:
    return SettingsError(
        f"The deployment '{deployment.name}' is run by {deployment.agent_type}, and the program says {wanted}.",
        why="Changing it stops whatever runs its code now, so it is not done in passing. Nothing was changed.",
        next_step=f"set `allowAgentTypeChange: true` for the `up` that is to hand it over, or write agentType "
        f"{deployment.agent_type}.",
    )
