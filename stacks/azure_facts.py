"""What an Azure stack makes of its own, and what it calls it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from agent.azure_names import AzureNames
from stacks.azure_settings import AzureSettings
from stacks.platform_facts import PlatformFacts


@dataclass(frozen=True)
class AzureFacts(PlatformFacts):
    """See the module."""

    @property
    def azure(self) -> AzureSettings:
        found = self.who.settings.azure
        if found is None:
            raise TypeError("settings of an agent in Azure have `azure`: Settings holds it")
        return found

    @property
    def names(self) -> AzureNames:
        azure = self.azure
        return AzureNames.of(
            self.who.stack, azure.subscription, azure.location, base=azure.name, resource_group=azure.resource_group
        )

    @property
    def registry(self) -> str:
        chosen = self.azure.registry
        name = self.names.registry if chosen.id is None else chosen.id.rpartition("/")[2].lower()
        return f"{name}.azurecr.io/{chosen.path or self.names.base}"

    def store_variables(self, prefix: str) -> Mapping[str, str]:
        """The container of the storage account, by Dagster's pickles for Data Lake Storage."""
        storage = self.azure.storage
        return {
            "DAGSTER_DEFAULT_IO_MANAGER_ATTRIBUTE": "adls2_pickle_io_manager",
            "ASSET_VALUES_ACCOUNT": storage.account or self.names.storage_account,
            "ASSET_VALUES_CONTAINER": storage.container,
            "ASSET_VALUES_PREFIX": prefix,
        }
