"""What a token may do, found out without changing anything."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar

from hybrid.plus.deployments import Deployment
from hybrid.plus.errors import PlusForbidden, PlusNotFound, PlusProtocolError, PlusRejected
from hybrid.redaction import redact

if TYPE_CHECKING:
    from hybrid.plus.client import PlusClient

_T = TypeVar("_T")

# The API names no permission for changing a deployment's code locations. Reloading the workspace has one, and the
# roles that may reload are those that may create and remove locations: Editor and above
# (https://docs.dagster.io/dagster-plus/features/authentication-and-access-control/rbac/user-roles-permissions).
_AS_EDITING_LOCATIONS: Final = "reload_workspace"
_LAUNCHING: Final = "launch_pipeline_execution"


@dataclass(frozen=True)
class Rights:
    """The answers to a few questions that only read. None: Dagster+ did not say; ``unanswered`` has its words then.

    ``can_edit_locations`` is concluded from the permission to reload the workspace; ``plan`` is Dagster+'s name for
    the plan (SOLO, TEAM_V2, ENTERPRISE …); ``permissions`` are those in the endpoint's deployment.
    """

    url: str
    region: str | None
    is_agent_token: bool
    organization: str | None
    organization_status: str | None
    plan: str | None
    deployment: Deployment | None
    deployments: tuple[Deployment, ...] | None
    can_list_agent_tokens: bool
    can_edit_locations: bool | None
    can_launch_runs: bool | None
    permissions: Mapping[str, bool] | None
    deployment_settings: Mapping[str, Any] | None
    unanswered: Mapping[str, str] = field(default_factory=dict)

    def as_json(self) -> str:
        """All of it as JSON that can be shown and kept: redacted, keys sorted."""
        return redact(json.dumps(asdict(self), indent=2, sort_keys=True, default=str))


def rights_of(client: PlusClient, *, is_agent_token: bool) -> Rights:
    """Asks one question after the other. A refused question is an answer; a token that is not accepted at all, or a
    Dagster+ that cannot be reached, is raised."""
    unanswered: dict[str, str] = {}

    def ask(question: str, call: Callable[[], _T]) -> _T | None:
        try:
            return call()
        except (PlusForbidden, PlusNotFound, PlusRejected, PlusProtocolError) as error:
            unanswered[question] = error.what if not error.why else f"{error.what} {error.why}"
            return None

    organization = ask("organization", client.organization)
    deployments = ask("deployments", client.deployments)
    permissions = ask("permissions", client.permissions)
    tokens = ask("agent_tokens", client.agent_tokens)
    return Rights(
        url=client.endpoint.url,
        region=client.endpoint.region,
        is_agent_token=is_agent_token,
        organization=organization.name if organization else None,
        organization_status=organization.status if organization else None,
        plan=ask("plan", client.plan),
        deployment=ask("deployment", client.current_deployment),
        deployments=None if deployments is None else tuple(deployments),
        can_list_agent_tokens=tokens is not None,
        can_edit_locations=None if permissions is None else permissions.get(_AS_EDITING_LOCATIONS),
        can_launch_runs=None if permissions is None else permissions.get(_LAUNCHING),
        permissions=permissions,
        deployment_settings=ask("deployment_settings", client.deployment_settings),
        unanswered=unanswered,
    )
