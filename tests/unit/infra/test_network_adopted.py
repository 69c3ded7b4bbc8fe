"""A network of somebody else's: how it is found, and what of it is refused.

AWS's answers are given here; that they look so, the provider-level tests and an account show.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pulumi
import pytest

from hybrid.errors import SettingsError
from infra.adopted_network import AdoptedNetwork, AdoptedNetworkArgs, ByIds, ByStack, ByTags
from infra.egress import AGENT_ENDPOINTS, PLATFORM_ENDPOINTS, Outside
from infra.network_facts import SubnetFacts, VpcFacts, check
from tests.unit.infra import recording
from tests.unit.infra.recording import Record

pytestmark = pytest.mark.unit

VPC = VpcFacts("vpc-1", "10.0.0.0/16", dns_support=True, dns_hostnames=True)
STACK = "acme/network/prod"


def subnet(letter: str, way_out: str | None = "nat-1", *, vpc: str = "vpc-1", free: int = 200) -> SubnetFacts:
    return SubnetFacts(f"subnet-{letter}", vpc, f"eu-west-1{letter}", way_out, free)


PRIVATE = [subnet("a"), subnet("b")]
PUBLIC = [subnet("a", "igw-1"), subnet("b", "igw-1")]
CLOSED = [subnet("a", None), subnet("b", None)]
ALL_ENDPOINTS = (*PLATFORM_ENDPOINTS, *AGENT_ENDPOINTS)
LINKED = Outside(private_link=True, images_mirrored=True)


@pytest.mark.parametrize(
    ("subnets", "tasks", "outside", "endpoints"),
    [
        (PRIVATE, "private", Outside(), ()),
        ([subnet("a", "tgw-1"), subnet("b", "tgw-1")], "private", Outside(), ()),
        (PUBLIC, "public", Outside(), ()),
        (CLOSED, "private", LINKED, ALL_ENDPOINTS),
        ([*PRIVATE, subnet("c")], "private", Outside(), ()),
    ],
    ids=["nat", "transit gateway", "public", "closed", "three zones"],
)
def test_a_network_that_fits_is_taken(subnets, tasks, outside, endpoints) -> None:
    check(VPC, subnets, tasks, outside, endpoints)


@pytest.mark.parametrize(
    ("vpc", "subnets", "tasks", "said"),
    [
        (VPC, [subnet("a"), subnet("b", vpc="vpc-2")], "private", "subnet-b belongs to vpc-2"),
        (VPC, [subnet("a")], "private", "in 1 availability zone (eu-west-1a)"),
        (VPC, [subnet("a"), replace(subnet("b"), zone="eu-west-1a")], "private", "in 1 availability zone"),
        (VPC, [], "private", "(none) lie in 0 availability zones."),
        (replace(VPC, dns_support=False), PRIVATE, "private", "enableDnsSupport is off"),
        (replace(VPC, dns_hostnames=False), PRIVATE, "private", "enableDnsHostnames is off"),
        (
            replace(VPC, dns_support=False, dns_hostnames=False),
            PRIVATE,
            "private",
            "enableDnsSupport and enableDnsHostnames are off",
        ),
        (VPC, PRIVATE, "public", "subnet-a is not public (it sends 0.0.0.0/0 to nat-1)"),
        (VPC, CLOSED, "public", "subnet-a is not public (it sends 0.0.0.0/0 nowhere)"),
        (VPC, [subnet("a"), subnet("b", "igw-1")], "private", "subnet-b is public (it sends 0.0.0.0/0 to igw-1)"),
        (VPC, CLOSED, "private", "(subnet-a, subnet-b) gives its tasks no way out"),
        (VPC, [subnet("a"), subnet("b", None)], "private", "(subnet-b) gives its tasks no way out"),
    ],
)
def test_a_network_in_which_tasks_would_fail_is_refused_with_the_reason(vpc, subnets, tasks, said) -> None:
    with pytest.raises(SettingsError) as caught:
        check(vpc, subnets, tasks, Outside(), ())
    assert said in caught.value.sentence()
    assert caught.value.next_step


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        check(replace(VPC, dns_hostnames=False), PUBLIC, "private", Outside(), ())
    assert len((caught.value.why or "").splitlines()) == 3


class Account:
    """What AWS answers about the networks of a test."""

    def __init__(self, vpc: VpcFacts = VPC, subnets: list[SubnetFacts] = PRIVATE, *, main: bool = False) -> None:
        self.vpc = vpc
        self.subnets = {one.id: one for one in subnets}
        self.on_main = main
        self.outputs: Mapping[str, Any] = {}

    def answers(self) -> dict[str, recording.Answer]:
        return {
            "aws:ec2/getVpc:getVpc": lambda asked: {
                "id": self.vpc.id,
                "cidrBlock": self.vpc.cidr,
                "enableDnsSupport": self.vpc.dns_support,
                "enableDnsHostnames": self.vpc.dns_hostnames,
                "mainRouteTableId": "rtb-main",
            },
            "aws:ec2/getSubnets:getSubnets": {"id": "eu-west-1", "ids": sorted(self.subnets, reverse=True)},
            "aws:ec2/getSubnet:getSubnet": lambda asked: self._subnet(asked["id"]),
            "aws:ec2/getRouteTables:getRouteTables": self._tables,
            "aws:ec2/getRouteTable:getRouteTable": self._table,
            "pulumi:pulumi:StackReference": lambda asked: {"outputs": self.outputs, "secretOutputNames": []},
        }

    def _subnet(self, id_: str) -> dict[str, Any]:
        one = self.subnets[id_]
        return {
            "id": id_,
            "vpcId": one.vpc_id,
            "availabilityZone": one.zone,
            "availableIpAddressCount": one.free_addresses,
        }

    def _tables(self, asked: dict[str, Any]) -> dict[str, Any]:
        (filter_,) = asked["filters"]
        assert filter_["name"] == "association.subnet-id"
        return {"id": "eu-west-1", "ids": [] if self.on_main else [f"rtb-{filter_['values'][0]}"]}

    def _table(self, asked: dict[str, Any]) -> dict[str, Any]:
        id_ = asked["routeTableId"]
        subnet_id = next(iter(self.subnets)) if id_ == "rtb-main" else id_.removeprefix("rtb-")
        way_out = self.subnets[subnet_id].way_out
        key = {"igw": "gatewayId", "nat": "natGatewayId", "tgw": "transitGatewayId"}
        routes = [{"cidrBlock": "10.0.0.0/16", "gatewayId": "local"}]
        if way_out:
            routes.append({"cidrBlock": "0.0.0.0/0", key[way_out[:3]]: way_out})
        return {"id": id_, "routes": [{**_NO_ROUTE, **route} for route in routes]}


_NO_ROUTE = dict.fromkeys(
    (
        "carrierGatewayId",
        "cidrBlock",
        "coreNetworkArn",
        "destinationPrefixListId",
        "egressOnlyGatewayId",
        "gatewayId",
        "instanceId",
        "ipv6CidrBlock",
        "localGatewayId",
        "natGatewayId",
        "networkInterfaceId",
        "odbNetworkArn",
        "transitGatewayId",
        "vpcEndpointId",
        "vpcPeeringConnectionId",
    ),
    "",
)

BY_IDS = ByIds("vpc-1", ("subnet-a", "subnet-b"))
BY_TAGS = ByTags({"Name": "main"}, {"Tier": "private"})
BY_STACK = ByStack(STACK)
OUTPUTS = {"vpcId": "vpc-1", "privateSubnetIds": ["subnet-a", "subnet-b"]}


def adopted(where: Any, account: Account, *, public: bool = False, preview: bool = True, **args: Any) -> Record:
    def build() -> AdoptedNetwork:
        return AdoptedNetwork("net", AdoptedNetworkArgs(where, assign_public_ip=public, **args))

    return recording.run(build, answers=account.answers(), preview=preview)


@pytest.mark.parametrize("where", [BY_IDS, BY_TAGS, BY_STACK], ids=["ids", "tags", "stack"])
@pytest.mark.parametrize("preview", [True, False], ids=["preview", "update"])
def test_a_network_is_found_and_nothing_is_made(where: Any, preview: bool) -> None:
    account = Account()
    account.outputs = OUTPUTS
    record = adopted(where, account, preview=preview)

    network = record.result
    assert record.value(network.vpc_id) == "vpc-1"
    assert record.value(network.vpc_cidr) == "10.0.0.0/16"
    assert record.value(network.task_subnet_ids) == ["subnet-a", "subnet-b"]
    assert record.value(network.zones) == ["eu-west-1a", "eu-west-1b"]
    assert network.assign_public_ip is False
    made = {one.token for one in record.resources if not one.is_component and not one.options.imported}
    assert made == set(), "nothing of it is ours"


def test_subnets_are_looked_for_in_the_vpc_that_was_found() -> None:
    record = adopted(BY_TAGS, Account())

    (asked,) = record.asked("aws:ec2/getSubnets:getSubnets")
    assert asked["filters"] == [{"name": "vpc-id", "values": ["vpc-1"]}]
    assert asked["tags"] == {"Tier": "private"}


def test_outputs_of_a_stack_may_have_other_names() -> None:
    account = Account(subnets=PUBLIC)
    account.outputs = {"network": "vpc-1", "publicSubnetIds": ["subnet-b", "subnet-a"]}
    where = ByStack(STACK, vpc_id_output="network", subnet_ids_output="publicSubnetIds")
    record = adopted(where, account, public=True)

    assert record.value(record.result.task_subnet_ids) == ["subnet-b", "subnet-a"], "in the order they were given"
    assert record.result.assign_public_ip is True


def test_a_subnet_without_a_table_of_its_own_goes_by_the_main_one() -> None:
    # the main table is that of the first subnet here
    with pytest.raises(SettingsError) as caught:
        adopted(BY_IDS, Account(subnets=[subnet("a", "igw-1"), subnet("b", "nat-1")], main=True))
    assert "subnet-b is public" in caught.value.sentence()
    assert adopted(BY_IDS, Account(subnets=[subnet("a", "nat-1"), subnet("b", "igw-1")], main=True)).result


def test_what_does_not_fit_is_refused_already_at_preview() -> None:
    with pytest.raises(SettingsError, match="enableDnsHostnames is off"):
        adopted(BY_IDS, Account(replace(VPC, dns_hostnames=False)))
    with pytest.raises(SettingsError, match="Not all subnets belong to vpc-1"):
        adopted(BY_IDS, Account(subnets=[subnet("a"), subnet("b", vpc="vpc-2")]))
    with pytest.raises(SettingsError, match="no way out"):
        adopted(BY_IDS, Account(subnets=CLOSED))


def test_a_closed_network_is_taken_with_all_that_it_needs() -> None:
    endpoints = tuple(f"com.amazonaws.eu-west-1.{service}" for service in ALL_ENDPOINTS)
    assert adopted(BY_IDS, Account(subnets=CLOSED), outside=LINKED, endpoints=endpoints).result


def test_subnets_with_little_room_are_told_of_and_taken() -> None:
    record = adopted(BY_IDS, Account(subnets=[subnet("a", free=3), subnet("b")]))

    assert record.warnings == [
        "subnet-a has 3 free addresses: each task takes one, and an update starts new ones beside the old"
    ]


@pytest.mark.parametrize(
    ("outputs", "said"),
    [
        ({}, "has no output 'vpcId' that is a text"),
        ({"vpcId": "vpc-1"}, "has no output 'privateSubnetIds' that is a list of texts"),
        ({**OUTPUTS, "privateSubnetIds": "subnet-a"}, "it is 'subnet-a'"),
        ({**OUTPUTS, "privateSubnetIds": []}, "it is []"),
    ],
)
def test_outputs_that_are_not_there_are_told_by_name(outputs: dict[str, Any], said: str) -> None:
    account = Account()
    account.outputs = outputs
    with pytest.raises(pulumi.RunError) as caught:
        adopted(BY_STACK, account)
    assert said in str(caught.value)
    assert "Next: " in str(caught.value)


def test_a_network_of_a_stack_is_looked_at_like_any_other() -> None:
    account = Account(subnets=PUBLIC)
    account.outputs = OUTPUTS
    with pytest.raises(pulumi.RunError, match="subnet-a is public"):
        adopted(BY_STACK, account)


@pytest.mark.parametrize(
    ("where", "said"),
    [
        (ByIds("vpc-1", ("subnet-a", "subnet-a")), "named twice"),
        (ByStack("prod"), "no full name of a stack"),
    ],
)
def test_wrong_names_are_refused_before_anything_is_asked(where: Any, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        adopted(where, Account())


def test_tags_that_no_subnet_has_are_refused() -> None:
    with pytest.raises(SettingsError, match="No subnet of vpc-1 has the tags"):
        adopted(BY_TAGS, Account(subnets=[]))


@pytest.mark.parametrize(
    ("where", "token", "said"),
    [
        (BY_IDS, "aws:ec2/getVpc:getVpc", "The VPC vpc-1 could not be looked up."),
        (BY_TAGS, "aws:ec2/getVpc:getVpc", "No one VPC was found by its tags {'Name': 'main'}."),
        (BY_IDS, "aws:ec2/getSubnet:getSubnet", "The subnet subnet-a could not be looked up."),
    ],
)
def test_what_aws_does_not_find_is_told_in_words_of_ours(where: Any, token: str, said: str) -> None:
    account = Account()
    answers = {**account.answers(), token: recording.Refused("no matching EC2 thing found")}

    with pytest.raises(SettingsError) as caught:
        recording.run(lambda: AdoptedNetwork("net", AdoptedNetworkArgs(where, assign_public_ip=False)), answers=answers)
    assert said in caught.value.sentence()
    assert "no matching EC2 thing found" in caught.value.sentence(), "and what AWS said"
    assert caught.value.next_step
