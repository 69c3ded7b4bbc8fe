"""Users' tokens, and those of SCIM: made, listed, described, revoked.

Rests on: ``schema``; ``docs`` for everybody managing his own tokens, for administrators of the organization listing and
revoking all, and for a value that is shown once; ``invented``: an administrator may make one for another user, because
nobody can sign in here to make his own; a SCIM token is good for nothing; a value that can no longer be read is shown
as asterisks.
"""

from __future__ import annotations

from typing import Any

from hybrid.emulator.api.context import context_of
from hybrid.emulator.api.public.errors import Typed, plain_error
from hybrid.emulator.api.public.tokens import UNREADABLE
from hybrid.emulator.api.public.users import described as user_described
from hybrid.emulator.api.rights import lacking
from hybrid.emulator.api.schema import Resolvers
from hybrid.emulator.organization import Organization, TokenRecord
from hybrid.redaction import Token


class _UserTokens:
    """Resolvers over the tokens of users."""

    def __init__(self, organization: Organization) -> None:
        self._tokens = organization.tokens
        self._users = organization.users
        self._shown = _Shown(organization)

    def listed(self, _parent: Any, info: Any, **arguments: Any) -> Typed:
        user = arguments["userId"]
        fault = _fault(info, user)
        if fault:
            return fault
        found = [self._shown.user(record) for record in self._tokens.all("user") if record.user_id == user]
        return {"__typename": "DagsterCloudUserTokens", "tokens": found}

    def create(self, _parent: Any, info: Any, **arguments: Any) -> Typed:
        fault = _fault(info, arguments["userId"])
        if fault:
            return fault
        user = self._users.get(arguments["userId"])
        if user is None or user.removed_at is not None:
            return plain_error(f"There is no user with the id {arguments['userId']}.")
        return self._shown.user(*self._tokens.create("user", arguments.get("description"), user.id))

    def describe(self, _parent: Any, info: Any, **arguments: Any) -> Typed:
        fault = _fault(info, arguments["userId"]) or self._absent(arguments)
        if fault:
            return fault
        return self._shown.user(self._tokens.describe(arguments["tokenId"], arguments.get("description")))

    def revoke(self, _parent: Any, info: Any, **arguments: Any) -> Typed:
        fault = _fault(info, arguments["userId"]) or self._absent(arguments)
        if fault:
            return fault
        return self._shown.user(self._tokens.revoke(arguments["tokenId"], context_of(info)["caller"].user_id))

    def _absent(self, arguments: dict[str, Any]) -> Typed | None:
        record = self._tokens.get(arguments["tokenId"], "user")
        if record is not None and record.user_id == arguments["userId"]:
            return None
        return _not_found(f"The user {arguments['userId']} has no token with the id {arguments['tokenId']}.")


class _ScimTokens:
    """Resolvers over the tokens of SCIM, the only type of API tokens."""

    def __init__(self, organization: Organization) -> None:
        self._tokens = organization.tokens
        self._shown = _Shown(organization)

    def listed(self, _parent: Any, info: Any, **_type: Any) -> Typed:
        fault = lacking(info, "ADMIN", organization=True)
        if fault:
            return fault
        found = [self._shown.scim(record) for record in self._tokens.all("scim")]
        return {"__typename": "DagsterCloudApiTokens", "tokens": found}

    def create(self, _parent: Any, info: Any, **arguments: Any) -> Typed:
        fault = lacking(info, "ADMIN", organization=True)
        if fault:
            return fault
        caller = context_of(info)["caller"].user_id
        return self._shown.scim(*self._tokens.create("scim", arguments.get("description"), caller))

    def describe(self, _parent: Any, info: Any, **arguments: Any) -> Typed:
        found = self._found(info, arguments["tokenId"])
        if isinstance(found, dict):
            return found
        return self._shown.scim(self._tokens.describe(found.id, arguments.get("description")))

    def revoke(self, _parent: Any, info: Any, **arguments: Any) -> Typed:
        found = self._found(info, arguments["tokenId"])
        if isinstance(found, dict):
            return found
        return self._shown.scim(self._tokens.revoke(found.id, context_of(info)["caller"].user_id))

    def _found(self, info: Any, number: str) -> TokenRecord | Typed:
        fault = lacking(info, "ADMIN", organization=True)
        if fault:
            return fault
        record = next((record for record in self._tokens.all("scim") if str(record.id) == number), None)
        return record or _not_found(f"There is no API token with the id {number[:20]}.")


class _Shown:
    """Tokens as clients see them; their values at creation only."""

    def __init__(self, organization: Organization) -> None:
        self._users = organization.users

    def user(self, record: TokenRecord, value: Token | None = None) -> Typed:
        return {
            "__typename": "DagsterCloudUserToken",
            "id": record.id,
            "user": self._user(record.user_id),
            **self._common(record, value),
        }

    def scim(self, record: TokenRecord, value: Token | None = None) -> Typed:
        return {
            "__typename": "DagsterCloudApiToken",
            "id": str(record.id),
            "tokenType": "SCIM",
            "createdBy": self._user(record.user_id),
            **self._common(record, value),
        }

    def _common(self, record: TokenRecord, value: Token | None) -> Typed:
        return {
            "token": value.reveal() if value else UNREADABLE,
            "createTimestamp": record.created_at,
            "revoked": record.revoked,
            "revokedBy": self._user(record.revoked_by),
            "revokeTimestamp": record.revoked_at,
            "description": record.description,
        }

    def _user(self, number: int | None) -> Typed | None:
        user = self._users.get(number)
        return user_described(user) if user else None


def resolvers(organization: Organization) -> Resolvers:
    users, scim = _UserTokens(organization), _ScimTokens(organization)
    return {
        "Query": {"apiTokensOrError": scim.listed, "userTokensOrError": users.listed},
        "Mutation": {
            "createApiToken": scim.create,
            "createUserToken": users.create,
            "editApiTokenDescription": scim.describe,
            "editUserTokenDescription": users.describe,
            "revokeApiToken": scim.revoke,
            "revokeUserToken": users.revoke,
        },
    }


def _fault(info: Any, user: int) -> Typed | None:
    """None for one's own tokens, and for administrators of the organization."""
    caller = context_of(info)["caller"]
    return None if caller.kind == "user" and caller.user_id == user else lacking(info, "ADMIN", organization=True)


def _not_found(message: str) -> Typed:
    return {"__typename": "DagsterCloudTokenNotFoundError", "message": message}
