"""Who asks, and for which deployment.

Rests on: ``client`` for the headers (dagster_cloud_cli/core/headers/impl.py); ``invented`` for what is answered to a
token without rights: HTTP 401 when it is unknown or revoked, 403 when it does not serve the deployment. A request in
the organization's scope is let in whatever the deployment, and so may be one that names none: what it asks for is held
against the token's grants then (``rights.check_reach``, ``require_agent``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypedDict, cast

from hybrid.emulator.organization import Deployment, Organization, TokenRecord

TOKEN_HEADER: Final = "dagster-cloud-api-token"  # noqa: S105
DEPLOYMENT_HEADER: Final = "dagster-cloud-deployment"
SCOPE_HEADER: Final = "dagster-cloud-scope"


class Context(TypedDict):
    """``info.context`` of all resolvers. ``headers`` are looked up in any case of letters."""

    headers: Mapping[str, str]
    caller: TokenRecord
    deployment: Deployment


class Refusal(Exception):
    """The request is not let in; answered with ``status`` and ``message``."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def context_of(info: Any) -> Context:
    """The context of a resolver's ``info``."""
    return cast("Context", info.context)


def admitted(
    organization: Organization, headers: Mapping[str, str], deployment: str | None, *, elsewhere: bool = False
) -> Context:
    """The context of a request with a token. ``deployment`` is the one in its path, if any; the header comes first.

    ``elsewhere``: when no deployment is named, grants for others than the first do to be let in. Clients ask so for
    branch deployments, which have no name before they are made. Raises ``Refusal``.
    """
    caller = organization.tokens.verify(headers.get(TOKEN_HEADER, ""))
    if caller is None:
        raise Refusal(401, "The API token is unknown or revoked.")
    name = headers.get(DEPLOYMENT_HEADER) or deployment
    found = organization.deployments.named(name) if name else organization.deployment
    if found is None:
        raise Refusal(404, f"The organization '{organization.name}' has no deployment '{name}'.")
    lenient = headers.get(SCOPE_HEADER) == "organization" or (elsewhere and not name and caller.grants)
    if not lenient and not caller.serves(found):
        raise Refusal(403, f"The token has no grant for the deployment '{found.name}'.")
    return Context(headers=headers, caller=caller, deployment=found)


def require_agent(context: Context) -> None:
    """For what agents of the deployment do without GraphQL. Raises ``Refusal``, whatever scope was asked for."""
    caller, deployment = context["caller"], context["deployment"]
    if caller.kind != "agent" or not caller.serves(deployment):
        raise Refusal(403, f"Only the token of an agent of '{deployment.name}' may do this.")
