"""A network of the stack's own, for the agent and what it runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import pulumi
import pulumi_aws as aws

from hybrid.errors import SettingsError
from infra.addresses import LEAST_ZONES, AddressPlan, plan
from infra.egress import Egress, Nat, Outside, Placement, decided
from infra.endpoints import short_name

# Zones of listed regions in which Fargate does not run Linux containers:
# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/AWS_Fargate-Regions.html
_WITHOUT_FARGATE: Final = ("usw1-az2", "apne1-az3", "cnn1-az3", "cnn1-az4")

_ANYWHERE: Final = "0.0.0.0/0"


class AnyNetwork(pulumi.ComponentResource):
    """What every network gives to those that run tasks in it, made or adopted.

    A service whose tasks start before the network's routes stand fails to pull its image: let it depend on the whole
    component (``depends_on=[network]``), which also deletes the service first.
    """

    vpc_id: pulumi.Output[str]
    vpc_cidr: pulumi.Output[str]
    task_subnet_ids: pulumi.Output[list[str]]
    """The subnets where agent and code run."""
    zones: pulumi.Output[list[str]]
    """The availability zones of these subnets."""
    assign_public_ip: bool
    """For the agent's service and for its launcher alike."""


@dataclass(frozen=True)
class NetworkArgs:
    """A network to make. All of it is checked before anything is made; what is wrong is a ``SettingsError``."""

    region: str
    cidr: str = "10.80.0.0/16"
    """/16 to /24, private. Seldom in use elsewhere, as networks that are to be peered must not overlap."""
    zones: int = LEAST_ZONES
    """2 or 3. Two by default: one may fail, and each costs its NAT gateway (``per-zone``) and endpoints."""
    zone_names: Sequence[str] = ()
    """Which zones (``eu-west-1a``). Default: the region's first ones in which Fargate runs; a zone that AWS adds or
    closes later moves no subnet then."""
    tasks: Placement = "private"
    nat: Nat = "one"
    """One by default: when its zone fails, tasks of the others lose their way out too; ``per-zone`` does not have that,
    and costs as much again for each zone."""
    outside: Outside = field(default_factory=Outside)
    """What stands in for a way out; it matters with ``nat="none"`` and private tasks."""
    endpoints: Sequence[str] = ()
    """The interface endpoints that this network gets by an ``Endpoints`` component, which is made after the security
    groups; here only to judge whether tasks can do without a way out."""
    public_subnets: Sequence[str] = ()
    private_subnets: Sequence[str] = ()
    """Subnets of the team's own instead of computed ones, one for each zone."""
    apart_from: Sequence[str] = ()
    """Networks that this one must not overlap."""


class Network(AnyNetwork):
    """A VPC across two or three availability zones, of which only what its tasks use is made.

    - the VPC, with DNS; its default security group without any rule
    - public subnets, an internet gateway and their route table, unless there is no way out at all
    - private subnets unless tasks run in public ones, each with a route table of its own
    - NAT gateways: one, or one a zone
    - the gateway endpoint of S3, which is free and keeps ECR's layers and asset values off NAT
    """

    s3_prefix_list_id: pulumi.Output[str]
    egress: Egress

    def __init__(self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        self.egress = decided(args.tasks, args.nat, args.outside, [short_name(one) for one in args.endpoints])
        _check_zone_names(args)
        addresses = plan(
            args.cidr,
            len(args.zone_names) or args.zones,
            public=args.public_subnets,
            private=args.private_subnets,
            apart_from=args.apart_from,
        )
        super().__init__("dagsterhybrid:infra:Network", name, None, opts)
        self._name = name
        self._zone_names_are_given = bool(args.zone_names)
        zones = list(args.zone_names) or self._first_zones(args)
        self._vpc = self._make_vpc(addresses)
        public, private, tables = self._make_subnets(addresses, zones, args.nat)
        s3 = self._make_s3_endpoint(args.region, tables)

        self.vpc_id = self._vpc.id
        self.vpc_cidr = self._vpc.cidr_block
        self.assign_public_ip = self.egress.assign_public_ip
        chosen = public if self.egress.kind == "public" else private
        self.task_subnet_ids = pulumi.Output.all(*[subnet.id for subnet in chosen]).apply(list)
        self.zones = pulumi.Output.all(*[subnet.availability_zone for subnet in chosen]).apply(list)
        self.s3_prefix_list_id = s3.prefix_list_id
        self.register_outputs({"vpcId": self.vpc_id, "taskSubnetIds": self.task_subnet_ids})

    def _first_zones(self, args: NetworkArgs) -> list[str]:
        found = aws.get_availability_zones(
            state="available",
            exclude_zone_ids=list(_WITHOUT_FARGATE),
            filters=[{"name": "opt-in-status", "values": ["opt-in-not-required"]}],
            opts=pulumi.InvokeOptions(parent=self),
        )
        names = sorted(found.names)
        if len(names) < args.zones:
            raise SettingsError(
                f"{args.region} has {len(names)} availability zones for Fargate now: {', '.join(names) or 'none'}.",
                why=f"the network is to have subnets in {args.zones}",
                next_step=f"set `zones` to {len(names)}." if len(names) >= LEAST_ZONES else "choose another region.",
            )
        return names[: args.zones]

    def _opts(self, *depends_on: pulumi.Resource, ignore: Sequence[str] = ()) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(parent=self, depends_on=list(depends_on), ignore_changes=list(ignore))

    def _make_vpc(self, addresses: AddressPlan) -> aws.ec2.Vpc:
        vpc = aws.ec2.Vpc(
            f"{self._name}-vpc",
            cidr_block=addresses.cidr,
            enable_dns_support=True,
            enable_dns_hostnames=True,  # names of Cloud Map's private namespaces need both
            tags={"Name": f"{self._name}-vpc"},
            opts=self._opts(),
        )
        # AWS makes this group with everything open between its members, and puts into it what names no other
        aws.ec2.DefaultSecurityGroup(
            f"{self._name}-default-group",
            vpc_id=vpc.id,
            ingress=[],
            egress=[],
            tags={"Name": f"{self._name}-default-group"},
            opts=self._opts(),
        )
        return vpc

    def _make_subnets(
        self, addresses: AddressPlan, zones: Sequence[str], nat: Nat
    ) -> tuple[list[aws.ec2.Subnet], list[aws.ec2.Subnet], list[aws.ec2.RouteTable]]:
        """The public ones, the private ones, and the route tables of both."""
        if self.egress.kind == "closed":
            private, tables = self._make_private(addresses, zones, [])
            return [], private, tables
        gateway = aws.ec2.InternetGateway(
            f"{self._name}-internet",
            vpc_id=self._vpc.id,
            tags={"Name": f"{self._name}-internet"},
            opts=self._opts(),
        )
        public = self._make_zone_subnets("public", addresses.public, zones)
        table = self._make_table("public")
        self._associate("public", public, [table] * len(public))
        self._make_route("public", table, gateway_id=gateway.id)
        if self.egress.kind == "public":
            return public, [], [table]
        gateways = self._make_nat(public, gateway, 1 if nat == "one" else len(zones))
        private, tables = self._make_private(addresses, zones, gateways)
        return public, private, [table, *tables]

    def _make_private(
        self, addresses: AddressPlan, zones: Sequence[str], gateways: Sequence[aws.ec2.NatGateway]
    ) -> tuple[list[aws.ec2.Subnet], list[aws.ec2.RouteTable]]:
        """A table a zone even with one NAT gateway: with more of them later, only routes change."""
        subnets = self._make_zone_subnets("private", addresses.private, zones)
        tables = [self._make_table(f"private-{position}") for position in range(1, len(subnets) + 1)]
        self._associate("private", subnets, tables)
        for position, table in enumerate(tables):
            if gateways:
                nearest = gateways[min(position, len(gateways) - 1)]
                self._make_route(f"private-{position + 1}", table, nat_gateway_id=nearest.id)
        return subnets, tables

    def _make_zone_subnets(self, kind: str, cidrs: Sequence[str], zones: Sequence[str]) -> list[aws.ec2.Subnet]:
        # zones that were looked up may be others the next time: a subnet stays where it was made
        ignored = () if self._zone_names_are_given else ("availabilityZone",)
        return [
            aws.ec2.Subnet(
                f"{self._name}-{kind}-{position}",
                vpc_id=self._vpc.id,
                cidr_block=cidr,
                availability_zone=zone,
                map_public_ip_on_launch=False,  # a task says itself whether it wants a public address
                tags={"Name": f"{self._name}-{kind}-{position}"},
                opts=self._opts(ignore=ignored),
            )
            for position, (cidr, zone) in enumerate(zip(cidrs, zones, strict=True), 1)
        ]

    def _make_table(self, kind: str) -> aws.ec2.RouteTable:
        name = f"{self._name}-{kind}-routes"
        return aws.ec2.RouteTable(name, vpc_id=self._vpc.id, tags={"Name": name}, opts=self._opts())

    def _associate(self, kind: str, subnets: Sequence[aws.ec2.Subnet], tables: Sequence[aws.ec2.RouteTable]) -> None:
        for position, (subnet, table) in enumerate(zip(subnets, tables, strict=True), 1):
            aws.ec2.RouteTableAssociation(
                f"{self._name}-{kind}-{position}-routes",
                subnet_id=subnet.id,
                route_table_id=table.id,
                opts=self._opts(),
            )

    def _make_route(
        self,
        kind: str,
        table: aws.ec2.RouteTable,
        *,
        gateway_id: pulumi.Input[str] | None = None,
        nat_gateway_id: pulumi.Input[str] | None = None,
    ) -> None:
        aws.ec2.Route(
            f"{self._name}-{kind}-way-out",
            route_table_id=table.id,
            destination_cidr_block=_ANYWHERE,
            gateway_id=gateway_id,
            nat_gateway_id=nat_gateway_id,
            opts=self._opts(),
        )

    def _make_nat(
        self, public: Sequence[aws.ec2.Subnet], gateway: aws.ec2.InternetGateway, count: int
    ) -> list[aws.ec2.NatGateway]:
        made = []
        for position, subnet in enumerate(public[:count], 1):
            name = f"{self._name}-nat-{position}"
            address = aws.ec2.Eip(
                f"{name}-address", domain="vpc", tags={"Name": f"{name}-address"}, opts=self._opts(gateway)
            )
            made.append(
                aws.ec2.NatGateway(
                    name,
                    allocation_id=address.allocation_id,
                    subnet_id=subnet.id,
                    tags={"Name": name},
                    opts=self._opts(gateway),
                )
            )
        return made

    def _make_s3_endpoint(self, region: str, tables: Sequence[aws.ec2.RouteTable]) -> aws.ec2.VpcEndpoint:
        return aws.ec2.VpcEndpoint(
            f"{self._name}-s3",
            vpc_id=self._vpc.id,
            vpc_endpoint_type="Gateway",
            service_name=f"com.amazonaws.{region}.s3",
            route_table_ids=[table.id for table in tables],
            tags={"Name": f"{self._name}-s3"},
            opts=self._opts(),
        )


def _check_zone_names(args: NetworkArgs) -> None:
    foreign = [zone for zone in args.zone_names if not zone.startswith(args.region)]
    if foreign:
        raise SettingsError(
            f"{', '.join(foreign)} is not in {args.region}.",
            why="a network lies in one region",
            next_step=f"give zones of {args.region}, such as {args.region}a.",
        )
    if len(set(args.zone_names)) != len(args.zone_names):
        raise SettingsError(
            "A zone is named twice in `zoneNames`.",
            why="two subnets of one zone fail together",
            next_step="name each zone once.",
        )
