"""The organization and its deployments, as they are read.

Rests on: ``schema``; ``invented``: the plan is UNKNOWN, and the organization's number.
"""

from __future__ import annotations

from typing import Any, Final

from hybrid.emulator.api.context import context_of
from hybrid.emulator.api.public.errors import Typed
from hybrid.emulator.api.public.locations import workspace_entries
from hybrid.emulator.api.rights import lacking
from hybrid.emulator.api.schema import Resolvers
from hybrid.emulator.organization import Deployment, Organization

ORGANIZATION_NUMBER: Final = 1  # there is one


def described(organization: Organization, deployment: Deployment) -> Typed:
    """A deployment as ``DagsterCloudDeployment``; what leads to other objects is resolved when it is asked for."""
    return {
        "__typename": "DagsterCloudDeployment",
        "organizationId": ORGANIZATION_NUMBER,
        "organizationName": organization.name,
        "organizationStatus": "ACTIVE",
        "deploymentId": deployment.id,
        "deploymentName": deployment.name,
        "deploymentStatus": "ACTIVE",
        "deploymentType": deployment.type,
        "deploymentSettings": {"settings": deployment.settings},
        "isBranchDeployment": deployment.is_branch,
        "agentType": deployment.agent_type,
    }


def resolvers(organization: Organization) -> Resolvers:
    deployments = organization.deployments

    def by_name(_parent: Any, info: Any, name: str) -> Typed:
        deployment = deployments.named(name)
        if deployment is None:
            return {"__typename": "DeploymentNotFoundError", "message": f"There is no deployment '{name}'."}
        return lacking(info, "VIEWER", deployment, agents=True) or described(organization, deployment)

    def seen(_parent: Any, info: Any) -> list[Typed]:
        caller = context_of(info)["caller"]
        return [described(organization, one) for one in deployments.full() if caller.serves(one)]

    return {
        "Query": {
            "organization": lambda _parent, _info: {
                "id": ORGANIZATION_NUMBER,
                "publicId": organization.public_id,
                "name": organization.name,
                "status": "ACTIVE",
            },
            "planType": lambda _parent, _info: "UNKNOWN",
            "currentDeployment": lambda _parent, info: described(organization, context_of(info)["deployment"]),
            "deploymentByName": by_name,
            "deployments": seen,
            "fullDeployments": seen,
        },
        "Mutation": {"markCliEvent": lambda _parent, _info, **_event: "ok"},
        "DagsterCloudDeployment": {
            "workspaceEntries": lambda parent, _info, **queues: workspace_entries(
                organization, parent["deploymentName"], queues.get("agentQueues")
            )
        },
    }
