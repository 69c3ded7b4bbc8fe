"""Agent tokens: made, listed, narrowed, described, revoked.

Rests on: ``schema``; ``docs`` for administrators of the organization alone managing them, for the organization-wide
grant of a new token and for a value that is shown once; ``invented``: AGENT is the only grant, and a value that can no
longer be read is shown as asterisks.
"""

from __future__ import annotations

from typing import Any

from hybrid.emulator.api.context import context_of
from hybrid.emulator.api.public.errors import Typed, plain_error
from hybrid.emulator.api.public.grants import by_scope, deployment_of, fault_of_scope
from hybrid.emulator.api.rights import lacking
from hybrid.emulator.api.schema import Resolvers
from hybrid.emulator.organization import Organization, TokenRecord
from hybrid.redaction import Token

UNREADABLE = "*" * 8


class _AgentTokens:
    """Resolvers over the tokens of one organization."""

    def __init__(self, organization: Organization) -> None:
        self._organization = organization
        self._tokens = organization.tokens

    def listed(self, _parent: Any, info: Any) -> Typed:
        fault = _fault(info)
        if fault:
            return fault
        found = [_described(record) for record in self._tokens.all("agent")]
        return {"__typename": "DagsterCloudAgentTokens", "tokens": found}

    def one(self, _parent: Any, info: Any, **arguments: Any) -> Typed:
        fault = _fault(info)
        if fault:
            return fault
        record = self._tokens.get(arguments["tokenId"], "agent")
        return _described(record) if record else plain_error(_absent(arguments["tokenId"]))

    def create(self, _parent: Any, info: Any, description: str | None = None) -> Typed:
        fault = _fault(info)
        if fault:
            return fault
        return _described(*self._tokens.create("agent", description))

    def revoke(self, _parent: Any, info: Any, **arguments: Any) -> Typed:
        fault = _fault(info)
        if fault:
            return fault
        number = arguments["tokenId"]
        if self._tokens.get(number, "agent") is None:
            return {"__typename": "DagsterCloudTokenNotFoundError", "message": _absent(number)}
        return _described(self._tokens.revoke(number, context_of(info)["caller"].user_id))

    def describe(self, _parent: Any, info: Any, **arguments: Any) -> Typed:
        fault = _fault(info)
        if fault:
            return fault
        number = arguments["tokenId"]
        if self._tokens.get(number, "agent") is None:
            return {"__typename": "DagsterCloudTokenNotFoundError", "message": _absent(number)}
        return _described(self._tokens.describe(number, arguments.get("description")))

    def grant(self, _parent: Any, info: Any, **arguments: Any) -> Typed:
        asked = arguments["agentPermission"]
        fault = self._fault_of_grant(info, asked)
        if fault is not None:
            return fault
        if asked["grant"] != "AGENT":
            return plain_error(f"An agent token takes the grant AGENT only, not {asked['grant']}.")
        return _described(self._tokens.grant(asked["agentTokenId"], asked["deploymentScope"], deployment_of(asked)))

    def withdraw(self, _parent: Any, info: Any, **arguments: Any) -> Typed:
        asked = arguments["agentPermission"]
        fault = self._fault_of_grant(info, asked)
        if fault is not None:
            return fault
        return _described(self._tokens.withdraw(asked["agentTokenId"], asked["deploymentScope"], deployment_of(asked)))

    def _fault_of_grant(self, info: Any, asked: dict[str, Any]) -> Typed | None:
        """What keeps a change of grants from being made."""
        fault = _fault(info)
        if fault:
            return fault
        if self._tokens.get(asked["agentTokenId"], "agent") is None:
            return plain_error(_absent(asked["agentTokenId"]))
        wrong = fault_of_scope(self._organization, asked)
        return plain_error(wrong) if wrong else None


def resolvers(organization: Organization) -> Resolvers:
    tokens = _AgentTokens(organization)
    return {
        "Query": {"agentTokensOrError": tokens.listed, "agentTokenOrError": tokens.one},
        "Mutation": {
            "createAgentToken": tokens.create,
            "revokeAgentToken": tokens.revoke,
            "editAgentTokenDescription": tokens.describe,
            "createOrUpdateAgentPermissions": tokens.grant,
            "removeAgentPermissions": tokens.withdraw,
        },
    }


def _fault(info: Any) -> Typed | None:
    return lacking(info, "ADMIN", organization=True)


def _absent(number: int) -> str:
    return f"There is no agent token with the id {number}."


def _described(record: TokenRecord, value: Token | None = None) -> Typed:
    return {
        "__typename": "DagsterCloudAgentToken",
        "id": record.id,
        "token": value.reveal() if value else UNREADABLE,
        "createTimestamp": record.created_at,
        "revoked": record.revoked,
        "revokeTimestamp": record.revoked_at,
        "description": record.description,
        "permissions": by_scope(record.grants),
    }
