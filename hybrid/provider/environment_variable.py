"""The ``EnvironmentVariable`` resource: a variable that Dagster+ sets for user code, its value a secret throughout."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from hybrid.errors import HybridError
from hybrid.provider.connection import Clients, Connection, connection_record, imported, reaching
from hybrid.provider.definition import Definition, Failure, Flag, ListOf, Number, Property, Record, Text
from hybrid.provider.difference import Change
from hybrid.provider.properties import UNKNOWN, Properties, has_unknown, reveal
from hybrid.provider.resource import Call, Existing, Resource
from hybrid.provider.snapshot import Snapshot
from hybrid.redaction import Token

if TYPE_CHECKING:
    from hybrid.plus import EnvironmentVariable, PlusClient, Scopes

DEFINITION: Final = Definition(
    name="EnvironmentVariable",
    description="An environment variable of a deployment, for the code of some or all locations. Variables that no "
    "stack declares are never touched.",
    inputs={
        "connection": Property(connection_record("organization", "deployment"), "where Dagster+'s API is"),
        "name": Property(Text(), "the variable's name"),
        "value": Property(
            Text(empty=True),
            "its value; left out (as after an import) the value that Dagster+ has is left as it is",
            required=False,
            secret=True,
        ),
        "scopes": Property(
            Record(
                "EnvironmentVariableScopes",
                "Where an environment variable is set.",
                {
                    "fullDeployment": Property(Flag(), "the full deployment", default=False),
                    "allBranchDeployments": Property(Flag(), "all its branch deployments", default=False),
                    "branchDeployment": Property(Text(), "the branch deployment of this name", required=False),
                    "local": Property(Flag(), "what `dg plus pull env` brings to a machine", default=False),
                },
            ),
            "where it is set; at least one",
        ),
        "locations": Property(ListOf(Text()), "names of the code locations that see it; none means all", default=[]),
    },
    outputs={
        "variableId": Property(Text(), "its id in Dagster+"),
        "updatedAt": Property(Number(0, float("inf"), whole=False), "when it was last changed, in seconds since 1970"),
    },
    # two of one name at one place cannot be: the old one goes first
)

_FRESH: Final = 2.0  # seconds; variables that are read together share one answer


class EnvironmentVariableResource(Resource):
    """See ``DEFINITION``. The id is ``organization/deployment/id in Dagster+``; an import also takes the name there."""

    definition = DEFINITION

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._snapshots: dict[Connection, Snapshot[list[EnvironmentVariable]]] = {}
        self._last_write = float("-inf")

    def check(self, inputs: Properties) -> list[Failure]:
        scopes, name = inputs["scopes"], inputs["name"]
        if not has_unknown(scopes) and not any(scopes.values()):
            return [Failure("scopes", f"must have one of {', '.join(_scope_names())}: it would be set nowhere")]
        if name is not UNKNOWN and ("=" in name or any(letter.isspace() for letter in name)):
            return [Failure("name", "must be an environment variable's name, without '=' and blanks")]
        return []

    def diff(self, old_inputs: Properties, outputs: Properties, inputs: Properties) -> list[Change]:
        found = super().diff(old_inputs, outputs, inputs)
        before, after = reveal(old_inputs.get("locations")), reveal(inputs.get("locations"))
        if not has_unknown(after) and sorted(before or ()) == sorted(after or ()):
            found = [change for change in found if not change.path.startswith("locations")]
        # a value that the program leaves out is not managed, so there is nothing to take away
        return [change for change in found if (change.path, change.how) != ("value", "delete")]

    def create(self, inputs: Properties, call: Call) -> Existing:
        if inputs.get("value") is None:
            raise HybridError(
                f"The environment variable {inputs['name']} has no value.",
                why="It can be left out only for a variable that is there already and was imported.",
                next_step="give `value`, best from the stack's secret configuration.",
            )
        connection = Connection.of(inputs)
        client = self._clients.client(connection, call)
        scopes, locations = _scopes(inputs["scopes"]), frozenset(inputs["locations"])
        taken = [
            variable
            for variable in client.environment_variables()
            if variable.name == inputs["name"] and variable.shares_place_with(scopes, locations)
        ]
        if taken:
            return self._adopted(client, taken, inputs, connection)
        made = client.create_environment_variable(inputs["name"], Token(inputs["value"]), scopes, locations)
        self._last_write = time.monotonic()
        return _existing(connection, made)

    def read(self, id: str, inputs: Properties, outputs: Properties, call: Call) -> Existing | None:
        if not inputs:
            return self._imported(id, call)
        connection = Connection.of(inputs)
        if connection.is_wiped:
            return None
        listed: Sequence[EnvironmentVariable] = ()
        with reaching(connection, call, "the environment variable is taken to be as it was") as reach:
            moment = max(self._last_write, time.monotonic() - _FRESH)
            client = self._clients.client(connection, call, patient=False)
            listed = self._snapshots.setdefault(connection, Snapshot()).after(
                moment, lambda: client.environment_variables(values=True)
            )
        if reach.down:
            return Existing(id=id, outputs=outputs)
        found = _by_id(listed, outputs["variableId"])
        return _existing(connection, found, _drift(found, inputs, outputs)) if found is not None else None

    def update(self, id: str, outputs: Properties, inputs: Properties, call: Call) -> Existing:
        connection = Connection.of(inputs)
        client = self._clients.client(connection, call)
        value = inputs.get("value")
        token = Token(value) if value is not None else _kept_value(client, outputs["variableId"], inputs["name"])
        changed = client.update_environment_variable(
            outputs["variableId"], inputs["name"], token, _scopes(inputs["scopes"]), inputs["locations"]
        )
        self._last_write = time.monotonic()
        return _existing(connection, changed)

    def delete(self, id: str, inputs: Properties, outputs: Properties, call: Call) -> None:
        connection = Connection.of(inputs)
        if connection.is_wiped:
            return
        with reaching(connection, call, "the environment variable stays in it"):
            client = self._clients.client(connection, call, patient=False)
            if client.current_deployment().agent_type == "SERVERLESS":
                # after a switch was taken back: Serverless's code reads it, and may have before there was a stack
                call.report.warning(f"Serverless runs the deployment now, so {inputs['name']} stays for its code")
                return
            client.delete_environment_variable(outputs["variableId"])
        self._last_write = time.monotonic()

    def _adopted(
        self, client: PlusClient, taken: Sequence[EnvironmentVariable], inputs: Properties, connection: Connection
    ) -> Existing:
        """What a killed update made; anything else of that name belongs to somebody."""
        scopes, locations = _scopes(inputs["scopes"]), frozenset(inputs["locations"])
        if len(taken) == 1 and (taken[0].scopes, taken[0].locations) == (scopes, locations):
            found = _by_id(client.environment_variables(values=True), taken[0].id)
            if found is not None and found.value == Token(inputs["value"]):
                return _existing(connection, found)
        where = f"{connection.organization}/{connection.deployment}"
        raise HybridError(
            f"There is an environment variable {inputs['name']} already at a place that this one is for.",
            why="\n".join(f"{where}/{variable.id}: {_in_words(variable)}" for variable in taken),
            next_step="to manage it here, run `pulumi import dagsterhybrid:index:EnvironmentVariable "
            f"{inputs['name'].lower()} {where}/{taken[0].id}`; or choose other scopes, locations or another name.",
        )

    def _imported(self, id: str, call: Call) -> Existing | None:
        connection, name = imported(id, "EnvironmentVariable", "NAME")
        # without values: an import writes code, which is no place for them
        listed = self._clients.client(connection, call).environment_variables()
        found = [variable for variable in listed if name in (variable.id, variable.name)]
        if len(found) > 1:
            where = f"{connection.organization}/{connection.deployment}"
            raise HybridError(
                f"There are {len(found)} environment variables '{name}'.",
                why="\n".join(f"{where}/{variable.id}: {_in_words(variable)}" for variable in found),
                next_step="import one of them by its id.",
            )
        if not found:
            return None
        inputs = {
            "connection": connection.described(),
            "name": found[0].name,
            "scopes": _described(found[0].scopes),
            "locations": sorted(found[0].locations),
        }
        return _existing(connection, found[0], inputs)


def _existing(connection: Connection, found: EnvironmentVariable, inputs: Properties | None = None) -> Existing:
    return Existing(
        id=f"{connection.organization}/{connection.deployment}/{found.id}",
        outputs={"variableId": found.id, "updatedAt": found.updated_at or 0},
        inputs=inputs or {},
    )


def _drift(found: EnvironmentVariable, inputs: Properties, outputs: Properties) -> Properties:
    drifted: Properties = {}
    if found.name != inputs["name"]:
        drifted["name"] = found.name
    if found.scopes != _scopes(inputs["scopes"]):
        drifted["scopes"] = _described(found.scopes)
    if found.locations != frozenset(inputs["locations"]):
        drifted["locations"] = sorted(found.locations)
    if inputs.get("value") is None:
        return drifted
    if found.value is not None and found.value != Token(inputs["value"]):
        drifted["value"] = found.value.reveal()
    elif found.value is None and (found.updated_at or 0) != outputs.get("updatedAt"):
        drifted["value"] = ""  # the token may not view it; somebody changed something, so it is sent again
    return drifted


def _kept_value(client: PlusClient, id: str, name: str) -> Token:
    found = _by_id(client.environment_variables(values=True), id)
    if found is None or found.value is None:
        raise HybridError(
            f"The value of the environment variable {name} is not known.",
            why="Dagster+ wants it with every change, and this token may not view it.",
            next_step="give `value`, best from the stack's secret configuration.",
        )
    return found.value


def _by_id(listed: Sequence[EnvironmentVariable], id: str) -> EnvironmentVariable | None:
    return next((variable for variable in listed if variable.id == id), None)


def _scopes(given: Properties) -> Scopes:
    from hybrid.plus import Scopes

    return Scopes(
        full_deployment=bool(given.get("fullDeployment")),
        all_branch_deployments=bool(given.get("allBranchDeployments")),
        branch_deployment=given.get("branchDeployment"),
        local=bool(given.get("local")),
    )


def _described(scopes: Scopes) -> dict[str, Any]:
    described: dict[str, Any] = {
        "fullDeployment": scopes.full_deployment,
        "allBranchDeployments": scopes.all_branch_deployments,
        "local": scopes.local,
    }
    return {**described, "branchDeployment": scopes.branch_deployment} if scopes.branch_deployment else described


def _scope_names() -> list[str]:
    kind = DEFINITION.inputs["scopes"].kind
    return list(kind.properties) if isinstance(kind, Record) else []


def _in_words(variable: EnvironmentVariable) -> str:
    scopes = [name for name, value in _described(variable.scopes).items() if value]
    return f"{', '.join(scopes) or 'nowhere'}; locations: {', '.join(sorted(variable.locations)) or 'all'}"
