"""The division of a network into subnets, and the posture of its tasks: pure functions, by properties and by table.

That AWS takes such networks is its documented limits' word, not tried here.
"""

from __future__ import annotations

from ipaddress import IPv4Network, collapse_addresses
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.errors import SettingsError
from infra.addresses import plan, usable
from infra.egress import AGENT_ENDPOINTS, PLATFORM_ENDPOINTS, Outside, decided, needed_endpoints
from infra.endpoints import KNOWN, service_name, short_name

pytestmark = pytest.mark.unit


@st.composite
def networks(draw: st.DrawFn) -> IPv4Network:
    """Private networks of the sizes that are taken."""
    block = IPv4Network(draw(st.sampled_from(["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"])))
    prefix = draw(st.integers(min_value=16, max_value=24))
    position = draw(st.integers(min_value=0, max_value=2 ** (prefix - block.prefixlen) - 1))
    return IPv4Network((int(block.network_address) + (position << (32 - prefix)), prefix))


@given(networks(), st.sampled_from([2, 3]))
def test_subnets_lie_in_the_network_apart_from_each_other_and_are_what_aws_makes(
    whole: IPv4Network, zones: int
) -> None:
    made = plan(str(whole), zones)

    subnets = [IPv4Network(cidr) for cidr in (*made.public, *made.private)]
    assert len(made.public) == len(made.private) == zones
    assert all(subnet.subnet_of(whole) for subnet in subnets)
    assert not any(one.overlaps(other) for one, other in combinations(subnets, 2))
    assert all(16 <= subnet.prefixlen <= 28 for subnet in subnets)
    assert all(usable(str(subnet)) >= 27 for subnet in subnets), "each task takes an address"


@given(networks())
def test_a_third_zone_moves_none_of_the_first_two(whole: IPv4Network) -> None:
    two, three = plan(str(whole), 2), plan(str(whole), 3)

    assert three.public[:2] == two.public, "a moved subnet is a replaced one, with all that runs in it"
    assert three.private[:2] == two.private


@given(networks())
def test_a_zone_is_one_block_and_a_quarter_stays_free(whole: IPv4Network) -> None:
    made = plan(str(whole), 3)

    for public, private in zip(made.public, made.private, strict=True):
        (block,) = collapse_addresses([IPv4Network(public), IPv4Network(private)])
        assert block.prefixlen == whole.prefixlen + 2, "a firewall elsewhere can name a zone by one network"


def refused(*arguments: Any, **options: Any) -> str:
    with pytest.raises(SettingsError) as caught:
        plan(*arguments, **options)
    assert caught.value.next_step, "an error says what to do"
    return caught.value.sentence()


@given(networks())
def test_an_address_within_a_network_is_refused_with_the_network_that_was_meant(whole: IPv4Network) -> None:
    loose = f"{whole.network_address + 1}/{whole.prefixlen}"

    assert f"write {whole}" in refused(loose, 2)


@pytest.mark.parametrize(
    ("cidr", "said"),
    [
        ("10.0.0.0/25", "too small"),
        ("10.0.0.0/28", "too small"),
        ("10.0.0.0/15", "larger than AWS makes a VPC"),
        ("8.8.0.0/16", "not private"),
        ("172.32.0.0/16", "not private"),
        ("100.128.0.0/16", "not private"),
        ("169.254.0.0/16", "not private"),
        ("10.0.0.0/33", "no IPv4 network"),
        ("10.0.0/16", "no IPv4 network"),
        ("10.0.0.0/16/2", "no IPv4 network"),
        ("fd00::/48", "no IPv4 network"),
        ("network", "no IPv4 network"),
        ("", "no IPv4 network"),
    ],
)
def test_a_network_that_cannot_be_divided_is_refused_with_the_reason(cidr: str, said: str) -> None:
    assert said in refused(cidr, 2)


@pytest.mark.parametrize(("zones", "said"), [(0, "0 availability"), (1, "when a zone fails"), (4, "3 at most")])
def test_one_zone_or_more_than_three_are_refused(zones: int, said: str) -> None:
    assert said in refused("10.0.0.0/16", zones)


@given(networks(), networks())
def test_overlap_with_a_network_to_keep_apart_from_is_refused_and_nothing_else(
    whole: IPv4Network, other: IPv4Network
) -> None:
    if whole.overlaps(other):
        assert f"overlaps {other}" in refused(str(whole), 2, apart_from=[str(other)])
    else:
        assert plan(str(whole), 2, apart_from=[str(other)]) == plan(str(whole), 2)


def test_subnets_of_the_teams_own_are_taken_as_they_are() -> None:
    public, private = ["10.0.0.0/26", "10.0.0.64/26"], ["10.0.1.0/24", "10.0.2.0/24"]

    made = plan("10.0.0.0/16", 2, public=public, private=private)

    assert (made.public, made.private) == (tuple(public), tuple(private))


@pytest.mark.parametrize(
    ("public", "private", "said"),
    [
        (["10.0.0.0/24"], ["10.0.1.0/24", "10.0.2.0/24"], "1 public subnets are given for 2 zones"),
        (["10.0.0.0/24", "10.0.3.0/24"], [], "0 private subnets are given for 2 zones"),
        (["10.0.0.0/24", "10.0.3.0/24"], ["10.0.1.0/24", "10.0.1.128/25"], "10.0.1.0/24 and 10.0.1.128/25 overlap"),
        (["10.0.0.0/24", "10.0.1.0/24"], ["10.0.1.0/24", "10.0.2.0/24"], "10.0.1.0/24 and 10.0.1.0/24 overlap"),
        (["10.1.0.0/24", "10.0.3.0/24"], ["10.0.1.0/24", "10.0.2.0/24"], "10.1.0.0/24 lies outside"),
        (["10.0.0.0/29", "10.0.3.0/24"], ["10.0.1.0/24", "10.0.2.0/24"], "10.0.0.0/29 is too small"),
        (["10.0.0.1/24", "10.0.3.0/24"], ["10.0.1.0/24", "10.0.2.0/24"], "an address within a network"),
    ],
)
def test_wrong_subnets_of_the_teams_own_are_refused(public: list[str], private: list[str], said: str) -> None:
    assert said in refused("10.0.0.0/16", 2, public=public, private=private)


ALL_ENDPOINTS = (*PLATFORM_ENDPOINTS, *AGENT_ENDPOINTS)
MIRRORED_PROXY = Outside(proxy=True, images_mirrored=True)
MIRRORED_LINK = Outside(private_link=True, images_mirrored=True)


@pytest.mark.parametrize(
    ("tasks", "nat", "outside", "endpoints", "kind", "public_ip"),
    [
        ("public", "none", Outside(), (), "public", True),
        ("private", "one", Outside(), (), "private", False),
        ("private", "per-zone", Outside(), (), "private", False),
        ("private", "none", MIRRORED_LINK, ALL_ENDPOINTS, "closed", False),
        ("private", "none", MIRRORED_PROXY, ALL_ENDPOINTS, "closed", False),
        ("private", "none", MIRRORED_PROXY, PLATFORM_ENDPOINTS, "closed", False),
    ],
)
def test_the_posture_of_tasks(tasks, nat, outside, endpoints, kind, public_ip) -> None:
    egress = decided(tasks, nat, outside, endpoints)

    assert (egress.kind, egress.assign_public_ip) == (kind, public_ip)
    assert egress.placement == tasks


@pytest.mark.parametrize(
    ("outside", "endpoints", "missing"),
    [
        (Outside(), (), {"a proxy, or a PrivateLink", "images from an ECR", "endpoints for ecr.api, ecr.dkr, logs"}),
        (Outside(images_mirrored=True), ALL_ENDPOINTS, {"a proxy, or a PrivateLink"}),
        (Outside(proxy=True), ALL_ENDPOINTS, {"images from an ECR"}),
        (Outside(private_link=True), ALL_ENDPOINTS, {"images from an ECR"}),
        (MIRRORED_LINK, PLATFORM_ENDPOINTS, {"interface endpoints for ecs, servicediscovery, tagging"}),
        (MIRRORED_PROXY, (), {"interface endpoints for ecr.api, ecr.dkr, logs, secretsmanager"}),
        (MIRRORED_PROXY, ("ecr.api", "ecr.dkr", "secretsmanager"), {"interface endpoints for logs"}),
    ],
)
def test_private_tasks_without_a_way_out_are_refused_with_all_that_is_missing(outside, endpoints, missing) -> None:
    with pytest.raises(SettingsError) as caught:
        decided("private", "none", outside, endpoints)

    lines = [line for line in (caught.value.why or "").splitlines() if line.startswith("- ")]
    assert len(lines) == len(missing), "nothing that is there is called missing"
    assert all(any(part in line for line in lines) for part in missing), lines


@pytest.mark.parametrize("nat", ["one", "per-zone"])
def test_nat_that_nobody_would_use_is_refused(nat: Any) -> None:
    with pytest.raises(SettingsError, match="serve nobody"):
        decided("public", nat, Outside(), ())


@given(st.booleans(), st.booleans(), st.booleans(), st.sets(st.sampled_from(sorted(KNOWN))))
def test_tasks_are_closed_in_exactly_when_they_can_do_without_a_way_out(
    proxy: bool, private_link: bool, mirrored: bool, endpoints: set[str]
) -> None:
    outside = Outside(proxy=proxy, private_link=private_link, images_mirrored=mirrored)
    can = (proxy or private_link) and mirrored and set(needed_endpoints(outside)) <= endpoints
    try:
        assert decided("private", "none", outside, endpoints).kind == "closed"
        assert can
    except SettingsError:
        assert not can


# newer than moto's list: https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/vpc-interface-endpoints.html
NEWER = {"tagging"}


@pytest.mark.parametrize("service", sorted(set(KNOWN) - NEWER))
def test_the_known_services_have_an_endpoint_by_that_name(service: str) -> None:
    # the list that AWS gave in one region
    from moto.ec2.models.vpcs import AWS_ENDPOINT_SERVICES, IMPLEMENTED_ENDPOINT_SERVICES

    assert service in {*AWS_ENDPOINT_SERVICES, *IMPLEMENTED_ENDPOINT_SERVICES}
    assert service_name(service, "eu-west-1") == f"com.amazonaws.eu-west-1.{service}"
    assert short_name(f"com.amazonaws.eu-west-1.{service}") == short_name(service) == service


@pytest.mark.parametrize(
    ("service", "region", "said"),
    [
        ("ecr", "eu-west-1", "No interface endpoint goes by the short name 'ecr'"),
        ("com.amazonaws.us-east-1.logs", "eu-west-1", "is of us-east-1; the network is in eu-west-1"),
        ("logs", "cn-north-1", "give its whole name"),
    ],
)
def test_a_wrong_name_of_a_service_is_refused(service: str, region: str, said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        service_name(service, region)
    assert said in caught.value.sentence()


def test_a_whole_name_is_taken_as_it_is() -> None:
    china = "cn.com.amazonaws.cn-north-1.ecs"
    assert service_name("com.amazonaws.eu-west-1.glue", "eu-west-1") == "com.amazonaws.eu-west-1.glue"
    assert service_name(china, "cn-north-1") == china
    assert short_name(china) == "ecs"
