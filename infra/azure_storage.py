"""A storage account for values that code keeps, and containers in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import pulumi
from pulumi_azure_native import storage


@dataclass(frozen=True)
class AzureStorageArgs:
    """What the storage needs."""

    resource_group: pulumi.Input[str]
    location: str
    account: str
    """24 lower-case letters and digits at most, one of all in Azure."""
    container: str
    further: tuple[str, ...] = ()
    """Containers beside it."""
    redundancy: Literal["LRS", "ZRS", "GRS"] = "LRS"
    deleted_days: int = 30
    """How long what was deleted or overwritten can be brought back."""
    keep: bool = True
    """Whether it stays when the stack goes."""
    tags: Mapping[str, str] = field(default_factory=dict)


class AzureStorage(pulumi.ComponentResource):
    """An account with directories (Data Lake Storage Gen2), reached by identities alone, and its containers.

    There are no account keys to lose, nothing is public, and nothing goes by plain HTTP.
    """

    account_name: pulumi.Output[str]
    container_name: pulumi.Output[str]
    container_id: pulumi.Output[str]
    """In Azure Resource Manager: where a right to its blobs is granted."""
    further_ids: dict[str, pulumi.Output[str]]
    """The same of the others, by name."""

    def __init__(self, name: str, args: AzureStorageArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dagsterhybrid:infra:AzureStorage", name, None, opts)
        kept = pulumi.ResourceOptions(parent=self, retain_on_delete=args.keep)
        self.account_name = self._account(name, args, kept).name
        container = self._container(f"{name}-container", args.container, args, kept)
        self.further_ids = {each: self._container(f"{name}-{each}", each, args, kept).id for each in args.further}
        self.container_name, self.container_id = container.name, container.id
        self.register_outputs({"account": self.account_name, "container": self.container_name})

    def _container(
        self, name: str, container: str, args: AzureStorageArgs, kept: pulumi.ResourceOptions
    ) -> storage.BlobContainer:
        return storage.BlobContainer(
            name,
            resource_group_name=args.resource_group,
            account_name=self.account_name,
            container_name=container,
            public_access=storage.PublicAccess.NONE,
            opts=kept,
        )

    def _account(self, name: str, args: AzureStorageArgs, kept: pulumi.ResourceOptions) -> storage.StorageAccount:
        account = storage.StorageAccount(
            f"{name}-account",
            resource_group_name=args.resource_group,
            location=args.location,
            account_name=args.account,
            kind=storage.Kind.STORAGE_V2,
            sku=storage.SkuArgs(name=f"Standard_{args.redundancy}"),
            is_hns_enabled=True,
            allow_blob_public_access=False,
            allow_shared_key_access=False,
            default_to_o_auth_authentication=True,
            enable_https_traffic_only=True,
            minimum_tls_version=storage.MinimumTlsVersion.TLS1_2,
            tags=dict(args.tags),
            opts=kept,
        )
        storage.BlobServiceProperties(
            f"{name}-retention",
            resource_group_name=args.resource_group,
            account_name=account.name,
            blob_services_name="default",
            delete_retention_policy=storage.DeleteRetentionPolicyArgs(enabled=True, days=args.deleted_days),
            container_delete_retention_policy=storage.DeleteRetentionPolicyArgs(enabled=True, days=args.deleted_days),
            opts=pulumi.ResourceOptions(parent=self),
        )
        return account
