"""What the stack file says of Azure: the subscription, and the group, network, registry and storage that the stack
makes or is given."""

from __future__ import annotations

from ipaddress import IPv4Network, ip_network
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, field_validator, model_validator

from agent.any_spec import Spec
from agent.azure_names import LONGEST_BASE

_GUID = r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
Guid = Annotated[str, StringConstraints(pattern=rf"^{_GUID}$")]
Location = Annotated[str, StringConstraints(pattern=r"^[a-z]+[a-z0-9]*$", max_length=40)]
BaseName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=LONGEST_BASE)]
GroupName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_()-][A-Za-z0-9_().-]{0,88}[A-Za-z0-9_()-]$")]
SubnetId = Annotated[
    str,
    StringConstraints(
        pattern=rf"^/subscriptions/{_GUID}/resourceGroups/[^/]+/providers/Microsoft\.Network/virtualNetworks/[^/]+"
        r"/subnets/[^/]+$"
    ),
]
RegistryId = Annotated[
    str,
    StringConstraints(
        pattern=rf"^/subscriptions/{_GUID}/resourceGroups/[^/]+/providers/Microsoft\.ContainerRegistry/registries"
        r"/[A-Za-z0-9]{5,50}$"
    ),
]
AccountName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]{3,24}$")]
ContainerName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", min_length=3, max_length=63)]
TagName = Annotated[str, StringConstraints(pattern=r"^[^<>%&\\?/\x00-\x1f]{1,512}$")]
TagValue = Annotated[str, StringConstraints(max_length=256)]

_SMALLEST = 27  # https://learn.microsoft.com/azure/container-apps/custom-virtual-networks#subnet


class AzureNetworkSettings(Spec):
    """The network of agent and code."""

    subnet_id: SubnetId | None = None
    """A subnet that is there, in the stack's location, of /27 or larger, delegated to `Microsoft.App/environments` and
    otherwise empty. Default: the stack makes a network with one."""

    cidr: str = "10.90.0.0/16"
    """Addresses of the network that the stack makes. Default 10.90.0.0/16, seldom in use elsewhere; choose another if
    it is to be peered with one that overlaps."""

    subnet_cidr: str = "10.90.0.0/23"
    """Addresses of its subnet, /27 or larger: each code server and run takes one, and Azure some. Default
    10.90.0.0/23."""

    nat: bool = False
    """Whether agent and code go out by one address that stays the same, for firewalls elsewhere. Default false: a NAT
    gateway is billed by the hour; without one Azure's own address is used."""

    @field_validator("cidr", "subnet_cidr")
    @classmethod
    def _is_a_network(cls, text: str) -> str:
        try:
            network = ip_network(text)
        except ValueError:
            raise ValueError("write it like 10.90.0.0/16, with no address set beyond the prefix") from None
        if not isinstance(network, IPv4Network) or not network.is_private:
            raise ValueError("it has to be of private addresses, such as 10.90.0.0/16")
        return text

    @model_validator(mode="after")
    def _one_network(self) -> AzureNetworkSettings:
        of_ours = sorted(self.model_fields_set & {"cidr", "subnet_cidr", "nat"})
        if self.subnet_id is not None:
            if of_ours:
                raise ValueError("`subnetId` is of a network that is there; remove `cidr`, `subnetCidr` and `nat`")
            return self
        whole, part = IPv4Network(self.cidr), IPv4Network(self.subnet_cidr)
        if not part.subnet_of(whole):
            raise ValueError(f"`subnetCidr` {part} is not within `cidr` {whole}")
        if part.prefixlen > _SMALLEST:
            raise ValueError(f"`subnetCidr` is too small: Container Apps need /{_SMALLEST} or larger")
        return self


class AzureRegistrySettings(Spec):
    """The registry with the images of locations."""

    id: RegistryId | None = None
    """One that is there, of Azure's own kind. Default: the stack makes one, which goes with it."""

    path: Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+([._-][a-z0-9]+)*$", max_length=100)] | None = None
    """What repositories in it begin with. Default: `hybrid-<stack>`, so that stacks may share a registry."""

    sku: Literal["Basic", "Standard", "Premium"] = "Basic"
    """Its size, for one that the stack makes. Default Basic: 10 GB."""

    @model_validator(mode="after")
    def _one_registry(self) -> AzureRegistrySettings:
        if self.id is not None and "sku" in self.model_fields_set:
            raise ValueError("`id` is of a registry that is there; remove `sku`")
        return self


class AzureStorageSettings(Spec):
    """The storage container for asset values."""

    account: AccountName | None = None
    """A storage account that is there, with `container` in it, in the group `resourceGroup`. Default: the stack makes
    one."""

    resource_group: GroupName | None = None
    """The resource group of that `account`. Default: the stack's."""

    container: ContainerName = "asset-values"
    """The blob container. Default asset-values."""

    logs_container: ContainerName = "compute-logs"
    """The container for the output of steps, with `agent.computeLogs: container` alone; in an `account` that is there
    it is there, too. Default compute-logs."""

    redundancy: Literal["LRS", "ZRS", "GRS"] = "LRS"
    """How often Azure keeps what is stored, for an account that the stack makes: LRS in one data centre, ZRS in three,
    GRS in another region too. Default LRS."""

    deleted_days: int = Field(default=30, ge=1, le=365)
    """How long what was deleted or overwritten can be brought back, in days. Default 30."""

    keep: bool = True
    """Whether `down` leaves the account, and with it the resource group. Default true: it has the team's data. The next
    `up` is told of both by `resourceGroup` and `storage.account`."""

    @model_validator(mode="after")
    def _one_account(self) -> AzureStorageSettings:
        given = self.model_fields_set
        if self.logs_container == self.container:
            raise ValueError("`logsContainer` and `container` are two: who reads logs need not read values")
        if self.account is None and "resource_group" in given:
            raise ValueError("`resourceGroup` is that of an `account` that is there; name it")
        if self.account is not None and given & {"redundancy", "deleted_days", "keep"}:
            raise ValueError("`account` is there already; remove `redundancy`, `deletedDays` and `keep`")
        return self


class AzureSettings(Spec):
    """Where in Azure a stack stands, and what it makes there."""

    subscription: Guid
    """The subscription's id. A login that does not reach it is refused before anything is made."""

    tenant: Guid | None = None
    """The id of the directory that the subscription belongs to. Default: that of the login."""

    location: Location
    """Azure's region, as it spells it in one word: `westeurope`."""

    name: BaseName | None = None
    """What names in Azure begin with, 20 characters at most. Default: `hybrid-<stack>`. Another one means other
    resources."""

    resource_group: GroupName | None = None
    """A resource group that is there. Default: the stack makes one, called as `name`. It should be the stack's alone:
    the agent may change and end every container app in it, and its launcher takes apps of other agents there for
    its own."""

    network: AzureNetworkSettings = Field(default_factory=AzureNetworkSettings)
    """The network of agent and code."""

    registry: AzureRegistrySettings = Field(default_factory=AzureRegistrySettings)
    """The registry with the images of locations."""

    storage: AzureStorageSettings = Field(default_factory=AzureStorageSettings)
    """The storage container for asset values."""

    zone_redundant: bool = False
    """Whether the environment is spread over the region's zones. Default false; it cannot be changed later."""

    log_retention_days: int = Field(default=30, ge=30, le=730)
    """How long Log Analytics keeps what agent, code servers and runs print, in days. Default 30, the least that is
    billed the same."""

    tags: dict[TagName, TagValue] = Field(default_factory=dict)
    """Tags on everything that the stack makes. What the agent makes bears Dagster's tags alone: its launcher takes no
    others. Default: the stack's own tag."""

    @field_validator("subscription", "tenant")
    @classmethod
    def _in_small_letters(cls, guid: str | None) -> str | None:
        return None if guid is None else guid.lower()

    @field_validator("tags")
    @classmethod
    def _are_ours(cls, tags: dict[str, str]) -> dict[str, str]:
        for key in tags:
            if key.lower().startswith(("azure", "microsoft", "windows", "dagster", "managed-by")):
                raise ValueError(f"tags that begin so are Azure's or Dagster's to give: {key}")
        if len(tags) > 40:
            raise ValueError("Azure allows 50 on a thing: give 40 at most")
        return tags

    @model_validator(mode="after")
    def _of_one_subscription(self) -> AzureSettings:
        for key, id_ in (("network.subnetId", self.network.subnet_id),):
            if id_ is not None and id_.split("/")[2].lower() != self.subscription:
                raise ValueError(f"`{key}` is of another subscription than `subscription`; Azure joins none to it")
        return self
