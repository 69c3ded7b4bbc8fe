"""What Azure would answer a program under the recorder: names, ids and principals, in the form that Azure has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SUBSCRIPTION = "00000000-1111-2222-3333-444444444444"
TENANT = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
TOKEN = "agent:acme:" + "0f" * 12
OURS = "dagsterhybrid:index:"
_GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups"


def _named(kind: str, key: str, **more: Any) -> Any:
    def answer(inputs: Mapping[str, Any]) -> dict[str, Any]:
        name = inputs.get(key, "made-up")
        id_ = f"{_GROUP}/{inputs.get('resourceGroupName')}/providers/{kind}/{name}"
        return {"id": id_, "name": name, **{each: text.format(name=name) for each, text in more.items()}}

    return answer


def _secret(inputs: Mapping[str, Any]) -> dict[str, Any]:
    vault = inputs["vaultName"]
    group = f"{_GROUP}/{inputs['resourceGroupName']}"
    id_ = f"{group}/providers/Microsoft.KeyVault/vaults/{vault}/secrets/{inputs['secretName']}"
    uri = f"https://{vault}.vault.azure.net/secrets/{inputs['secretName']}"
    return {
        "id": id_,
        "name": inputs["secretName"],
        "properties": {"secretUri": uri, "secretUriWithVersion": f"{uri}/0123456789abcdef"},
    }


def _role(inputs: Mapping[str, Any]) -> dict[str, Any]:
    guid = inputs["roleDefinitionId"]
    return {"id": f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{guid}"}


ANSWERS: dict[str, Any] = {
    f"{OURS}VirtualEnvironment": {"executable": "/x/bin/python"},
    f"{OURS}LocationImage": lambda inputs: {"reference": f"{inputs['repository']}@sha256:{'a' * 64}"},
    f"{OURS}PublishedImage": lambda inputs: {"reference": inputs["image"]},
    f"{OURS}CodeLocation": {"revision": "1"},
    f"{OURS}AgentToken": {"token": TOKEN, "tokenId": "1"},
    "azure-native:resources:ResourceGroup": lambda inputs: {
        "id": f"{_GROUP}/{inputs['resourceGroupName']}",
        "name": inputs["resourceGroupName"],
    },
    "azure-native:network:VirtualNetwork": _named("Microsoft.Network/virtualNetworks", "virtualNetworkName"),
    "azure-native:network:Subnet": lambda inputs: {
        "id": f"{_GROUP}/{inputs['resourceGroupName']}/providers/Microsoft.Network/virtualNetworks"
        f"/{inputs['virtualNetworkName']}/subnets/{inputs['subnetName']}",
        "name": inputs["subnetName"],
    },
    "azure-native:network:PublicIPAddress": _named("Microsoft.Network/publicIPAddresses", "publicIpAddressName"),
    "azure-native:network:NatGateway": _named("Microsoft.Network/natGateways", "natGatewayName"),
    "azure-native:operationalinsights:Workspace": _named(
        "Microsoft.OperationalInsights/workspaces", "workspaceName", customerId="customer-of-{name}"
    ),
    "azure-native:app:ManagedEnvironment": _named("Microsoft.App/managedEnvironments", "environmentName"),
    "azure-native:app:ContainerApp": _named(
        "Microsoft.App/containerApps", "containerAppName", latestRevisionName="{name}--0000001"
    ),
    "azure-native:managedidentity:UserAssignedIdentity": _named(
        "Microsoft.ManagedIdentity/userAssignedIdentities",
        "resourceName",
        principalId="principal-of-{name}",
        clientId="client-of-{name}",
    ),
    "azure-native:containerregistry:Registry": _named("Microsoft.ContainerRegistry/registries", "registryName"),
    "azure-native:storage:StorageAccount": _named("Microsoft.Storage/storageAccounts", "accountName"),
    "azure-native:storage:BlobServiceProperties": {"id": "retention"},
    "azure-native:storage:BlobContainer": lambda inputs: {
        "id": f"{_GROUP}/{inputs['resourceGroupName']}/providers/Microsoft.Storage/storageAccounts"
        f"/{inputs['accountName']}/blobServices/default/containers/{inputs['containerName']}",
        "name": inputs["containerName"],
    },
    "azure-native:keyvault:Vault": _named("Microsoft.KeyVault/vaults", "vaultName"),
    "azure-native:keyvault:Secret": _secret,
    "azure-native:authorization:RoleDefinition": _role,
    "azure-native:authorization:RoleAssignment": lambda inputs: {
        "id": f"{inputs['scope']}/providers/Microsoft.Authorization/roleAssignments/{inputs['roleAssignmentName']}"
    },
    "azure-native:operationalinsights:getSharedKeys": {"primarySharedKey": "shared-key-of-the-workspace"},
    "azure-native:authorization:getClientConfig": {
        "tenantId": TENANT,
        "clientId": "c",
        "objectId": "o",
        "subscriptionId": SUBSCRIPTION,
    },
}
