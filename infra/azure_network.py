"""A network in Azure for one Container Apps environment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
from pulumi_azure_native import network


@dataclass(frozen=True)
class AzureNetworkArgs:
    """What the network needs."""

    name: str
    resource_group: pulumi.Input[str]
    location: str
    cidr: str = "10.90.0.0/16"
    subnet_cidr: str = "10.90.0.0/23"
    nat: bool = False
    """Whether what is inside goes out by one address that stays the same."""
    tags: Mapping[str, str] = field(default_factory=dict)


class AzureNetwork(pulumi.ComponentResource):
    """A virtual network with one subnet, delegated to Container Apps.

    - a NAT gateway with one public address, where one is wanted
    - the subnet is the environment's alone: Azure puts nothing else into a delegated one
    """

    subnet_id: pulumi.Output[str]

    def __init__(self, name: str, args: AzureNetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dagsterhybrid:infra:AzureNetwork", name, None, opts)
        inside = pulumi.ResourceOptions(parent=self)
        made = network.VirtualNetwork(
            f"{name}-network",
            virtual_network_name=args.name,
            resource_group_name=args.resource_group,
            location=args.location,
            address_space=network.AddressSpaceArgs(address_prefixes=[args.cidr]),
            tags=dict(args.tags),
            # subnets of their own would be taken away again by every update of the network
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=["subnets"]),
        )
        gateway = self._gateway(name, args) if args.nat else None
        subnet = network.Subnet(
            f"{name}-subnet",
            subnet_name="container-apps",
            virtual_network_name=made.name,
            resource_group_name=args.resource_group,
            address_prefix=args.subnet_cidr,
            delegations=[network.DelegationArgs(name="container-apps", service_name="Microsoft.App/environments")],
            nat_gateway=None if gateway is None else network.SubResourceArgs(id=gateway.id),
            # code reaches storage by Azure's own network, and a firewall of the account can name the subnet
            service_endpoints=[network.ServiceEndpointPropertiesFormatArgs(service="Microsoft.Storage")],
            opts=inside,
        )
        self.subnet_id = subnet.id
        self.register_outputs({"subnetId": self.subnet_id})

    def _gateway(self, name: str, args: AzureNetworkArgs) -> network.NatGateway:
        address = network.PublicIPAddress(
            f"{name}-address",
            public_ip_address_name=f"{args.name}-out",
            resource_group_name=args.resource_group,
            location=args.location,
            public_ip_allocation_method=network.IPAllocationMethod.STATIC,
            sku=network.PublicIPAddressSkuArgs(name=network.PublicIPAddressSkuName.STANDARD),
            tags=dict(args.tags),
            opts=pulumi.ResourceOptions(parent=self),
        )
        addresses: Sequence[network.SubResourceArgs] = [network.SubResourceArgs(id=address.id)]
        return network.NatGateway(
            f"{name}-nat",
            nat_gateway_name=f"{args.name}-out",
            resource_group_name=args.resource_group,
            location=args.location,
            public_ip_addresses=addresses,
            sku=network.NatGatewaySkuArgs(name=network.NatGatewaySkuName.STANDARD),
            tags=dict(args.tags),
            opts=pulumi.ResourceOptions(parent=self),
        )
