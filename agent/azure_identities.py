"""Who an Azure agent and its code are, and what they may do: ``agent.azure_roles`` as resources."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pulumi
from pulumi_azure_native import authorization, managedidentity

from agent.azure_names import AzureNames
from agent.azure_roles import SCOPES, BuiltInRole, Scope, actions


@dataclass(frozen=True)
class AzureIdentitiesArgs:
    """What the identities need."""

    names: AzureNames
    resource_group: pulumi.Input[str]
    environment_id: pulumi.Input[str]
    isolated: bool = True
    """``AzureAgentSpec.isolated``."""
    tags: Mapping[str, str] = field(default_factory=dict)


class AzureIdentities(pulumi.ComponentResource):
    """Two user-assigned identities: the agent's, which starts and ends containers, and that of code, which does not.

    - a custom role for each scope of ``agent_rights``, given to the agent there and nowhere else
    - what others own is granted by ``grant``
    """

    agent: managedidentity.UserAssignedIdentity
    code: managedidentity.UserAssignedIdentity
    granted: list[pulumi.Resource]
    """All rights, to wait for."""

    def __init__(self, name: str, args: AzureIdentitiesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dagsterhybrid:agent:AzureIdentities", name, None, opts)
        self._name, self._args, self.granted = name, args, []
        self.agent, self.code = self._identity("agent"), self._identity("code")
        where: dict[Scope, pulumi.Input[str]] = {
            "resource-group": args.names.group_id,
            "environment": args.environment_id,
            "code-identity": self.code.id,
        }
        for scope, what in SCOPES.items():
            self._assign(f"agent-{what}", self.agent, self._role(scope, what).id, where[scope])
        self.register_outputs({"agent": self.agent.id, "code": self.code.id})

    def grant(self, who: str, role: BuiltInRole, scope: pulumi.Input[str], *, of: str = "") -> None:
        """Give the agent (``agent``) or code (``code``) one of Azure's own roles on ``scope``; ``of``: what tells apart
        a second one of the same role."""
        identity = self.agent if who == "agent" else self.code
        what = role.name.lower().replace(" ", "-")
        self._assign(f"{who}-{what}{f'-{of}' if of else ''}", identity, role.id(self._args.names.subscription), scope)

    def _identity(self, what: str) -> managedidentity.UserAssignedIdentity:
        names = self._args.names
        return managedidentity.UserAssignedIdentity(
            f"{self._name}-{what}",
            resource_name_=names.identity(what),
            resource_group_name=self._args.resource_group,
            location=names.location,
            tags=dict(self._args.tags),
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _role(self, scope: Scope, what: str) -> authorization.RoleDefinition:
        names = self._args.names
        return authorization.RoleDefinition(
            f"{self._name}-{what}-role",
            role_definition_id=names.guid("role", what),
            role_name=names.role(what),
            role_type="CustomRole",
            description="Made by dagster-hybrid; what it allows and why is in docs/azure.md.",
            scope=self._scope_of_roles,
            assignable_scopes=[self._scope_of_roles],
            permissions=[
                authorization.PermissionArgs(actions=actions(scope, isolated=self._args.isolated), not_actions=[])
            ],
            opts=pulumi.ResourceOptions(parent=self),
        )

    @property
    def _scope_of_roles(self) -> pulumi.Output[str]:
        """The resource group, once it is there."""
        names = self._args.names
        return pulumi.Output.from_input(self._args.resource_group).apply(lambda _: names.group_id)

    def _assign(
        self,
        name: str,
        identity: managedidentity.UserAssignedIdentity,
        role_id: pulumi.Input[str],
        scope: pulumi.Input[str],
    ) -> None:
        assignment = authorization.RoleAssignment(
            f"{self._name}-{name}",
            role_assignment_name=self._args.names.guid("assignment", name),
            principal_id=identity.principal_id,
            # said, since the directory may not know the identity yet that was just made
            principal_type="ServicePrincipal",
            role_definition_id=role_id,
            scope=scope,
            opts=pulumi.ResourceOptions(parent=self, delete_before_replace=True),
        )
        self.granted.append(assignment)
