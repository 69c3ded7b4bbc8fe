"""What an Azure stack makes of its own, and what it calls it."""

from __future__ import annotations

from dataclasses import dataclass

from agent.azure_names import AzureNames
from stacks.azure_settings import AzureSettings
from stacks.platform_facts import OwnContainer, PlatformFacts


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

    @property
    def values(self) -> OwnContainer:
        storage = self.azure.storage
        return OwnContainer(storage.account or self.names.storage_account, storage.container)
