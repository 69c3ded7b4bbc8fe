"""What an Azure agent's identities may do, action by action, each with its reason: custom roles as data. Pure.

Which calls the agent makes was read in dagster_cloud/workspace/aca/launcher.py and
dagster_azure/container_apps/launcher.py of 1.13.27; which actions Azure knows is Microsoft's own list
(https://learn.microsoft.com/azure/role-based-access-control/permissions/compute#microsoftapp, …/permissions/identity).

Absent on purpose: `Microsoft.App/locations/*OperationStatuses/read`. The addresses at which long operations are asked
after are the subscription's and bear a signature of their own, and no role on a resource group reaches them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Scope = Literal["resource-group", "environment", "code-identity"]
"""Where a right holds: everything of the resource group, the Container Apps environment, the identity of code."""


@dataclass(frozen=True)
class Right:
    """One action of Azure Resource Manager."""

    action: str
    scope: Scope
    why: str
    shared: bool = False
    """Whether only an agent that is not isolated needs it."""


_APP: Final = "Microsoft.App"

_ALL: Final[tuple[Right, ...]] = (
    Right(f"{_APP}/managedEnvironments/read", "environment", "Look the environment's id up, once a start."),
    Right(
        f"{_APP}/managedEnvironments/join/action",
        "environment",
        "Put an app or a job into the environment: Azure asks for it when one is made.",
    ),
    Right(
        f"{_APP}/containerApps/read",
        "resource-group",
        "List the code servers, and ask one every five seconds whether it runs.",
    ),
    Right(f"{_APP}/containerApps/write", "resource-group", "Start a code server: an app of a new name each time."),
    Right(f"{_APP}/containerApps/delete", "resource-group", "End a code server that was replaced or is not wanted."),
    Right(f"{_APP}/jobs/write", "resource-group", "Make the job of a run."),
    Right(f"{_APP}/jobs/read", "resource-group", "Read the job once it is made: how the SDK ends that operation."),
    Right(f"{_APP}/jobs/start/action", "resource-group", "Start the run."),
    Right(f"{_APP}/jobs/executions/read", "resource-group", "Ask whether a run still goes on."),
    Right(
        f"{_APP}/jobs/stop/action",
        "resource-group",
        "End a run that somebody terminates. Where agents are isolated, runs ask Dagster+ themselves and end by "
        "themselves (``DagsterCloudApi.TERMINATE_RUN`` of dagster_cloud/agent/dagster_cloud_agent.py).",
        shared=True,
    ),
    Right(f"{_APP}/jobs/delete", "resource-group", "Remove the job of a run that was ended so.", shared=True),
    Right(
        "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action",
        "code-identity",
        "Give code servers and runs their identity, and no other one: not even the agent's own.",
    ),
)

SCOPES: Final[dict[Scope, str]] = {
    "resource-group": "launcher",
    "environment": "guest",
    "code-identity": "keeper",
}
"""What the custom role for each scope is called, after `Dagster Hybrid`."""


def agent_rights(*, isolated: bool) -> tuple[Right, ...]:
    """All that the launcher needs, and nothing else of the subscription. No wildcard, no secrets of apps or jobs
    (`listSecrets`), no shell in containers (`getAuthToken`, `exec`). ``isolated``: of the agent's settings."""
    return tuple(right for right in _ALL if not (isolated and right.shared))


def actions(scope: Scope, *, isolated: bool) -> list[str]:
    """Those of one scope, which are one custom role."""
    return [right.action for right in agent_rights(isolated=isolated) if right.scope == scope]


@dataclass(frozen=True)
class BuiltInRole:
    """A role that Azure ships (https://learn.microsoft.com/azure/role-based-access-control/built-in-roles)."""

    name: str
    guid: str
    why: str

    def id(self, subscription: str) -> str:
        """As role assignments name it."""
        return f"/subscriptions/{subscription}/providers/Microsoft.Authorization/roleDefinitions/{self.guid}"


ACR_PULL: Final = BuiltInRole(
    "AcrPull",
    "7f951dda-4ed3-4680-a7ca-43fe172d538d",
    "Container Apps pull the images of code servers and runs, and the agent's own from the same registry.",
)
SECRETS_USER: Final = BuiltInRole(
    "Key Vault Secrets User",
    "4633458b-17de-408a-b874-0445c86b69e6",
    "Container Apps put the agent's token into the agent's environment; on that one secret alone.",
)
BLOB_CONTRIBUTOR: Final = BuiltInRole(
    "Storage Blob Data Contributor",
    "ba92f5b4-2d11-453d-a403-e96b0029c9fe",
    "Code reads and writes asset values; in that one container alone.",
)
