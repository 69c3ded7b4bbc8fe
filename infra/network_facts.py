"""What an adopted network is like, and what of it would make tasks fail. Pure: facts in, sentences out."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from hybrid.errors import SettingsError
from infra.addresses import LEAST_ZONES
from infra.egress import Outside, Placement, check_closed

_FEW: Final = 8


@dataclass(frozen=True)
class VpcFacts:
    """A VPC as AWS describes it."""

    id: str
    cidr: str
    dns_support: bool
    dns_hostnames: bool


@dataclass(frozen=True)
class SubnetFacts:
    """A subnet as AWS describes it."""

    id: str
    vpc_id: str
    zone: str
    way_out: str | None
    """What its route table sends 0.0.0.0/0 to (``igw-…``, ``nat-…``, ``tgw-…``); None without such a route."""
    free_addresses: int


def check(
    vpc: VpcFacts,
    subnets: Sequence[SubnetFacts],
    tasks: Placement,
    outside: Outside,
    endpoints: Collection[str],
) -> None:
    """Raise ``SettingsError``, with all that is wrong at once, unless agent and code can run in these subnets.

    ``endpoints``: short names of the interface endpoints that the network has or gets; they count only for private
    subnets without a way out.
    """
    _check_subnets(vpc, subnets)
    found = [*_dns(vpc), *_routes(subnets, tasks)]
    if found:
        raise SettingsError(
            f"Agent and code cannot run in {vpc.id} as it is.",
            why="\n".join(f"- {line}" for line in found),
            next_step="change the network, or name subnets that fit.",
        )
    closed = [subnet.id for subnet in subnets if subnet.way_out is None]
    if closed:
        check_closed(outside, endpoints, network=f"The network {vpc.id} ({', '.join(closed)})")


def _check_subnets(vpc: VpcFacts, subnets: Sequence[SubnetFacts]) -> None:
    foreign = [subnet for subnet in subnets if subnet.vpc_id != vpc.id]
    if foreign:
        raise SettingsError(
            f"Not all subnets belong to {vpc.id}.",
            why="\n".join(f"- {subnet.id} belongs to {subnet.vpc_id}" for subnet in foreign),
            next_step=f"name subnets of {vpc.id}, or the VPC that they belong to.",
        )
    zones = sorted({subnet.zone for subnet in subnets})
    if len(zones) < LEAST_ZONES:
        named = ", ".join(subnet.id for subnet in subnets) or "none"
        raise SettingsError(
            f"The subnets for tasks ({named}) lie in {len(zones)} availability zone{'' if len(zones) == 1 else 's'}"
            + (f" ({zones[0]})." if zones else "."),
            why="when a zone fails, all that runs in it does: the agent, code servers and runs",
            next_step=f"name subnets in {LEAST_ZONES} zones or more.",
        )


def _dns(vpc: VpcFacts) -> list[str]:
    """The agent finds code servers by names of a private namespace, which resolve with both attributes only:
    https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/hosted-zone-private-considerations.html"""
    missing = [
        name
        for name, is_on in (("enableDnsSupport", vpc.dns_support), ("enableDnsHostnames", vpc.dns_hostnames))
        if not is_on
    ]
    if not missing:
        return []
    return [
        f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} off: the agent would not find code servers by "
        f"their names (`aws ec2 modify-vpc-attribute --vpc-id {vpc.id}`)"
    ]


def _routes(subnets: Sequence[SubnetFacts], tasks: Placement) -> list[str]:
    found = []
    for subnet in subnets:
        is_public = subnet.way_out is not None and subnet.way_out.startswith("igw-")
        if tasks == "public" and not is_public:
            leads = f"0.0.0.0/0 to {subnet.way_out}" if subnet.way_out else "0.0.0.0/0 nowhere"
            found.append(
                f"{subnet.id} is not public (it sends {leads}): tasks with public addresses would not get out; "
                "set `assignPublicIp: false`, or name subnets behind an internet gateway"
            )
        if tasks == "private" and is_public:
            found.append(
                f"{subnet.id} is public (it sends 0.0.0.0/0 to {subnet.way_out}): tasks without public addresses would "
                "not get out; set `assignPublicIp: true`, or name subnets behind NAT"
            )
    return found


def crowded(subnets: Sequence[SubnetFacts]) -> list[str]:
    """Sentences about subnets with little room. No error: what takes it may be the stack's own tasks."""
    return [
        f"{subnet.id} has {subnet.free_addresses} free addresses: each task takes one, and an update starts new ones "
        "beside the old"
        for subnet in subnets
        if subnet.free_addresses < _FEW
    ]
