"""The agents' own API beside their storages: the resolvers of ``sdl/agent.graphql``.

Rests on: ``client`` throughout (the documents, and how agents read the answers); ``invented``: there are no secrets
and no definitions state, and a heartbeat for a deployment that the token does not serve is ignored.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from hybrid.emulator.api.context import context_of
from hybrid.emulator.api.heartbeats import report_of
from hybrid.emulator.api.public.locations import workspace_entries
from hybrid.emulator.api.schema import Api, Resolvers, sdl
from hybrid.emulator.organization import AgentRequest, Deployment, Organization
from hybrid.emulator.seam import Runtime

_DEFAULT_QUEUE = (None,)

_SETTLE_SECONDS = 10.0  # far below the agent's own limit of 60 s for an answer


class _AgentApi:
    """Resolvers over one organization."""

    def __init__(self, organization: Organization, runtime: Callable[[], Runtime]) -> None:
        self._organization = organization
        self._runtime = runtime

    def agents(self, _parent: Any, _info: Any, **arguments: Any) -> list[dict[str, str]]:
        agents = self._organization.agents
        now = agents.now()
        found = agents.all(heard_since=arguments.get("heartbeatedSince") or 0.0)
        return [{"id": record.report.id, "status": record.status(now)} for record in found]

    def deployments(self, _parent: Any, info: Any, **arguments: Any) -> list[dict[str, Any]]:
        """Those of the names that exist and that the token serves; an agent that misses one of its own ends."""
        return [
            {"deploymentName": deployment.name, "isBranchDeployment": deployment.type == "BRANCH"}
            for deployment in self._served(info, arguments["deploymentNames"])
        ]

    def deployment_info(self, _parent: Any, info: Any) -> dict[str, str]:
        deployment = context_of(info)["deployment"]
        return {"deploymentName": deployment.name, "deploymentType": deployment.type}

    def workspace(self, _parent: Any, info: Any) -> dict[str, Any]:
        name = context_of(info)["deployment"].name
        return {"workspaceEntries": workspace_entries(self._organization, name, None)}

    def entries(self, parent: dict[str, Any], _info: Any, **arguments: Any) -> list[dict[str, Any]]:
        self._organization.locations.settle(_SETTLE_SECONDS)
        return workspace_entries(self._organization, parent["deploymentName"], arguments.get("agentQueues"))

    def pop(self, _parent: Any, info: Any, **arguments: Any) -> list[dict[str, Any]]:
        served = self._served(info, arguments.get("forFullDeployments") or ())
        queues = arguments.get("agentQueues")
        taken = self._organization.requests.pop(
            _DEFAULT_QUEUE if queues is None else queues,
            arguments.get("limit"),
            [deployment.name for deployment in served],
        )
        return [_request(request) for request in taken]

    def heartbeats(self, _parent: Any, info: Any, **arguments: Any) -> dict[str, bool]:
        runtime = self._runtime()
        errors = arguments.get("serializedErrors") or ()
        for beat in arguments.get("serializedAgentHeartbeats") or ():
            for deployment in self._served(info, [beat["deploymentName"]]):
                report = report_of(runtime, beat["serializedAgentHeartbeat"], errors)
                self._organization.agents.heard(deployment.name, report)
        return {"ok": True}

    def _served(self, info: Any, names: Sequence[str]) -> list[Deployment]:
        caller = context_of(info)["caller"]
        found = [self._organization.deployments.named(name) for name in names]
        return [deployment for deployment in found if deployment and caller.serves(deployment.id)]


def agent_api(organization: Organization, runtime: Callable[[], Runtime], loaded: Runtime | None) -> Api:
    """The agents' API; with ``loaded``, the storages too. ``runtime`` waits until Dagster is loaded."""
    api = _AgentApi(organization, runtime)
    own: Resolvers = {
        "Query": {
            "agents": api.agents,
            "deployments": api.deployments,
            "deploymentInfo": api.deployment_info,
            "latestDefsStateInfo": lambda _parent, _info: None,
            "scopedSecrets": lambda _parent, _info, **_location: [],
            "workspace": api.workspace,
        },
        "Mutation": {"userCloudAgent": lambda _parent, _info: {}},
        "Deployment": {"workspaceEntries": api.entries},
        "UserCloudAgent": {"popUserCloudAgentRequests": api.pop, "addAgentHeartbeats": api.heartbeats},
    }
    if loaded is None:
        return Api([sdl("agent")], [own])
    return Api([sdl("agent"), loaded.sdl], [own, loaded.resolvers])


def _request(request: AgentRequest) -> dict[str, Any]:
    return {
        "requestId": request.id,
        "requestApi": request.api,
        "requestBody": request.body,
        "deploymentName": request.deployment,
        "isBranchDeployment": False,
    }
