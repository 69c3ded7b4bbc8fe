"""Agent tokens: made, listed, narrowed, revoked.

Rests on: ``schema``; ``docs`` for the organization-wide grant of a new token and for a value that is shown once;
``invented``: an agent token may not manage tokens, AGENT is the only grant, and a value that can no longer be read is
shown as asterisks.
"""

from __future__ import annotations

from typing import Any

from hybrid.emulator.api.context import context_of
from hybrid.emulator.api.public.errors import Typed, plain_error, unauthorized
from hybrid.emulator.api.schema import Resolvers
from hybrid.emulator.organization import Grant, Organization, TokenRecord
from hybrid.emulator.organization.tokens import Scope
from hybrid.redaction import Token

_UNREADABLE = "*" * 8
_REFUSED = "An agent token cannot read or change tokens; use an API token."


class _AgentTokens:
    """Resolvers over the tokens of one organization."""

    def __init__(self, organization: Organization) -> None:
        self._organization = organization
        self._tokens = organization.tokens

    def listed(self, _parent: Any, info: Any) -> Typed:
        if not _administers(info):
            return unauthorized(_REFUSED)
        found = [_described(record) for record in self._tokens.all("agent")]
        return {"__typename": "DagsterCloudAgentTokens", "tokens": found}

    def one(self, _parent: Any, info: Any, **arguments: Any) -> Typed:
        if not _administers(info):
            return unauthorized(_REFUSED)
        record = self._tokens.get(arguments["tokenId"], "agent")
        return _described(record) if record else plain_error(_absent(arguments["tokenId"]))

    def create(self, _parent: Any, info: Any, description: str | None = None) -> Typed:
        if not _administers(info):
            return unauthorized(_REFUSED)
        return _described(*self._tokens.create("agent", description))

    def revoke(self, _parent: Any, info: Any, **arguments: Any) -> Typed:
        if not _administers(info):
            return unauthorized(_REFUSED)
        number = arguments["tokenId"]
        if self._tokens.get(number, "agent") is None:
            return {"__typename": "DagsterCloudTokenNotFoundError", "message": _absent(number)}
        return _described(self._tokens.revoke(number))

    def grant(self, _parent: Any, info: Any, **arguments: Any) -> Typed:
        asked = arguments["agentPermission"]
        fault = self._fault(info, asked)
        if fault is not None:
            return fault
        if asked["grant"] != "AGENT":
            return plain_error(f"An agent token takes the grant AGENT only, not {asked['grant']}.")
        return _described(self._tokens.grant(asked["agentTokenId"], asked["deploymentScope"], _deployment_id(asked)))

    def withdraw(self, _parent: Any, info: Any, **arguments: Any) -> Typed:
        asked = arguments["agentPermission"]
        fault = self._fault(info, asked)
        if fault is not None:
            return fault
        return _described(self._tokens.withdraw(asked["agentTokenId"], asked["deploymentScope"], _deployment_id(asked)))

    def _fault(self, info: Any, asked: dict[str, Any]) -> Typed | None:
        """What keeps a change of grants from being made."""
        if not _administers(info):
            return unauthorized(_REFUSED)
        if self._tokens.get(asked["agentTokenId"], "agent") is None:
            return plain_error(_absent(asked["agentTokenId"]))
        number = asked.get("deploymentId")
        if asked["deploymentScope"] == "DEPLOYMENT" and (
            number is None or self._organization.deployments.numbered(number) is None
        ):
            return plain_error(f"There is no deployment with the id {number}.")
        return None


def resolvers(organization: Organization) -> Resolvers:
    tokens = _AgentTokens(organization)
    return {
        "Query": {"agentTokensOrError": tokens.listed, "agentTokenOrError": tokens.one},
        "Mutation": {
            "createAgentToken": tokens.create,
            "revokeAgentToken": tokens.revoke,
            "createOrUpdateAgentPermissions": tokens.grant,
            "removeAgentPermissions": tokens.withdraw,
        },
    }


def _administers(info: Any) -> bool:
    return context_of(info)["caller"].kind == "api"


def _absent(number: int) -> str:
    return f"There is no agent token with the id {number}."


def _deployment_id(asked: dict[str, Any]) -> int | None:
    return asked["deploymentId"] if asked["deploymentScope"] == "DEPLOYMENT" else None


def _described(record: TokenRecord, value: Token | None = None) -> Typed:
    return {
        "__typename": "DagsterCloudAgentToken",
        "id": record.id,
        "token": value.reveal() if value else _UNREADABLE,
        "createTimestamp": record.created_at,
        "revoked": record.revoked,
        "revokeTimestamp": record.revoked_at,
        "description": record.description,
        "permissions": {
            "organizationPermissionGrant": _of_scope(record, "ORGANIZATION"),
            "allBranchDeploymentsPermissionGrant": _of_scope(record, "ALL_BRANCH_DEPLOYMENTS"),
            "deploymentPermissionGrants": [_grant(grant) for grant in record.grants if grant.scope == "DEPLOYMENT"],
        },
    }


def _of_scope(record: TokenRecord, scope: Scope) -> Typed | None:
    return next((_grant(grant) for grant in record.grants if grant.scope == scope), None)


def _grant(grant: Grant) -> Typed:
    return {
        "id": grant.id,
        "organizationId": 1,
        "deploymentId": grant.deployment_id,
        "grant": "AGENT",
        "deploymentScope": grant.scope,
    }
