"""What a caller may do: asked by every resolver that changes something or shows what not all may see.

A user may do what the highest of his roles in that place allows. An agent's token has no role: it acts as an agent,
reads, and does what deploying from CI takes where it serves (``agents=True`` below), because ``dg plus create
ci-api-token`` makes one for that.

Rests on: ``docs`` (user roles and permissions) for which role does what; ``schema`` for roles and scopes; ``client``
for agents' tokens in CI; ``invented``: that agents' tokens may read all but tokens, users and values of secrets, and
what ``oss_mutations`` says where docs are silent.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from graphql import GraphQLError

from hybrid.emulator.api.context import Context, context_of
from hybrid.emulator.api.oss_mutations import AGENTS_MUTATIONS, PERMISSIONS, ROLE_BY_MUTATION
from hybrid.emulator.api.parsing import Operation
from hybrid.emulator.organization import Deployment, TokenRecord
from hybrid.emulator.organization.grants import ROLES, Place, Role, highest, reaches

__all__ = [
    "LackingRightsError",
    "Role",
    "check_oss",
    "check_reach",
    "dagster_permissions",
    "lacking",
    "role_needed",
    "shortage",
]

# What a caller may ask who has no grant for the request's deployment. Each shows nothing of it, or asks ``lacking``
# for itself.
_BEYOND_DEPLOYMENTS: Final = frozenset(
    {
        *("organization", "organizationSettings", "planType", "deployments", "fullDeployments", "branchDeployments"),
        *("deploymentByName", "usersOrError", "agentTokensOrError", "agentTokenOrError", "userTokensOrError"),
        *("apiTokensOrError", "deploymentSettingsSchema", "locationSchema", "workspaceSchema", "alertPoliciesSchema"),
        *("createAgentToken", "revokeAgentToken", "editAgentTokenDescription", "createOrUpdateAgentPermissions"),
        *("removeAgentPermissions", "createUserToken", "revokeUserToken", "editUserTokenDescription"),
        *("createApiToken", "revokeApiToken", "editApiTokenDescription", "addUserToOrganization"),
        *("removeUserFromOrganization", "createOrUpdateUserPermissions", "removeUserPermissions"),
        *("createDeployment", "deleteDeployment", "updateDeploymentAgentType", "createOrUpdateBranchDeployment"),
        *("getBranchDeploymentName", "setOrganizationSettings", "updateOrganizationSettings", "markCliEvent"),
        *("__schema", "__type", "__typename"),
    }
)
# Of the agents' own API: agents ask these and ``deployments`` in the organization's scope. Who else lives they learn by
# id alone, and each deployment's grant is looked at where it is named.
_OF_AGENTS_BEYOND_DEPLOYMENTS: Final = frozenset({"agents", "userCloudAgent"})


class LackingRightsError(GraphQLError):
    """The caller may not do what the operation asks."""


def lacking(
    info: Any,
    role: Role,
    deployment: Deployment | None = None,
    *,
    organization: bool = False,
    branches: bool = False,
    agents: bool = False,
) -> dict[str, Any] | None:
    """An ``UnauthorizedError`` unless the caller has ``role`` there, else None; see ``shortage``."""
    words = shortage(context_of(info), role, deployment, organization=organization, branches=branches, agents=agents)
    # Not by ``public.errors``: that package imports this module.
    return {"__typename": "UnauthorizedError", "message": words} if words else None


def shortage(
    context: Context,
    role: Role,
    deployment: Deployment | None = None,
    *,
    organization: bool = False,
    branches: bool = False,
    agents: bool = False,
) -> str | None:
    """What the caller lacks to have ``role`` there, in words, or None.

    There: ``deployment``; without one the request's own deployment, or the whole ``organization``, or any branch
    deployment (``branches``), made or not. ``agents``: an agent's token that serves there may as well.
    """
    caller = context["caller"]
    place: Place = deployment or context["deployment"]
    if organization:
        place = "ORGANIZATION"
    elif branches:
        place = "ALL_BRANCH_DEPLOYMENTS"
    if caller.kind == "agent":
        if not agents:
            return f"An agent's token cannot do this. It takes the token of a user with the role {role} {_at(place)}."
        return None if caller.serves(place) else f"The agent's token has no grant {_at(place)}."
    held = highest(caller.grants, place)
    if reaches(held, role):
        return None
    return f"This takes the role {role} {_at(place)}; the token's user has {held or 'none'} there."


def check_reach(operation: Operation, context: Context, *, as_agent: bool = False) -> None:
    """To be asked before any GraphQL operation: what of it belongs to a deployment needs a grant for that.

    ``as_agent``: the agents' own API answers. Raises ``GraphQLError``.
    """
    caller, deployment = context["caller"], context["deployment"]
    if caller.serves(deployment):
        return
    free = _BEYOND_DEPLOYMENTS | (_OF_AGENTS_BEYOND_DEPLOYMENTS if as_agent else frozenset())
    beyond = sorted(operation.fields - free)
    if beyond:
        raise LackingRightsError(
            f"The token has no grant for the deployment '{deployment.name}', so it cannot ask {', '.join(beyond)} "
            f"there (operation {operation.name})."
        )


def check_oss(operation: Operation, context: Context) -> None:
    """To be asked before an operation of Dagster's own schema. Raises ``GraphQLError``."""
    allowed_to_agents = operation.kind != "mutation" or operation.fields - {"__typename"} <= AGENTS_MUTATIONS
    words = shortage(context, role_needed(operation.fields, operation.kind), agents=allowed_to_agents)
    if words:
        raise LackingRightsError(f"{words} Operation {operation.name} is refused.")


def role_needed(fields: Collection[str], kind: str) -> Role:
    """What an operation of Dagster's own schema takes. ``kind``: ``query``, ``mutation`` or ``subscription``.

    A mutation that is not known takes EDITOR.
    """
    if kind != "mutation":
        return "VIEWER"
    needed = [ROLE_BY_MUTATION.get(field, "EDITOR") for field in fields if field != "__typename"]
    return max(needed, key=ROLES.index, default="VIEWER")


def dagster_permissions(caller: TokenRecord, deployment: Deployment) -> Mapping[str, bool]:
    """Dagster's permissions by name, as they are for ``caller`` in ``deployment``.

    One is given when the caller may send a mutation that Dagster guards with it.
    """
    context = Context(headers={}, caller=caller, deployment=deployment)
    return {name: any(_may(context, mutation) for mutation in mutations) for name, mutations in PERMISSIONS.items()}


def _may(context: Context, mutation: str) -> bool:
    agents = mutation in AGENTS_MUTATIONS
    return shortage(context, role_needed([mutation], "mutation"), agents=agents) is None


def _at(place: Place) -> str:
    if isinstance(place, str):
        return "over the organization" if place == "ORGANIZATION" else "for branch deployments"
    return f"in the deployment '{place.name}'"
