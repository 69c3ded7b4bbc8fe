"""What Dagster+ tells of a deployment that is to be adopted. Nothing is changed there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hybrid.adopt.remarks import Remark
from hybrid.plus import Agent, Deployment, PlusClient, PlusForbidden


@dataclass(frozen=True)
class FoundOrganization:
    """One deployment, its locations by name, and the organization's agents."""

    deployment: Deployment
    documents: Mapping[str, Mapping[str, Any]]
    failed: tuple[str, ...]
    """Names of locations that do not load now."""
    agents: tuple[Agent, ...]
    branches: int | None
    """How many branch deployments it has; None: the token may not see them."""
    settings: tuple[str, ...]
    """Names of the deployment's settings."""

    @property
    def running(self) -> list[Agent]:
        return [agent for agent in self.agents if agent.is_running]

    def remarks(self) -> list[Remark]:
        """What is to be known before anything is done."""
        found = [Remark("danger", name, "it does not load now; mend that first") for name in self.failed]
        if self.deployment.agent_type == "SERVERLESS":
            text = "Serverless runs it: nothing is registered there before it is switched to Hybrid"
            found.append(Remark("danger", self.deployment.name, text))
        listed = ", ".join(sorted(self.settings)) or "none"
        text = f"no stack manages them, so none changes and none is imported: {listed}"
        found.append(Remark("left", "deployment settings", text))
        if self.branches:
            text = f"{self.branches}; with `branchDeployments` in hybrid:agent the new agent serves them too"
            found.append(Remark("left", "branch deployments", text))
        elif self.branches is None:
            found.append(Remark("left", "branch deployments", "the token may not see them"))
        return found


def read_organization(client: PlusClient) -> FoundOrganization:
    """Raises the errors of ``hybrid.plus``."""
    deployment = client.current_deployment()
    documents = client.location_documents()
    failed = tuple(status.name for status in client.code_locations() if status.error is not None)
    try:
        branches = sum(each.parent in {None, deployment.name} for each in client.branch_deployments())
    except PlusForbidden:
        branches = None
    return FoundOrganization(
        deployment=deployment,
        documents=documents,
        failed=failed,
        agents=tuple(client.agents()),
        branches=branches,
        settings=tuple(client.deployment_settings()),
    )
