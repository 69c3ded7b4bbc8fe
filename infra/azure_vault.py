"""A Key Vault with one secret."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pulumi
from pulumi_azure_native import keyvault


@dataclass(frozen=True)
class AzureVaultArgs:
    """What the vault needs."""

    resource_group: pulumi.Input[str]
    location: str
    tenant: pulumi.Input[str]
    secret: str
    """The secret's name: letters, digits and hyphens."""
    value: pulumi.Input[str]
    """The secret itself; made a secret of the state here."""
    tags: Mapping[str, str] = field(default_factory=dict)


class AzureVault(pulumi.ComponentResource):
    """A vault whose rights are roles of Azure (no access policies), and a secret in it.

    The vault's name has digits that Pulumi makes up: a deleted vault keeps its name for a week, and with a fixed one
    the stack could not stand again in that time.
    """

    secret_id: pulumi.Output[str]
    """Of the secret, in Azure Resource Manager: where a right to read it is granted."""
    secret_uri: pulumi.Output[str]
    """Of the secret's present version: another one when the value changes."""

    def __init__(self, name: str, args: AzureVaultArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dagsterhybrid:infra:AzureVault", name, None, opts)
        inside = pulumi.ResourceOptions(parent=self)
        vault = keyvault.Vault(
            f"{name}-vault",
            resource_group_name=args.resource_group,
            location=args.location,
            properties=keyvault.VaultPropertiesArgs(
                tenant_id=args.tenant,
                sku=keyvault.SkuArgs(family=keyvault.SkuFamily.A, name=keyvault.SkuName.STANDARD),
                enable_rbac_authorization=True,
                enable_soft_delete=True,
                soft_delete_retention_in_days=7,
            ),
            tags=dict(args.tags),
            opts=inside,
        )
        secret = keyvault.Secret(
            f"{name}-secret",
            resource_group_name=args.resource_group,
            vault_name=vault.name,
            secret_name=args.secret,
            properties=keyvault.SecretPropertiesArgs(value=pulumi.Output.secret(args.value)),
            tags=dict(args.tags),
            opts=inside,
        )
        self.secret_id = secret.id
        # an address is no secret; as one it would hide from people all that it is part of
        self.secret_uri = pulumi.Output.unsecret(
            secret.properties.apply(lambda properties: properties.secret_uri_with_version)
        )
        self.register_outputs({"secretId": self.secret_id})
