"""Pulumi's types as paths and bodies of Azure Resource Manager. Pure, but for the SDK's own text.

Paths are those of https://learn.microsoft.com/azure/templates; names of parameters are Pulumi's. That a type's
properties are those of `properties` (``flat``) is Pulumi's way with most (`x-ms-client-flatten` of Azure's
specifications); API versions are read from the SDK.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from hybrid.provider.properties import UNKNOWN, has_unknown

_GROUP: Final = "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}"
_IN: Final = f"{_GROUP}/providers"
_USUAL: Final = ("location", "tags", "identity", "sku", "kind", "zones")


@dataclass(frozen=True)
class ArmType:
    """What Pulumi's token means."""

    token: str
    path: str
    """With Pulumi's parameters in braces; the last one is the resource's own name."""
    beside: tuple[str, ...] = _USUAL
    """What a body has beside `properties`."""
    flat: bool = True
    fixed: tuple[str, ...] = ("location",)
    """Inputs which make another resource when they change, beside the path's."""
    renamed: tuple[tuple[str, str], ...] = ()
    """Pulumi's name and Azure's, where they differ."""

    @property
    def parameters(self) -> list[str]:
        return [name for name in re.findall(r"\{(\w+)\}", self.path) if name != "subscriptionId"]

    @property
    def own_name(self) -> str:
        return self.parameters[-1]

    @property
    def version(self) -> str:
        return version_of(self.token)

    def id(self, inputs: Mapping[str, Any], subscription: str) -> str:
        values = {**{name: str(inputs[name]).lstrip("/") for name in self.parameters}, "subscriptionId": subscription}
        return self.path.format(**values)

    def body(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """What is put."""
        given = {name: value for name, value in inputs.items() if name not in self.parameters and value is not None}
        given = {dict(self.renamed).get(name, name): value for name, value in given.items()}
        beside = {name: value for name, value in given.items() if name in self.beside}
        rest = {name: value for name, value in given.items() if name not in self.beside}
        identity = beside.get("identity")
        if identity and isinstance(identity.get("userAssignedIdentities"), list):  # Pulumi's form of it
            names = identity["userAssignedIdentities"]
            keyed = UNKNOWN if has_unknown(names) else {name: {} for name in names}
            beside["identity"] = {**identity, "userAssignedIdentities": keyed}
        return {**beside, **({"properties": rest} if self.flat else rest)}

    def outputs(self, found: Mapping[str, Any]) -> dict[str, Any]:
        """What Pulumi shows of it."""
        if not self.flat:
            return {**found, "azureApiVersion": self.version}
        top = {name: value for name, value in found.items() if name != "properties"}
        properties = found.get("properties") or {}
        back = {azure: pulumi for pulumi, azure in self.renamed}
        renamed = {back[name]: value for name, value in properties.items() if name in back}
        return {**properties, **top, **renamed, "azureApiVersion": self.version}


def _types() -> dict[str, ArmType]:
    network, storage = f"{_IN}/Microsoft.Network", f"{_IN}/Microsoft.Storage/storageAccounts/{{accountName}}"
    vault = f"{_IN}/Microsoft.KeyVault/vaults/{{vaultName}}"
    roles = "/{scope}/providers/Microsoft.Authorization"
    workspace = f"{_IN}/Microsoft.OperationalInsights/workspaces/{{workspaceName}}"
    identity = f"{_IN}/Microsoft.ManagedIdentity/userAssignedIdentities/{{resourceName}}"
    found = [
        ArmType("resources:ResourceGroup", _GROUP),
        ArmType("network:VirtualNetwork", f"{network}/virtualNetworks/{{virtualNetworkName}}"),
        ArmType("network:Subnet", f"{network}/virtualNetworks/{{virtualNetworkName}}/subnets/{{subnetName}}"),
        ArmType("network:PublicIPAddress", f"{network}/publicIPAddresses/{{publicIpAddressName}}"),
        ArmType("network:NatGateway", f"{network}/natGateways/{{natGatewayName}}"),
        ArmType("operationalinsights:Workspace", workspace, beside=("location", "tags", "identity")),
        ArmType("app:ManagedEnvironment", f"{_IN}/Microsoft.App/managedEnvironments/{{environmentName}}"),
        ArmType("app:ContainerApp", f"{_IN}/Microsoft.App/containerApps/{{containerAppName}}"),
        ArmType("managedidentity:UserAssignedIdentity", identity),
        ArmType("containerregistry:Registry", f"{_IN}/Microsoft.ContainerRegistry/registries/{{registryName}}"),
        ArmType("storage:StorageAccount", storage),
        ArmType("storage:BlobServiceProperties", f"{storage}/blobServices/{{blobServicesName}}"),
        ArmType("storage:BlobContainer", f"{storage}/blobServices/default/containers/{{containerName}}"),
        ArmType("keyvault:Vault", vault, flat=False),
        ArmType("keyvault:Secret", f"{vault}/secrets/{{secretName}}", flat=False),
        ArmType(
            "authorization:RoleDefinition",
            f"{roles}/roleDefinitions/{{roleDefinitionId}}",
            beside=(),
            renamed=(("roleType", "type"),),
        ),
        ArmType(
            "authorization:RoleAssignment",
            f"{roles}/roleAssignments/{{roleAssignmentName}}",
            beside=(),
            fixed=("principalId", "roleDefinitionId", "principalType"),
        ),
    ]
    return {f"azure-native:{each.token}": each for each in found}


TYPES: Final = _types()


@cache
def version_of(token: str) -> str:
    """The API version that the SDK's documentation names for a type. Raises ``LookupError``."""
    module, _, name = token.partition(":")
    file = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()
    text = (_sdk() / module / f"{file}.py").read_text(encoding="utf-8")
    told = re.search(r"Uses Azure REST API version ([\w-]+)", text)
    if told is None:
        raise LookupError(f"the SDK names no API version of {token}")
    return told[1]


@cache
def sdk_version() -> str:
    return str(json.loads((_sdk() / "pulumi-plugin.json").read_text(encoding="utf-8"))["version"])


def _sdk() -> Path:
    spec = find_spec("pulumi_azure_native")
    if spec is None or spec.origin is None:
        raise LookupError("pulumi_azure_native is not installed: `make azure`")
    return Path(spec.origin).parent
