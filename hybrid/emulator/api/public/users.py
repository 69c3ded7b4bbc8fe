"""Users: added, given roles, removed; and what the caller is and may do.

Rests on: ``schema``; ``docs`` for everybody seeing users, for admins of a deployment adding them, for administrators of
the organization alone changing roles and removing, and for a new user being a viewer of each deployment unless its
setting ``sso_default_role`` says otherwise; ``invented``: roles for single code locations are refused, the identity's
permissions are Dagster's own, and the administrator can be neither removed nor demoted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from hybrid.emulator.api.context import context_of
from hybrid.emulator.api.public.errors import Typed, plain_error, unauthorized
from hybrid.emulator.api.public.grants import by_scope, deployment_of, fault_of_scope
from hybrid.emulator.api.rights import dagster_permissions, lacking
from hybrid.emulator.api.schema import Resolvers
from hybrid.emulator.organization import Deployment, Organization, UserRecord
from hybrid.emulator.organization.grants import ROLES, Role, Scope, highest, reaches
from hybrid.emulator.organization.users import AdministratorError, EmailError

_DISABLED: Final = "Your role does not allow it."


class _Users:
    """Resolvers over the users of one organization."""

    def __init__(self, organization: Organization) -> None:
        self._organization = organization
        self._users = organization.users

    def listed(self, _parent: Any, info: Any) -> Typed:
        if context_of(info)["caller"].kind == "agent":
            return unauthorized("An agent's token cannot see users.")
        found = [_with_grants(user) for user in self._users.all()]
        return {"__typename": "DagsterCloudUsersWithScopedPermissionGrants", "users": found}

    def add(self, _parent: Any, info: Any, email: str | None = None) -> Typed:
        if not reaches(highest(context_of(info)["caller"].grants), "ADMIN"):
            return unauthorized("To add users takes a user with the role ADMIN, in one deployment at least.")
        roles: list[tuple[Role, Scope, int | None]] = [
            (_default_role(found), "DEPLOYMENT", found.id) for found in self._organization.deployments.full()
        ]
        try:
            user = self._users.add(email or "", roles)
        except EmailError as error:
            return plain_error(error.sentence())
        return {
            "__typename": "AddUserToOrganizationSuccess",
            "email": user.email,
            "userWithGrants": _with_grants(user),
        }

    def remove(self, _parent: Any, info: Any, email: str | None = None) -> Typed:
        fault = lacking(info, "ADMIN", organization=True)
        if fault:
            return fault
        user = self._users.named(email or "")
        if user is None:
            return plain_error(_absent(email))
        try:
            self._users.remove(user.email, context_of(info)["caller"].user_id)
        except AdministratorError as error:
            return {"__typename": "CantRemoveAllAdminsError", "message": error.sentence()}
        return {"__typename": "RemoveUserFromOrganizationSuccess", "email": user.email}

    def grant(self, _parent: Any, info: Any, **arguments: Any) -> Typed:
        asked = arguments["userPermission"]

        def give(user: UserRecord) -> UserRecord:
            return self._users.grant(user.email, asked["grant"], asked["deploymentScope"], deployment_of(asked))

        return self._changed(info, asked, give)

    def withdraw(self, _parent: Any, info: Any, **arguments: Any) -> Typed:
        asked = arguments["userPermission"]

        def take(user: UserRecord) -> UserRecord:
            return self._users.withdraw(user.email, asked["deploymentScope"], deployment_of(asked))

        return self._changed(info, asked, take)

    def identity(self, _parent: Any, info: Any) -> Typed:
        user = self._users.get(context_of(info)["caller"].user_id)
        return {"viewer": described(user) if user else None, "permissions": _permissions(info)}

    def _changed(self, info: Any, asked: Mapping[str, Any], change: Callable[[UserRecord], UserRecord]) -> Typed:
        fault = lacking(info, "ADMIN", organization=True)
        if fault:
            return fault
        user = self._users.named(asked["email"])
        if user is None:
            return {"__typename": "UserNotFoundError", "message": _absent(asked["email"])}
        wrong = _fault_of_role(asked) or fault_of_scope(self._organization, asked)
        if wrong:
            return plain_error(wrong)
        try:
            return _with_grants(change(user))
        except AdministratorError as error:
            return {"__typename": "CantRemoveAllAdminsError", "message": error.sentence()}


def resolvers(organization: Organization) -> Resolvers:
    users = _Users(organization)
    return {
        "Query": {
            "identity": users.identity,
            "permissions": lambda _parent, info: _permissions(info),
            "usersOrError": users.listed,
        },
        "Mutation": {
            "addUserToOrganization": users.add,
            "removeUserFromOrganization": users.remove,
            "createOrUpdateUserPermissions": users.grant,
            "removeUserPermissions": users.withdraw,
        },
        "DagsterCloudIdentity": {"currentDeployment": _current_deployment},
    }


def described(user: UserRecord) -> Typed:
    """As ``DagsterCloudUser``."""
    return {"userId": user.id, "email": user.email, "name": user.name, "picture": None, "isScimProvisioned": False}


def _with_grants(user: UserRecord) -> Typed:
    return {
        "__typename": "DagsterCloudUserWithScopedPermissionGrants",
        "id": str(user.id),
        "user": described(user),
        **by_scope(user.grants),
    }


def _permissions(info: Any) -> list[Typed]:
    context = context_of(info)
    permissions = dagster_permissions(context["caller"], context["deployment"])
    return [
        {"permission": name, "value": value, "disabledReason": None if value else _DISABLED}
        for name, value in permissions.items()
    ]


def _current_deployment(_parent: Any, info: Any) -> Any:
    """The same as the root's field, whoever resolves that."""
    return info.schema.query_type.fields["currentDeployment"].resolve(None, info)


def _default_role(deployment: Deployment) -> Role:
    wanted = deployment.settings.get("sso_default_role")
    return next((role for role in ROLES if role == wanted), "VIEWER")


def _fault_of_role(asked: Mapping[str, Any]) -> str | None:
    if asked.get("grant", ROLES[0]) not in ROLES:
        return f"A user has one of the roles {', '.join(ROLES)}, not {asked['grant']}."
    if asked.get("locationGrants"):
        return "The embedded Dagster+ keeps no roles for single code locations; give the role for the deployment."
    return None


def _absent(email: str | None) -> str:
    return f"There is no user {(email or '')[:80]!r} in the organization."
