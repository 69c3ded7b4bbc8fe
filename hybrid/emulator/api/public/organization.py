"""The organization, its deployments and their settings.

Rests on: ``schema``; ``invented``: the plan is UNKNOWN and all settings are empty.
"""

from __future__ import annotations

from typing import Any

from hybrid.emulator.api.context import context_of
from hybrid.emulator.api.public.locations import workspace_entries
from hybrid.emulator.api.schema import Resolvers
from hybrid.emulator.organization import Deployment, Organization

_NUMBER = 1  # of the organization; there is one


def resolvers(organization: Organization) -> Resolvers:
    def described(deployment: Deployment) -> dict[str, Any]:
        return {
            "__typename": "DagsterCloudDeployment",
            "organizationId": _NUMBER,
            "organizationName": organization.name,
            "organizationStatus": "ACTIVE",
            "deploymentId": deployment.id,
            "deploymentName": deployment.name,
            "deploymentStatus": "ACTIVE",
            "deploymentType": deployment.type,
            "deploymentSettings": {"settings": {}},
            "isBranchDeployment": deployment.type == "BRANCH",
            "agentType": deployment.agent_type,
        }

    def by_name(_parent: Any, _info: Any, name: str) -> dict[str, Any]:
        deployment = organization.deployments.named(name)
        if deployment is None:
            return {"__typename": "DeploymentNotFoundError", "message": f"There is no deployment '{name}'."}
        return described(deployment)

    def everything(_parent: Any, _info: Any) -> list[dict[str, Any]]:
        return [described(deployment) for deployment in organization.deployments.all()]

    return {
        "Query": {
            "organization": lambda _parent, _info: {
                "id": _NUMBER,
                "publicId": organization.public_id,
                "name": organization.name,
                "status": "ACTIVE",
            },
            "organizationSettings": lambda _parent, _info: {"settings": {}},
            "planType": lambda _parent, _info: "UNKNOWN",
            "currentDeployment": lambda _parent, info: described(context_of(info)["deployment"]),
            "deploymentByName": by_name,
            "deployments": everything,
            "fullDeployments": everything,
            "deploymentSettings": lambda _parent, _info: {"settings": {}},
        },
        "Mutation": {"markCliEvent": lambda _parent, _info, **_event: "ok"},
        "DagsterCloudDeployment": {
            "workspaceEntries": lambda parent, _info, **queues: workspace_entries(
                organization, parent["deploymentName"], queues.get("agentQueues")
            )
        },
    }
