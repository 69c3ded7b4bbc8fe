"""The ``AgentToken`` resource: the secret that agents show, good for what they serve and nothing else."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

from hybrid.errors import HybridError
from hybrid.provider import token_rotation
from hybrid.provider.connection import Clients, Connection, connection_record, imported
from hybrid.provider.definition import Definition, Flag, ListOf, Number, Property, Record, Text
from hybrid.provider.properties import Properties
from hybrid.provider.resource import Call, Existing, PartialError, Resource
from hybrid.redaction import Token

if TYPE_CHECKING:
    from hybrid.plus import AgentGrants, AgentToken

DEFINITION: Final = Definition(
    name="AgentToken",
    description="An agent token of Dagster+, narrowed to the deployments that its agents serve.",
    inputs={
        "connection": Property(connection_record("url", "organization"), "where Dagster+'s API is"),
        "description": Property(Text(), "its name in Dagster+; other tokens of that name are revoked", replaces=True),
        "grants": Property(
            Record(
                "AgentGrants",
                "Which deployments agents with the token may serve.",
                {
                    "organization": Property(Flag(), "all deployments there are and will be", default=False),
                    "deployments": Property(ListOf(Text()), "names of full deployments", default=[]),
                    "allBranchDeployments": Property(Flag(), "all branch deployments", default=False),
                },
            ),
            "which deployments agents with it may serve",
        ),
        # neither has a default: tokens in the state of before there were rotations stay as they are
        "rotation": Property(
            Number(0, 1_000_000),
            "another number makes another token; the former one is revoked when nothing needs it any more",
            required=False,
            replaces=True,
        ),
        "agentLabel": Property(
            Text(), "the agent's label: runs of agents with another one do not need the token", required=False
        ),
        "revokeAfterRuns": Property(
            token_rotation.RUNS,
            "what happens to runs that were launched with it when another token takes its place; "
            f"{token_rotation.RUNS_VARIABLE} overrules it; wait unless given",
            required=False,
        ),
    },
    outputs={
        "tokenId": Property(Text(), "its id in Dagster+"),
        "token": Property(Text(), "the token itself", secret=True),
    },
    delete_before_replace=False,  # the agent works with the old one until it has the new one
)

_IMPORT_VALUE: Final = "DAGSTER_CLOUD_AGENT_TOKEN"


class AgentTokenResource(Resource):
    """See ``DEFINITION``. The id is the token's id in Dagster+; an import takes ORGANIZATION/DEPLOYMENT/ID and, as
    Dagster+ shows a token's value only when it is made, finds the value in DAGSTER_CLOUD_AGENT_TOKEN."""

    definition = DEFINITION

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def create(self, inputs: Properties, call: Call) -> Existing:
        connection = Connection.of(inputs)
        client = self._clients.client(connection, call)
        name = token_rotation.described(inputs["description"], inputs.get("rotation"))
        for other in client.agent_tokens():
            # a killed update made it and nobody has its value
            if other.description == name and not other.revoked:
                client.revoke_agent_token(other.id)
        made = client.create_agent_token(name)
        outputs = _outputs(made)
        try:
            client.set_agent_grants(made.id, _grants(inputs))
        except HybridError as error:
            raise PartialError(error, id=str(made.id), outputs=outputs) from error
        return Existing(id=str(made.id), outputs=outputs)

    def read(self, id: str, inputs: Properties, outputs: Properties, call: Call) -> Existing | None:
        from hybrid.plus import PlusError, PlusNotFound

        if not inputs:
            return self._imported(id, call)
        connection = Connection.of(inputs)
        if connection.is_wiped:
            return None
        try:
            found = self._clients.client(connection, call, patient=False).agent_token(int(id))
        except PlusNotFound:
            return None
        except PlusError as error:
            if not connection.is_down(error):
                raise
            call.report.warning("the embedded Dagster+ does not run; the token is taken to be as it was")
            return Existing(id=id, outputs=outputs)
        if found.revoked:
            return None
        drifted = {} if found.grants == _grants(inputs) else {"grants": _described(found.grants)}
        return Existing(id=id, outputs=outputs, inputs=drifted)

    def update(self, id: str, outputs: Properties, inputs: Properties, call: Call) -> Existing:
        connection = Connection.of(inputs)
        self._clients.client(connection, call).set_agent_grants(int(id), _grants(inputs))
        return Existing(id=id, outputs={name: outputs[name] for name in DEFINITION.outputs})

    def delete(self, id: str, inputs: Properties, outputs: Properties, call: Call) -> None:
        from hybrid.plus import PlusError

        connection = Connection.of(inputs)
        if connection.is_wiped:
            return
        try:
            client = self._clients.client(connection, call, patient=False)
            if token_rotation.has_successor(client.agent_tokens(), inputs):
                token_rotation.release(inputs, lambda where: self._clients.client(where, call), call)
            client.revoke_agent_token(int(id))
        except PlusError as error:
            if not connection.is_down(error):
                raise
            call.report.warning("the embedded Dagster+ does not run; its token is not revoked")

    def _imported(self, id: str, call: Call) -> Existing | None:
        from hybrid.plus import PlusNotFound, is_agent_token

        value = Token(os.environ.get(_IMPORT_VALUE, "").strip())
        if not is_agent_token(value):
            raise HybridError(
                f"The agent token '{id}' cannot be imported without its value.",
                why="Dagster+ shows a token's value only when it is made.",
                next_step=f"set {_IMPORT_VALUE} to it, or declare another token in the program: `up` makes it, and "
                "the old one is revoked in Dagster+ > Organization Settings > Tokens.",
            )
        connection, number = imported(id, "AgentToken", "ID")
        try:
            found = self._clients.client(connection, call).agent_token(int(number))
        except (PlusNotFound, ValueError):
            return None
        if found.revoked:
            return None
        inputs = {
            "connection": connection.described(),
            "description": found.description or "",
            "grants": _described(found.grants),
        }
        return Existing(str(found.id), {"tokenId": str(found.id), "token": value.reveal()}, inputs)


def _outputs(token: AgentToken) -> dict[str, Any]:
    if token.token is None:
        raise HybridError(
            f"Dagster+ made agent token {token.id} and did not show it.",
            next_step="run `up` again: it revokes that one and makes another.",
        )
    return {"tokenId": str(token.id), "token": token.token.reveal()}


def _grants(inputs: Properties) -> AgentGrants:
    from hybrid.plus import AgentGrants

    given = inputs["grants"]
    return AgentGrants(
        organization=bool(given.get("organization")),
        deployments=frozenset(given.get("deployments") or ()),
        all_branch_deployments=bool(given.get("allBranchDeployments")),
    )


def _described(grants: AgentGrants | None) -> dict[str, Any]:
    from hybrid.plus import AgentGrants

    found = grants or AgentGrants()
    return {
        "organization": found.organization,
        "deployments": sorted(found.deployments),
        "allBranchDeployments": found.all_branch_deployments,
    }
