"""A container registry in Azure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import pulumi
from pulumi_azure_native import containerregistry


@dataclass(frozen=True)
class AzureRegistryArgs:
    """What the registry needs."""

    resource_group: pulumi.Input[str]
    location: str
    name: str
    """Letters and digits, one of all in Azure."""
    sku: Literal["Basic", "Standard", "Premium"] = "Basic"
    tags: Mapping[str, str] = field(default_factory=dict)


class AzureRegistry(pulumi.ComponentResource):
    """A registry that identities alone reach: it has no user with a password, and gives nothing to strangers."""

    registry_id: pulumi.Output[str]
    """In Azure Resource Manager: where a right to pull is granted."""

    def __init__(self, name: str, args: AzureRegistryArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dagsterhybrid:infra:AzureRegistry", name, None, opts)
        registry = containerregistry.Registry(
            f"{name}-registry",
            registry_name=args.name,
            resource_group_name=args.resource_group,
            location=args.location,
            sku=containerregistry.SkuArgs(name=args.sku),
            admin_user_enabled=False,
            tags=dict(args.tags),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.registry_id = registry.id
        self.register_outputs({"registryId": self.registry_id})
