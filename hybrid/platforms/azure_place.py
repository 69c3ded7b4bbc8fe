"""Where in Azure a stack stands, by its file alone: the names of its things, for commands that look at them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.azure_names import STACK_TAG
from agent.azure_task import SETTINGS_VARIABLE

if TYPE_CHECKING:
    from hybrid.azure.ground import Wanted
    from hybrid.azure.session import Azure
    from stacks.identity import StackIdentity


@dataclass(frozen=True)
class AzurePlace:
    """Names of an Azure stack's things."""

    stack: str
    base: str
    subscription: str
    tenant: str | None
    location: str
    group: str
    """The resource group."""
    own_group: bool
    """Whether the stack makes it."""
    environment: str
    environment_id: str
    agent_app: str
    workspace_id: str
    """Of the Log Analytics workspace, in Azure Resource Manager."""
    settings_variable: str = SETTINGS_VARIABLE

    @classmethod
    def of(cls, who: StackIdentity) -> AzurePlace:
        from stacks.azure_facts import AzureFacts

        facts = AzureFacts(who)
        names, settings = facts.names, facts.azure
        return cls(
            stack=who.stack,
            base=names.base,
            subscription=names.subscription,
            tenant=settings.tenant,
            location=names.location,
            group=names.resource_group,
            own_group=settings.resource_group is None,
            environment=names.environment,
            environment_id=names.environment_id,
            agent_app=names.agent_app,
            workspace_id=f"{names.group_id}/providers/Microsoft.OperationalInsights/workspaces/{names.workspace}",
        )

    @property
    def shown(self) -> str:
        return f"Azure, subscription {self.subscription}, {self.location}"

    @property
    def wanted(self) -> Wanted:
        """For ``hybrid.azure.ground``."""
        from hybrid.azure.ground import Wanted

        return Wanted(self.group, self.own_group, self.location, self.environment, self.base, STACK_TAG)

    def door(self) -> Azure:
        """Raises ``ToolchainError`` without Azure's libraries."""
        from hybrid.azure.libraries import require_libraries
        from hybrid.azure.session import Azure

        require_libraries()
        return Azure(self.subscription, self.tenant)
