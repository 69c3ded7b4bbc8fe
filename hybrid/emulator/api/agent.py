"""The agents' own API beside their storages: the resolvers of ``sdl/agent.graphql``.

Rests on: ``client`` throughout (the documents, and how agents read the answers); ``invented``: a heartbeat for a
deployment that the token does not serve is ignored, and a token may use the storages of the deployments it serves only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from graphql import GraphQLError

from hybrid.emulator.api.context import context_of
from hybrid.emulator.api.heartbeats import report_of
from hybrid.emulator.api.public.locations import workspace_entries
from hybrid.emulator.api.schema import Api, Resolvers, sdl
from hybrid.emulator.organization import AgentRequest, Deployment, Organization
from hybrid.emulator.seam import Runtime

_DEFAULT_QUEUE = (None,)
_ROOTS = {"Query", "Mutation"}

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
        """Those of the names that exist and that the token serves; an agent that misses one of its own ends.

        With ``includeAllServerlessDeployments`` those too whose code runs at Dagster's: the Serverless agent asks so.
        """
        found = self._served(info, arguments["deploymentNames"])
        if arguments.get("includeAllServerlessDeployments"):
            serverless = [one.name for one in self._organization.deployments.all() if one.agent_type == "SERVERLESS"]
            found += [one for one in self._served(info, serverless) if one not in found]
        return [{"deploymentName": deployment.name, "isBranchDeployment": deployment.is_branch} for deployment in found]

    def deployment_info(self, _parent: Any, info: Any) -> dict[str, str]:
        deployment = context_of(info)["deployment"]
        return {"deploymentName": deployment.name, "deploymentType": deployment.type}

    def secrets(self, _parent: Any, info: Any, **arguments: Any) -> list[dict[str, Any]]:
        organization, deployment = self._organization, context_of(info)["deployment"]
        parent = organization.deployments.parent(deployment)
        return [
            {"secretName": secret.name, "secretValue": secret.value, "locationNames": list(secret.locations)}
            for secret in organization.secrets.for_code(deployment, parent, arguments.get("locationName"))
        ]

    def definitions_state(self, _parent: Any, info: Any) -> str | None:
        return self._organization.definitions_state.latest(context_of(info)["deployment"].name)

    def set_definitions_state(self, _parent: Any, info: Any, **arguments: Any) -> dict[str, bool]:
        deployment = context_of(info)["deployment"].name
        self._organization.definitions_state.set_version(deployment, arguments["key"], arguments.get("version"))
        return {"ok": True}

    def workspace(self, _parent: Any, info: Any) -> dict[str, Any]:
        name = context_of(info)["deployment"].name
        return {"workspaceEntries": workspace_entries(self._organization, name, None)}

    def entries(self, parent: dict[str, Any], _info: Any, **arguments: Any) -> list[dict[str, Any]]:
        self._organization.locations.settle(_SETTLE_SECONDS)
        return workspace_entries(self._organization, parent["deploymentName"], arguments.get("agentQueues"))

    def pop(self, _parent: Any, info: Any, **arguments: Any) -> list[dict[str, Any]]:
        organization = self._organization
        served = self._served(info, arguments.get("forFullDeployments") or ())
        queues = arguments.get("agentQueues")
        branches: list[Deployment] = []
        if arguments.get("forBranchDeployments"):
            organization.agents.polled_for_branches(context_of(info)["caller"].id)
            branches = self._served(info, [branch.name for branch in organization.deployments.branches()])
        taken = organization.requests.pop(
            _DEFAULT_QUEUE if queues is None else queues,
            arguments.get("limit"),
            {deployment.name for deployment in served if not deployment.is_branch},
            {deployment.name for deployment in branches},
        )
        return [_request(request, is_branch=request.deployment in {one.name for one in branches}) for request in taken]

    def heartbeats(self, _parent: Any, info: Any, **arguments: Any) -> dict[str, bool]:
        runtime = self._runtime()
        errors = arguments.get("serializedErrors") or ()
        for beat in arguments.get("serializedAgentHeartbeats") or ():
            for deployment in self._served(info, [beat["deploymentName"]]):
                report = report_of(runtime, beat["serializedAgentHeartbeat"], errors)
                self._organization.agents.heard(deployment.name, report, context_of(info)["caller"].id)
        return {"ok": True}

    def _served(self, info: Any, names: Sequence[str]) -> list[Deployment]:
        caller = context_of(info)["caller"]
        found = [self._organization.deployments.named(name) for name in names]
        return [deployment for deployment in found if deployment and caller.serves(deployment)]


def agent_api(organization: Organization, runtime: Callable[[], Runtime], loaded: Runtime | None) -> Api:
    """The agents' API; with ``loaded``, the storages too. ``runtime`` waits until Dagster is loaded."""
    api = _AgentApi(organization, runtime)
    of_one_deployment: Resolvers = {
        "Query": {
            "deploymentInfo": api.deployment_info,
            "latestDefsStateInfo": api.definitions_state,
            "scopedSecrets": api.secrets,
            "workspace": api.workspace,
        },
        "Mutation": {"defsState": lambda _parent, _info: {}},
    }
    own: Resolvers = {
        "Query": {"agents": api.agents, "deployments": api.deployments},
        "Mutation": {"userCloudAgent": lambda _parent, _info: {}},
        "Deployment": {"workspaceEntries": api.entries},
        "DefsState": {"setLatestDefsStateVersion": api.set_definitions_state},
        "UserCloudAgent": {"popUserCloudAgentRequests": api.pop, "addAgentHeartbeats": api.heartbeats},
    }
    if loaded is None:
        return Api([sdl("agent")], [own, _guarded(of_one_deployment)])
    guarded = [_guarded(of_one_deployment), _guarded(loaded.resolvers)]
    return Api([sdl("agent"), loaded.sdl], [own, *guarded])


def _guarded(resolvers: Resolvers) -> Resolvers:
    """``resolvers`` for callers that serve the deployment: its header alone gives no right to them."""

    def guard(resolve: Callable[..., Any]) -> Callable[..., Any]:
        def resolved(parent: Any, info: Any, **arguments: Any) -> Any:
            context = context_of(info)
            if not context["caller"].serves(context["deployment"]):
                raise GraphQLError(f"The token has no grant for the deployment '{context['deployment'].name}'.")
            return resolve(parent, info, **arguments)

        return resolved

    roots = {
        kind: {name: guard(resolve) for name, resolve in resolvers[kind].items()} for kind in _ROOTS & set(resolvers)
    }
    return {**resolvers, **roots}


def _request(request: AgentRequest, *, is_branch: bool) -> dict[str, Any]:
    return {
        "requestId": request.id,
        "requestApi": request.api,
        "requestBody": request.body,
        "deploymentName": request.deployment,
        "isBranchDeployment": is_branch,
    }
