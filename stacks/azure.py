"""The Azure platform: the agent and its code servers are container apps, its runs are jobs, all in one environment."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

import pulumi
import pulumi_azure_native as azure
from pulumi_azure_native import app, authorization, network, resources, storage

from agent.azure import AzureAgent, AzureAgentArgs
from agent.azure_ground import AzureGround, AzureGroundArgs
from agent.azure_identities import AzureIdentities, AzureIdentitiesArgs
from agent.azure_names import STACK_TAG, AzureNames
from agent.azure_roles import ACR_PULL, BLOB_CONTRIBUTOR, SECRETS_USER
from agent.azure_spec import AzureAgentSpec
from agent.azure_task import TOKEN_SECRET, LogsContainer
from hybrid.delivery.catalog import CodeLocationFolder
from hybrid.provider.azure_resources import AzureDrain, AzureDrainArgs, AzureLaunchCheck, AzureLaunchCheckArgs
from hybrid.provider.resources import AgentToken
from hybrid.workspace import Workspace
from infra.azure_network import AzureNetwork, AzureNetworkArgs
from infra.azure_registry import AzureRegistry, AzureRegistryArgs
from infra.azure_storage import AzureStorage, AzureStorageArgs
from infra.azure_vault import AzureVault, AzureVaultArgs
from stacks import azure_ground
from stacks.azure_facts import AzureFacts
from stacks.azure_settings import AzureSettings
from stacks.containers import ContainerLocations
from stacks.identity import StackIdentity
from stacks.images import registry_address
from stacks.platform import LocationSource, StandingAgent

WARNING = (
    "The agent's token stands in plain text in every code server's container app and every run's job: Dagster's "
    "launcher for Azure knows no secrets of theirs. Whoever may read container apps or jobs of the resource group can "
    "take it (docs/azure.md)."
)


@dataclass
class AzurePlatform:
    """Everything of the stack is in one subscription and location, and bears the stack's tag."""

    who: StackIdentity
    workspace: Workspace
    spec: AzureAgentSpec
    folders: tuple[CodeLocationFolder, ...]
    names: AzureNames
    settings: AzureSettings

    @classmethod
    def of(
        cls, who: StackIdentity, workspace: Workspace, spec: AzureAgentSpec, folders: tuple[CodeLocationFolder, ...]
    ) -> AzurePlatform:
        """Raises ``AzureError`` and ``SettingsError`` for what would stop the update half-way."""
        facts = AzureFacts(who)
        with ThreadPoolExecutor(1) as beside:
            checked = beside.submit(azure_ground.check, facts.names, facts.azure)
            _load_sdk()
            checked.result()
        return cls(who, workspace, spec, folders, facts.names, facts.azure)

    @property
    def process_directory(self) -> None:
        return None

    @property
    def reached_at(self) -> tuple[str, ...]:
        return ()

    @property
    def tags(self) -> dict[str, str]:
        """What everything bears that the stack makes."""
        return {**self.settings.tags, STACK_TAG: self.names.base}

    def agent(self, token: AgentToken) -> StandingAgent:
        pulumi.log.warn(WARNING)
        ground = AzureGround(
            "ground",
            AzureGroundArgs(
                names=self.names,
                resource_group=self._group,
                subnet_id=self._subnet_id,
                zone_redundant=self.settings.zone_redundant,
                log_retention_days=self.settings.log_retention_days,
                tags=self.tags,
            ),
            self._opts,
        )
        vault = self._vault(token)
        identities = self._identities(ground, vault)
        drain = self._drain(ground, identities)
        agent = AzureAgent("agent", self._agent_args(ground, vault, identities, drain), self._opts)
        return StandingAgent(agent, agent.label, agent.instance, None, place=self._place(agent))

    def location(self, folder: CodeLocationFolder) -> LocationSource:
        source = self._locations.source(folder)
        if source.image is None:
            return source
        check = AzureLaunchCheck(f"{folder.name}-launch", AzureLaunchCheckArgs(folder.name, source.image))
        return LocationSource(source.document, source.content_hash, source.image, (check,))

    # what is made once, in the order of its first use

    @cached_property
    def _opts(self) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(providers=[self._provider])

    @cached_property
    def _provider(self) -> pulumi.ProviderResource:
        provider: pulumi.ProviderResource = azure.Provider(
            "azure", subscription_id=self.names.subscription, tenant_id=self.settings.tenant
        )
        return provider

    @cached_property
    def _group(self) -> pulumi.Output[str]:
        if self.settings.resource_group is not None:
            return pulumi.Output.from_input(self.settings.resource_group)
        group = resources.ResourceGroup(
            "group",
            resource_group_name=self.names.resource_group,
            location=self.names.location,
            tags=self.tags,
            # Azure deletes a group with all that is in it, so it stays where the values stay
            opts=pulumi.ResourceOptions(provider=self._provider, retain_on_delete=self._keeps_values),
        )
        name: pulumi.Output[str] = group.name
        return name

    @property
    def _keeps_values(self) -> bool:
        return self.settings.storage.account is None and self.settings.storage.keep

    @cached_property
    def _subnet_id(self) -> pulumi.Input[str]:
        network = self.settings.network
        if network.subnet_id is not None:
            return network.subnet_id
        made = AzureNetwork(
            "network",
            AzureNetworkArgs(
                name=self.names.network,
                resource_group=self._group,
                location=self.names.location,
                cidr=network.cidr,
                subnet_cidr=network.subnet_cidr,
                nat=network.nat,
                tags=self.tags,
            ),
            self._opts,
        )
        return made.subnet_id

    @cached_property
    def _registry_id(self) -> pulumi.Input[str]:
        return self.settings.registry.id or self._made_registry.registry_id

    @cached_property
    def _made_registry(self) -> AzureRegistry:
        return AzureRegistry(
            "registry",
            AzureRegistryArgs(
                resource_group=self._group,
                location=self.names.location,
                name=self.names.registry,
                sku=self.settings.registry.sku,
                tags=self.tags,
            ),
            self._opts,
        )

    @property
    def _container_id(self) -> pulumi.Input[str]:
        storage = self.settings.storage
        return self._made_storage.container_id if storage.account is None else self._container_there(storage.container)

    @property
    def _logs_id(self) -> pulumi.Input[str]:
        name = self.settings.storage.logs_container
        made = self.settings.storage.account is None
        return self._made_storage.further_ids[name] if made else self._container_there(name)

    def _container_there(self, container: str) -> str:
        storage = self.settings.storage
        group = storage.resource_group or self.names.resource_group
        account = f"/subscriptions/{self.names.subscription}/resourceGroups/{group}"
        return (
            f"{account}/providers/Microsoft.Storage/storageAccounts/{storage.account}"
            f"/blobServices/default/containers/{container}"
        )

    @cached_property
    def _made_storage(self) -> AzureStorage:
        storage = self.settings.storage
        return AzureStorage(
            "storage",
            AzureStorageArgs(
                resource_group=self._group,
                location=self.names.location,
                account=self.names.storage_account,
                container=storage.container,
                further=(storage.logs_container,) if self._logs is not None else (),
                redundancy=storage.redundancy,
                deleted_days=storage.deleted_days,
                keep=storage.keep,
                tags=self.tags,
            ),
            self._opts,
        )

    @property
    def _logs(self) -> LogsContainer | None:
        if self.spec.compute_logs != "container":
            return None
        storage = self.settings.storage
        return LogsContainer(storage.account or self.names.storage_account, storage.logs_container)

    @cached_property
    def _locations(self) -> ContainerLocations:
        made = {} if self.settings.registry.id else {folder.name: self._made_registry for folder in self.folders}
        return ContainerLocations(self.who, self.workspace, repositories=made)

    # parts of the agent

    def _vault(self, token: AgentToken) -> AzureVault:
        tenant: pulumi.Input[str]
        if self.settings.tenant is not None:
            tenant = self.settings.tenant
        else:
            asked = authorization.get_client_config_output(opts=pulumi.InvokeOutputOptions(provider=self._provider))
            tenant = asked.tenant_id
        return AzureVault(
            "token",
            AzureVaultArgs(
                resource_group=self._group,
                location=self.names.location,
                tenant=tenant,
                secret=TOKEN_SECRET,
                value=token.token,
                tags=self.tags,
            ),
            self._opts,
        )

    def _identities(self, ground: AzureGround, vault: AzureVault) -> AzureIdentities:
        identities = AzureIdentities(
            "identities",
            AzureIdentitiesArgs(
                names=self.names,
                resource_group=self._group,
                environment_id=ground.environment_id,
                isolated=self.spec.isolated,
                tags=self.tags,
            ),
            self._opts,
        )
        identities.grant("agent", SECRETS_USER, vault.secret_id)
        identities.grant("code", ACR_PULL, self._registry_id)
        identities.grant("code", BLOB_CONTRIBUTOR, self._container_id)
        if self._logs is not None:
            identities.grant("code", BLOB_CONTRIBUTOR, self._logs_id, of="logs")
        if self._agent_image_is_ours:
            identities.grant("agent", ACR_PULL, self._registry_id)
        return identities

    def _place(self, agent: AzureAgent) -> dict[str, pulumi.Input[str]]:
        place: dict[str, pulumi.Input[str]] = {
            "platform": self.spec.kind,
            "subscription": self.names.subscription,
            "resourceGroup": self.names.resource_group,
            "environmentId": self.names.environment_id,
            "agentApp": agent.app_name,
        }
        return place if self.settings.tenant is None else {**place, "tenant": self.settings.tenant}

    def _drain(self, ground: AzureGround, identities: AzureIdentities) -> AzureDrain:
        return AzureDrain(
            "azure-drain",
            AzureDrainArgs(
                subscription=self.names.subscription,
                tenant=self.settings.tenant,
                resource_group=self.names.resource_group,
                environment_id=ground.environment_id,
                agent_app=self.names.agent_app,
            ),
            pulumi.ResourceOptions(
                depends_on=[ground, *identities.granted], custom_timeouts=pulumi.CustomTimeouts(delete="2h")
            ),
        )

    def _agent_args(
        self, ground: AzureGround, vault: AzureVault, identities: AzureIdentities, drain: AzureDrain
    ) -> AzureAgentArgs:
        return AzureAgentArgs(
            spec=self.spec,
            names=self.names,
            resource_group=self._group,
            environment_id=ground.environment_id,
            environment_name=ground.environment_name,
            identities=identities,
            deployment=self.who.endpoint.deployment,
            label=self.who.agent_label,
            agent_url=self.who.endpoint.agent_url,
            token_uri=vault.secret_uri,
            registry=self._registry_host if self._agent_image_is_ours else None,
            locations=len(self.folders),
            logs=self._logs,
            tags=self.tags,
            before_app=[*identities.granted, drain],
        )

    # facts

    @property
    def _registry_host(self) -> str:
        return registry_address(self.who).partition("/")[0]

    @property
    def _agent_image_is_ours(self) -> bool:
        return self.spec.image.partition("/")[0] == self._registry_host


def _load_sdk() -> tuple[type[pulumi.Resource], ...]:
    """The SDK's large modules are read when something of them is first named, which takes as long as Azure takes to
    answer."""
    return network.VirtualNetwork, app.ContainerApp, authorization.RoleAssignment, storage.StorageAccount
