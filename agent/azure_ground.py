"""What an agent in Azure stands on: the environment of its container apps, and the workspace that their logs go to.

It is apart from the agent because what lies between has to know it: rights are on the environment, and what an agent
left behind is removed after the agent is gone and before the environment, which is not deleted while apps are in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import pulumi
from pulumi_azure_native import app, operationalinsights

from agent.azure_names import AzureNames

_PROFILE: Final = "Consumption"
"""Where apps and jobs that name no profile are; the launcher names none."""


@dataclass(frozen=True)
class AzureGroundArgs:
    """What the ground needs."""

    names: AzureNames
    resource_group: pulumi.Input[str]
    subnet_id: pulumi.Input[str]
    """A subnet of /27 or larger, delegated to ``Microsoft.App/environments``."""
    zone_redundant: bool = False
    log_retention_days: int = 30
    tags: Mapping[str, str] = field(default_factory=dict)


class AzureGround(pulumi.ComponentResource):
    """An internal Container Apps environment, and a Log Analytics workspace. The logs go with the stack."""

    environment_id: pulumi.Output[str]
    environment_name: pulumi.Output[str]
    workspace_id: pulumi.Output[str]
    """Under which logs are asked for (a GUID, not the resource's id)."""

    def __init__(self, name: str, args: AzureGroundArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dagsterhybrid:agent:AzureGround", name, None, opts)
        workspace = operationalinsights.Workspace(
            f"{name}-workspace",
            workspace_name=args.names.workspace,
            resource_group_name=args.resource_group,
            location=args.names.location,
            sku=operationalinsights.WorkspaceSkuArgs(name=operationalinsights.WorkspaceSkuNameEnum.PER_GB2018),
            retention_in_days=args.log_retention_days,
            tags=dict(args.tags),
            opts=pulumi.ResourceOptions(parent=self),
        )
        environment = self._environment(name, args, workspace)
        self.environment_id, self.environment_name = environment.id, environment.name
        self.workspace_id = workspace.customer_id
        self.register_outputs({"environment": self.environment_name})

    def _environment(
        self, name: str, args: AzureGroundArgs, workspace: operationalinsights.Workspace
    ) -> app.ManagedEnvironment:
        keys = operationalinsights.get_shared_keys_output(
            resource_group_name=args.resource_group,
            workspace_name=workspace.name,
            opts=pulumi.InvokeOutputOptions(parent=self),
        )
        return app.ManagedEnvironment(
            f"{name}-environment",
            environment_name=args.names.environment,
            resource_group_name=args.resource_group,
            location=args.names.location,
            # internal: code servers are for the agent alone, and nothing of the stack takes calls from outside
            vnet_configuration=app.VnetConfigurationArgs(infrastructure_subnet_id=args.subnet_id, internal=True),
            workload_profiles=[app.WorkloadProfileArgs(name=_PROFILE, workload_profile_type=_PROFILE)],
            zone_redundant=args.zone_redundant,
            app_logs_configuration=app.AppLogsConfigurationArgs(
                destination="log-analytics",
                log_analytics_configuration=app.LogAnalyticsConfigurationArgs(
                    customer_id=workspace.customer_id,
                    shared_key=pulumi.Output.secret(keys.primary_shared_key),
                ),
            ),
            tags=dict(args.tags),
            # its machines are taken away one by one
            opts=pulumi.ResourceOptions(parent=self, custom_timeouts=pulumi.CustomTimeouts(create="60m", delete="90m")),
        )
