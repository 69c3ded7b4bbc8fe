"""The network that is made: which resources, in which postures, and what is refused before anything is made.

Pulumi's engine is a recording one; that packets take these ways only an account can show.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pulumi
import pulumi_aws as aws
import pytest

from hybrid.errors import SettingsError
from infra.egress import AGENT_ENDPOINTS, PLATFORM_ENDPOINTS, Outside
from infra.endpoints import Endpoints, EndpointsArgs, PrivateLink
from infra.network import Network, NetworkArgs
from tests.unit.infra import recording
from tests.unit.infra.aws_shapes import REGION
from tests.unit.infra.recording import Made, Record

pytestmark = pytest.mark.unit

VPC = "aws:ec2/vpc:Vpc"
SUBNET = "aws:ec2/subnet:Subnet"
INTERNET = "aws:ec2/internetGateway:InternetGateway"
NAT = "aws:ec2/natGateway:NatGateway"
ADDRESS = "aws:ec2/eip:Eip"
TABLE = "aws:ec2/routeTable:RouteTable"
ASSOCIATION = "aws:ec2/routeTableAssociation:RouteTableAssociation"
ROUTE = "aws:ec2/route:Route"
ENDPOINT = "aws:ec2/vpcEndpoint:VpcEndpoint"
DEFAULT_GROUP = "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup"
GROUP = "aws:ec2/securityGroup:SecurityGroup"
INGRESS = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
EGRESS = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
ZONES = "aws:index/getAvailabilityZones:getAvailabilityZones"

CLOSED: dict[str, Any] = {
    "nat": "none",
    "outside": Outside(private_link=True, images_mirrored=True),
    "endpoints": (*PLATFORM_ENDPOINTS, *AGENT_ENDPOINTS),
}


def made(*, preview: bool = False, letters: str = "abc", **args: Any) -> Record:
    """``letters``: of the zones that the region has."""

    def build() -> Network:
        return Network("net", NetworkArgs(region=REGION, **args))

    return recording.run(build, zones=letters, preview=preview)


def way_out(record: Record, subnet: Made) -> str | None:
    """What the subnet's table sends the internet's addresses to; None when nothing."""
    (table,) = [one.inputs["routeTableId"] for one in record.of(ASSOCIATION) if one.inputs["subnetId"] == subnet.id]
    routes = [one.inputs for one in record.of(ROUTE) if one.inputs["routeTableId"] == table]
    assert len(routes) < 2, "a table has one default route"
    if not routes:
        return None
    assert routes[0]["destinationCidrBlock"] == "0.0.0.0/0"
    return routes[0].get("gatewayId") or routes[0]["natGatewayId"]


def task_subnets(record: Record) -> list[Made]:
    ids = record.value(record.result.task_subnet_ids)
    return [next(subnet for subnet in record.of(SUBNET) if subnet.id == id_) for id_ in ids]


def test_by_default_tasks_are_private_in_two_zones_behind_one_nat_gateway() -> None:
    record = made()

    assert record.counts() == {
        VPC: 1,
        DEFAULT_GROUP: 1,
        SUBNET: 4,
        INTERNET: 1,
        TABLE: 3,
        ASSOCIATION: 4,
        ROUTE: 3,
        ADDRESS: 1,
        NAT: 1,
        ENDPOINT: 1,
    }
    tasks = task_subnets(record)
    assert [subnet.name for subnet in tasks] == ["net-private-1", "net-private-2"]
    assert {way_out(record, subnet) for subnet in tasks} == {record.only(NAT).id}
    assert record.result.assign_public_ip is False, "said, never guessed"
    assert record.value(record.result.zones) == [f"{REGION}a", f"{REGION}b"]
    assert record.value(record.result.vpc_id) == record.only(VPC).id
    assert record.value(record.result.vpc_cidr) == "10.80.0.0/16"


def test_nat_stands_in_a_public_subnet_and_waits_for_the_way_to_the_internet() -> None:
    record = made()

    nat, internet = record.only(NAT), record.only(INTERNET)
    home = next(subnet for subnet in record.of(SUBNET) if subnet.id == nat.inputs["subnetId"])
    assert home.name == "net-public-1"
    assert way_out(record, home) == internet.id
    assert nat.inputs["allocationId"] == record.only(ADDRESS).id
    assert internet.name in nat.options.depends_on, "AWS refuses an address in a network that has no gateway yet"
    assert internet.name in record.only(ADDRESS).options.depends_on


@pytest.mark.parametrize("zones", [2, 3])
def test_with_nat_per_zone_no_zone_needs_another(zones: int) -> None:
    record = made(nat="per-zone", zones=zones)

    assert len(record.of(NAT)) == zones
    for subnet in task_subnets(record):
        nat = next(one for one in record.of(NAT) if one.id == way_out(record, subnet))
        home = next(one for one in record.of(SUBNET) if one.id == nat.inputs["subnetId"])
        assert home.inputs["availabilityZone"] == subnet.inputs["availabilityZone"]


def _named(letters: str) -> tuple[str, ...]:
    return tuple(f"{REGION}{letter}" for letter in letters)


def test_more_nat_gateways_later_change_routes_and_nothing_else_that_stands() -> None:
    one, each = made(nat="one"), made(nat="per-zone")

    assert {each_made.name for each_made in one.resources} < {each_made.name for each_made in each.resources}
    changed = [
        first.name
        for first in one.resources
        for second in each.resources
        if first.name == second.name and first.token == second.token and first.inputs != second.inputs
    ]
    assert changed == ["net-private-2-way-out"]


def test_public_tasks_have_addresses_of_their_own_and_cost_no_nat() -> None:
    record = made(tasks="public", nat="none")

    assert record.result.assign_public_ip is True
    assert record.of(NAT) == []
    assert record.of(ADDRESS) == []
    assert {way_out(record, subnet) for subnet in task_subnets(record)} == {record.only(INTERNET).id}
    assert len(record.of(SUBNET)) == 2, "what nobody uses is not made"


def test_subnets_keep_their_addresses_whatever_the_posture() -> None:
    cidrs = [
        {subnet.name: subnet.inputs["cidrBlock"] for subnet in record.of(SUBNET)}
        for record in (made(), made(tasks="public", nat="none"), made(**CLOSED))
    ]
    together = {name: {cidr[name] for cidr in cidrs if name in cidr} for cidr in cidrs for name in cidr}
    assert all(len(found) == 1 for found in together.values()), together


def test_a_closed_network_has_no_way_to_the_internet_at_all() -> None:
    record = made(**CLOSED)

    assert record.result.assign_public_ip is False
    assert record.of(INTERNET) == record.of(NAT) == record.of(ROUTE) == record.of(ADDRESS) == []
    assert {subnet.name for subnet in record.of(SUBNET)} == {"net-private-1", "net-private-2"}
    assert {way_out(record, subnet) for subnet in task_subnets(record)} == {None}


@pytest.mark.parametrize("args", [{}, {"tasks": "public", "nat": "none"}, CLOSED], ids=["private", "public", "closed"])
def test_s3_is_reached_by_its_gateway_from_every_subnet_of_tasks(args: dict[str, Any]) -> None:
    record = made(**args)

    endpoint = record.only(ENDPOINT)
    assert endpoint.inputs["vpcEndpointType"] == "Gateway"
    assert endpoint.inputs["serviceName"] == f"com.amazonaws.{REGION}.s3"
    assert set(endpoint.inputs["routeTableIds"]) == {table.id for table in record.of(TABLE)}
    assert record.value(record.result.s3_prefix_list_id).startswith("pl-")


def test_names_of_code_servers_resolve() -> None:
    vpc = made().only(VPC).inputs

    assert vpc["enableDnsSupport"] is vpc["enableDnsHostnames"] is True, "Cloud Map needs both"


def test_the_vpcs_own_default_group_lets_nothing_through() -> None:
    group = made().only(DEFAULT_GROUP)

    assert group.inputs["ingress"] == group.inputs["egress"] == []
    assert group.inputs["vpcId"] == made().only(VPC).id


@pytest.mark.parametrize("args", [{}, {"tasks": "public", "nat": "none"}], ids=["private", "public"])
def test_no_subnet_gives_out_public_addresses_by_itself(args: dict[str, Any]) -> None:
    assert {subnet.inputs["mapPublicIpOnLaunch"] for subnet in made(**args).of(SUBNET)} == {False}


def test_zones_that_were_looked_up_move_no_subnet_later_and_zones_that_were_named_do() -> None:
    assert {one.options.ignore_changes for one in made().of(SUBNET)} == {("availabilityZone",)}
    assert {one.options.ignore_changes for one in made(zone_names=_named("bc")).of(SUBNET)} == {()}


def test_only_zones_that_are_open_to_all_and_have_fargate_are_looked_up() -> None:
    (asked,) = made().asked(ZONES)

    assert asked["state"] == "available"
    assert asked["filters"] == [{"name": "opt-in-status", "values": ["opt-in-not-required"]}]
    assert "apne1-az3" in asked["excludeZoneIds"]


def test_named_zones_are_used_and_nothing_is_looked_up() -> None:
    record = made(zone_names=_named("cab"))

    assert record.asked(ZONES) == []
    assert record.value(record.result.zones) == list(_named("cab"))


def test_subnets_of_the_teams_own_are_used() -> None:
    record = made(
        cidr="10.0.0.0/16",
        public_subnets=("10.0.0.0/26", "10.0.0.64/26"),
        private_subnets=("10.0.1.0/24", "10.0.2.0/24"),
    )

    assert [subnet.inputs["cidrBlock"] for subnet in task_subnets(record)] == ["10.0.1.0/24", "10.0.2.0/24"]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ({"cidr": "10.0.0.0/25"}, "too small"),
        ({"zones": 1}, "when a zone fails"),
        ({"zone_names": _named("a")}, "when a zone fails"),
        ({"zone_names": _named("aa")}, "named twice"),
        ({"zone_names": ("us-east-1a", "us-east-1b")}, "us-east-1a, us-east-1b is not in eu-west-1"),
        ({"nat": "none"}, "no way out"),
        ({"tasks": "public"}, "serve nobody"),
        ({**CLOSED, "endpoints": ("com.amazonaws.eu-west-1.ecr.api",)}, "endpoints for ecr.dkr, logs"),
        ({"cidr": "10.0.0.0/16", "apart_from": ("10.0.0.0/8",)}, "overlaps"),
    ],
)
def test_what_is_wrong_is_refused_before_anything_is_made(args: dict[str, Any], said: str) -> None:
    seen: list[Any] = []

    def build() -> None:
        try:
            Network("net", NetworkArgs(region=REGION, **args))
        except SettingsError as error:
            seen.append(error)

    record = recording.run(build)

    assert said in seen[0].sentence()
    assert seen[0].next_step
    assert record.resources == []


def test_a_region_with_too_few_zones_is_refused_with_their_names() -> None:
    with pytest.raises(SettingsError, match="has 2 availability zones for Fargate now: eu-west-1a, eu-west-1b"):
        made(zones=3, letters="ab")


def everything() -> list[tuple[str, Callable[[], Any]]]:
    def with_endpoints() -> None:
        network = Network("net", NetworkArgs(region=REGION, **CLOSED))
        Endpoints("ends", endpoints_args(network))

    return [
        ("private", lambda: Network("net", NetworkArgs(region=REGION, nat="per-zone"))),
        ("public", lambda: Network("net", NetworkArgs(region=REGION, tasks="public", nat="none"))),
        ("closed", with_endpoints),
    ]


def endpoints_args(network: Network, **args: Any) -> EndpointsArgs:
    given: dict[str, Any] = {
        "vpc_id": network.vpc_id,
        "subnet_ids": network.task_subnet_ids,
        "region": REGION,
        "clients": {"agent": "sg-agent", "code": "sg-code"},
        "services": CLOSED["endpoints"],
    }
    return EndpointsArgs(**(given | args))


@pytest.mark.parametrize("build", [build for _, build in everything()], ids=[name for name, _ in everything()])
def test_everything_is_named_tagged_and_below_its_component(build: Callable[[], Any]) -> None:
    record = recording.run(build)

    names = [(one.token, one.name) for one in record.resources]
    assert len(names) == len(set(names))
    for one in record.resources:
        if one.is_component:
            continue
        assert one.parent in ("net", "ends"), one.name
        assert one.name.startswith(f"{one.parent}-")
        if one.token not in (ROUTE, ASSOCIATION):
            assert one.inputs["tags"] == {"Name": one.name}, "what the console shows"


def test_all_of_it_goes_by_the_provider_that_the_component_was_given() -> None:
    def build() -> None:
        provider = aws.Provider("aws", region=REGION)
        Network("net", NetworkArgs(region=REGION), pulumi.ResourceOptions(provider=provider))

    record = recording.run(build)

    assert {one.options.provider for one in record.resources if one.name.startswith("net-")} == {"aws"}


def test_a_preview_of_a_new_network_knows_what_it_can() -> None:
    record = made(preview=True)

    assert record.result.assign_public_ip is False
    assert not record.is_known(record.result.task_subnet_ids)
    assert record.value(record.result.vpc_cidr) == "10.80.0.0/16"


def ends(**args: Any) -> Record:
    def build() -> Endpoints:
        return Endpoints("ends", endpoints_args(Network("net", NetworkArgs(region=REGION, **CLOSED)), **args))

    return recording.run(build)


def test_interface_endpoints_stand_in_every_subnet_of_tasks_with_the_services_own_names() -> None:
    record = ends()

    made_ = [one for one in record.of(ENDPOINT) if one.inputs["vpcEndpointType"] == "Interface"]
    assert {one.inputs["serviceName"] for one in made_} == {
        f"com.amazonaws.{REGION}.{service}" for service in CLOSED["endpoints"]
    }
    group = next(one for one in record.of(GROUP) if one.name == "ends-group")
    for one in made_:
        assert len(one.inputs["subnetIds"]) == 2
        assert one.inputs["privateDnsEnabled"] is True, "programs call the service by its usual name"
        assert one.inputs["securityGroupIds"] == [group.id]


def test_endpoints_take_https_from_the_tasks_groups_and_nothing_else() -> None:
    record = ends()

    group = next(one for one in record.of(GROUP) if one.name == "ends-group")
    taken = [one.inputs for one in record.of(INGRESS)]
    assert {rule["securityGroupId"] for rule in taken} == {group.id}
    assert {rule["referencedSecurityGroupId"] for rule in taken} == {"sg-agent", "sg-code"}
    assert {(rule["ipProtocol"], rule["fromPort"], rule["toPort"]) for rule in taken} == {("tcp", 443, 443)}
    assert record.of(EGRESS) == [], "answers need no rule, and an endpoint begins nothing"


def test_groups_that_let_out_only_what_is_listed_are_let_out_to_endpoints() -> None:
    record = ends(clients_are_restricted=True)

    group = next(one for one in record.of(GROUP) if one.name == "ends-group")
    ways = [one.inputs for one in record.of(EGRESS)]
    assert {way["securityGroupId"] for way in ways} == {"sg-agent", "sg-code"}
    assert {(way["referencedSecurityGroupId"], way["fromPort"]) for way in ways} == {(group.id, 443)}


def test_a_private_link_to_another_account_is_an_endpoint_too() -> None:
    name = f"com.amazonaws.vpce.{REGION}.vpce-svc-0123456789abcdef0"
    record = ends(services=(), private_links=[PrivateLink("dagster-plus", name, private_dns=False)])

    link = record.named("ends-dagster-plus").inputs
    assert (link["serviceName"], link["privateDnsEnabled"]) == (name, False)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ({"services": ("logs", f"com.amazonaws.{REGION}.logs")}, "'logs' is given more than once"),
        ({"services": ("nonsense",)}, "short name 'nonsense'"),
        (
            {"private_links": [PrivateLink("plus", "com.amazonaws.vpce.us-west-2.vpce-svc-1")]},
            "is of us-west-2; the network is in eu-west-1",
        ),
    ],
)
def test_wrong_endpoints_are_refused(args: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        ends(**args)
    assert said in caught.value.sentence()
