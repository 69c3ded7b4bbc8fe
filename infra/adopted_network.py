"""A network that was there before: found by ids, by tags or in another stack's outputs, and looked at before use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import pulumi
import pulumi_aws as aws

from hybrid.errors import SettingsError
from infra.egress import Outside, Placement
from infra.endpoints import short_name
from infra.late_errors import told
from infra.network import AnyNetwork
from infra.network_facts import SubnetFacts, VpcFacts, check, crowded

_ANYWHERE: Final = "0.0.0.0/0"
_MAY_LOOK: Final = "see that it is there, in this region and account, and that you may describe it."

# What the default route of a table can lead to, first found counts.
_WAYS: Final = (
    "gateway_id",
    "nat_gateway_id",
    "transit_gateway_id",
    "network_interface_id",
    "vpc_peering_connection_id",
    "vpc_endpoint_id",
    "core_network_arn",
    "local_gateway_id",
    "carrier_gateway_id",
)


@dataclass(frozen=True)
class ByIds:
    """The VPC and its subnets for agent and code."""

    vpc_id: str
    subnet_ids: Sequence[str]


@dataclass(frozen=True)
class ByTags:
    """Tags that exactly one VPC of the region has, and those of its subnets for agent and code."""

    vpc_tags: Mapping[str, str]
    subnet_tags: Mapping[str, str]


@dataclass(frozen=True)
class ByStack:
    """Outputs of another Pulumi stack."""

    stack: str
    """Its full name: ``organization/project/stack``."""
    vpc_id_output: str = "vpcId"
    """The VPC's id; ``vpcId`` is what awsx's network and most programs after it export."""
    subnet_ids_output: str = "privateSubnetIds"
    """The list of the subnets' ids; ``publicSubnetIds`` there for public ones."""


Where: TypeAlias = ByIds | ByTags | ByStack


@dataclass(frozen=True)
class AdoptedNetworkArgs:
    """Which network, and what is said of it. What AWS says otherwise is a ``SettingsError``, at preview."""

    where: Where
    assign_public_ip: bool
    """Whether tasks get public addresses; true exactly when their subnets lead to an internet gateway."""
    outside: Outside = field(default_factory=Outside)
    """What stands in for a way out, where private subnets have none."""
    endpoints: Sequence[str] = ()
    """Interface endpoints that the network has or gets; they count where its subnets have no way out."""


class AdoptedNetwork(AnyNetwork):
    """A network of somebody else's: nothing of it is made or changed.

    Looked at on every preview and update: that the subnets are the VPC's, lie in two zones or more, are public or
    private as said, have room, and that names of a private DNS namespace resolve.
    """

    def __init__(self, name: str, args: AdoptedNetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        _check_names(args.where)
        super().__init__("dagsterhybrid:infra:AdoptedNetwork", name, None, opts)
        self._asking = pulumi.InvokeOptions(parent=self)
        tasks: Placement = "public" if args.assign_public_ip else "private"
        endpoints = [short_name(service) for service in args.endpoints]

        def looked_up(both: Sequence[Any]) -> tuple[VpcFacts, list[SubnetFacts]]:
            vpc, subnets = self._facts(both[0], both[1])
            check(vpc, subnets, tasks, args.outside, endpoints)
            for line in crowded(subnets):
                pulumi.log.warn(line, self)
            return vpc, subnets

        vpc_id, subnet_ids = self._ids(name, args.where)
        fit: pulumi.Output[tuple[VpcFacts, list[SubnetFacts]]]
        if isinstance(vpc_id, str) and isinstance(subnet_ids, list):
            found = looked_up((vpc_id, subnet_ids))
            fit = pulumi.Output.from_input("").apply(lambda _: found)
        else:
            fit = pulumi.Output.all(vpc_id, subnet_ids).apply(told(looked_up))
        self.assign_public_ip = args.assign_public_ip
        self.vpc_id = fit.apply(lambda both: both[0].id)
        self.vpc_cidr = fit.apply(lambda both: both[0].cidr)
        self.task_subnet_ids = fit.apply(lambda both: [subnet.id for subnet in both[1]])
        self.zones = fit.apply(lambda both: [subnet.zone for subnet in both[1]])
        self.register_outputs({"vpcId": self.vpc_id, "taskSubnetIds": self.task_subnet_ids})

    def _ids(self, name: str, where: Where) -> tuple[pulumi.Input[str], pulumi.Input[list[str]]]:
        """The VPC's id and those of its subnets."""
        match where:
            case ByIds():
                return where.vpc_id, list(where.subnet_ids)
            case ByTags():
                return self._ids_by_tags(where)
            case ByStack():
                inside = pulumi.ResourceOptions(parent=self)
                stack = pulumi.StackReference(f"{name}-stack", stack_name=where.stack, opts=inside)
                return (
                    stack.get_output(where.vpc_id_output).apply(told(lambda found: _vpc_id_of(where, found))),
                    stack.get_output(where.subnet_ids_output).apply(told(lambda found: _subnet_ids_of(where, found))),
                )

    def _ids_by_tags(self, where: ByTags) -> tuple[str, list[str]]:
        with _said(f"No one VPC was found by its tags {dict(where.vpc_tags)}.", "give tags that exactly one VPC has."):
            vpc = aws.ec2.get_vpc(tags=dict(where.vpc_tags), opts=self._asking)
        with _said(f"The subnets of {vpc.id} could not be looked up.", _MAY_LOOK):
            subnets = aws.ec2.get_subnets(
                filters=[aws.ec2.GetSubnetsFilterArgs(name="vpc-id", values=[vpc.id])],
                tags=dict(where.subnet_tags),
                opts=self._asking,
            )
        if not subnets.ids:
            raise SettingsError(
                f"No subnet of {vpc.id} has the tags {dict(where.subnet_tags)}.",
                next_step="give tags that the subnets for agent and code have.",
            )
        return vpc.id, sorted(subnets.ids)

    def _facts(self, vpc_id: str, subnet_ids: Sequence[str]) -> tuple[VpcFacts, list[SubnetFacts]]:
        with _said(f"The VPC {vpc_id} could not be looked up.", _MAY_LOOK):
            vpc = aws.ec2.get_vpc(id=vpc_id, opts=self._asking)
        facts = VpcFacts(
            id=vpc.id,
            cidr=vpc.cidr_block,
            dns_support=vpc.enable_dns_support,
            dns_hostnames=vpc.enable_dns_hostnames,
        )
        return facts, [self._subnet(subnet_id, vpc) for subnet_id in subnet_ids]

    def _subnet(self, subnet_id: str, vpc: Any) -> SubnetFacts:
        with _said(f"The subnet {subnet_id} could not be looked up.", _MAY_LOOK):
            subnet = aws.ec2.get_subnet(id=subnet_id, opts=self._asking)
            # the routes of another VPC's subnet are of no interest: it is refused
            way_out = self._way_out(subnet_id, vpc) if subnet.vpc_id == vpc.id else None
        return SubnetFacts(
            id=subnet_id,
            vpc_id=subnet.vpc_id,
            zone=subnet.availability_zone,
            way_out=way_out,
            free_addresses=subnet.available_ip_address_count,
        )

    def _way_out(self, subnet_id: str, vpc: Any) -> str | None:
        """By the subnet's own route table, else by the VPC's main one, which is the table of subnets that name none."""
        own = aws.ec2.get_route_tables(
            vpc_id=vpc.id,
            filters=[aws.ec2.GetRouteTablesFilterArgs(name="association.subnet-id", values=[subnet_id])],
            opts=self._asking,
        )
        table_id = own.ids[0] if own.ids else vpc.main_route_table_id
        table = aws.ec2.get_route_table(route_table_id=table_id, opts=self._asking)
        for route in table.routes:
            if route.cidr_block == _ANYWHERE:
                return next((str(way) for name in _WAYS if (way := getattr(route, name))), "elsewhere")
        return None


@contextmanager
def _said(what: str, next_step: str) -> Iterator[None]:
    """A look-up that failed, in words of ours; Pulumi raises a bare ``Exception`` for it."""
    try:
        yield
    except Exception as error:
        if not str(error).startswith("invoke of "):
            raise
        raise SettingsError(what, why=str(error), next_step=next_step) from None


def _check_names(where: Where) -> None:
    if isinstance(where, ByIds) and len(set(where.subnet_ids)) != len(where.subnet_ids):
        raise SettingsError(
            "A subnet is named twice in `subnetIds`.", why="a task runs in one of them", next_step="name each once."
        )
    if isinstance(where, ByStack) and where.stack.count("/") != 2:
        raise SettingsError(
            f"{where.stack!r} is no full name of a stack.",
            why="a stack of another project is found by organization/project/stack only",
            next_step="give all three parts; the organization of a local or S3 backend is `organization`.",
        )


def _vpc_id_of(where: ByStack, found: Any) -> str:
    if isinstance(found, str) and found:
        return found
    raise _not_there(where, where.vpc_id_output, "a text", found)


def _subnet_ids_of(where: ByStack, found: Any) -> list[str]:
    if isinstance(found, list | tuple) and found and all(isinstance(one, str) for one in found):
        return list(found)
    raise _not_there(where, where.subnet_ids_output, "a list of texts", found)


def _not_there(where: ByStack, output: str, wanted: str, found: Any) -> SettingsError:
    return SettingsError(
        f"The stack {where.stack} has no output {output!r} that is {wanted}.",
        why="there is none of that name" if found is None else f"it is {found!r}",
        next_step="bring that stack up, or name the output that has it.",
    )
