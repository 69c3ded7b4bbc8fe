"""``hybrid costs``: what a stack's file and locations come to. Whether prices are right, no test can say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.cli.ecs_checkout import Call

pytestmark = pytest.mark.unit


@pytest.fixture
def costs(call: Call, file: Path) -> Any:
    def told(**settings: Any) -> dict[str, int]:
        """By what: how many. ``settings`` replace parts of the stack file."""
        aws = {"account": "123456789012", "region": "eu-central-1", **settings.pop("aws", {})}
        agent = {"kind": "ecs", **settings.pop("agent", {})}
        config = {"hybrid:organization": "acme", "hybrid:agent": agent, "hybrid:aws": aws}
        file.write_text(json.dumps({"config": config}))
        answer = call("costs", "prod", "--json")
        assert answer.code == 0, answer.err
        return {line["what"]: line["count"] for line in json.loads(answer.out)["lines"]}

    return told


def test_the_default_is_an_agent_its_code_servers_and_one_way_out(costs: Any) -> None:
    found = costs()
    servers = {what for what in found if what.startswith("code server of")}
    assert found == {
        "agent": 1,
        **dict.fromkeys(servers, 1),
        "NAT gateways": 1,
        "public addresses": 1,
        "secrets": 1,
        "Cloud Map namespaces": 1,
    }, "the gateway's own address is billed, too"
    assert servers, "each location has a code server"


def test_replicas_multiply_code_servers(costs: Any) -> None:
    found = costs(agent={"replicas": 3})
    assert {count for what, count in found.items() if "agent" in what or "code server" in what} == {3}


def test_public_tasks_pay_for_addresses_and_not_for_a_gateway(costs: Any) -> None:
    found = costs(aws={"network": {"tasks": "public"}})
    assert "NAT gateways" not in found
    assert found["public addresses"] == sum(count for what, count in found.items() if "agent" in what or "code" in what)


def test_endpoints_and_gateways_are_counted_in_each_zone(costs: Any) -> None:
    found = costs(aws={"network": {"zones": 3, "nat": "per-zone", "endpoints": ["ecr.api", "logs"]}})
    assert (found["NAT gateways"], found["interface endpoints, by zone"]) == (3, 6)


def test_what_is_adopted_costs_its_owner(costs: Any) -> None:
    ids = {"kind": "ids", "vpcId": "vpc-01234567", "subnetIds": ["subnet-01234567", "subnet-89abcdef"]}
    found = costs(
        aws={"network": {**ids, "assignPublicIp": False}},
        agent={"namespace": {"id": "ns-0123456789", "name": "data.local"}},
    )
    assert not {"NAT gateways", "public addresses", "Cloud Map namespaces"} & found.keys()


def test_a_person_sees_a_table_with_its_sum_and_whose_prices_they_are(call: Call) -> None:
    answer = call("costs", "prod")
    assert answer.code == 0, answer.err
    assert "together" in answer.out, "the sum"
    assert "us-east-1" in answer.err, "an estimate with other prices than the region's says so"


def test_a_stack_of_another_platform_has_no_prices(call: Call, file: Path) -> None:
    file.write_text("config:\n  hybrid:organization: acme\n")
    answer = call("costs", "prod")
    assert answer.code == 2, "a wrong use"
    assert "kind: ecs" in answer.err
