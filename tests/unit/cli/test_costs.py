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


def written(file: Path, agent: dict[str, Any], **places: Any) -> None:
    config = {"hybrid:organization": "acme", "hybrid:agent": agent}
    file.write_text(json.dumps({"config": {**config, **{f"hybrid:{name}": said for name, said in places.items()}}}))


AZURE = {"subscription": "00000000-1111-2222-3333-444444444444", "location": "westeurope"}


def lines(call: Call) -> dict[str, tuple[int, float]]:
    answer = call("costs", "prod", "--json")
    assert answer.code == 0, answer.err
    return {line["what"]: (line["count"], line["dollars_per_month"]) for line in json.loads(answer.out)["lines"]}


def test_a_stack_in_azure_costs_its_apps_its_load_balancer_and_its_registry(call: Call, file: Path, root: Path) -> None:
    written(file, {"kind": "azure", "cpu": 1}, azure=AZURE)
    (root / "locations" / "beta" / "container_context.yaml").write_text(
        "aca: {server_resources: {cpu: 250m, memory: 0.5Gi}}\n"
    )
    assert lines(call) == {
        "agent": (1, 78.84),
        "code server of alpha": (1, 39.42),
        "code server of beta": (1, 19.71),
        "load balancer of the environment": (1, 18.25),
        "registry, Basic": (1, 5.08),
    }


def test_in_azure_a_way_out_is_paid_and_what_is_adopted_is_not(call: Call, file: Path) -> None:
    registry = f"/subscriptions/{AZURE['subscription']}/resourceGroups/g/providers/Microsoft.ContainerRegistry"
    places = {"network": {"nat": True}, "registry": {"id": f"{registry}/registries/acmeimages"}}
    written(file, {"kind": "azure"}, azure={**AZURE, **places})
    found = lines(call)
    assert found["NAT gateways"] == (1, 32.85)
    assert found["public addresses"] == (1, 3.65)
    assert not [what for what in found if what.startswith("registry")], "it costs its owner"


def test_a_person_is_told_that_azure_s_figures_are_not_all_confirmed(call: Call, file: Path) -> None:
    written(file, {"kind": "azure"}, azure=AZURE)
    answer = call("costs", "prod")
    assert answer.code == 0, answer.err
    assert "eastus" in answer.err
    assert "confirmed" in answer.err


CLUSTER, REGISTRY = {"context": "production"}, {"address": "ghcr.io/acme"}
PRICES = {"vcpuHour": 0.04, "gibHour": 0.004, "asOf": "2026-11"}


def test_on_kubernetes_requests_are_counted_at_the_team_s_own_prices(call: Call, file: Path, root: Path) -> None:
    sized = {"requests": {"cpu": "500m"}, "limits": {"memory": "1Gi"}}
    written(
        file,
        {"kind": "kubernetes", "replicas": 2, "serverResources": sized},
        registry=REGISTRY,
        kubernetes={**CLUSTER, "prices": PRICES},
    )
    (root / "locations" / "beta" / "container_context.yaml").write_text(
        "k8s: {server_k8s_config: {container_config: {resources: {requests: {cpu: 1, memory: 2Gi}}}}}\n"
    )
    assert lines(call) == {
        "agent": (2, round(730 * 2 * (0.25 * 0.04 + 0.5 * 0.004), 2)),
        "code server of alpha": (2, round(730 * 2 * (0.5 * 0.04 + 1 * 0.004), 2)),
        "code server of beta": (2, round(730 * 2 * (1 * 0.04 + 2 * 0.004), 2)),
    }, "each agent has code servers of its own; a limit alone is what is requested"


def test_on_kubernetes_without_prices_it_says_what_is_requested_and_how_to_say_prices(call: Call, file: Path) -> None:
    written(file, {"kind": "kubernetes"}, registry=REGISTRY, kubernetes=CLUSTER)
    answer = call("costs", "prod")
    assert answer.code == 2, "a wrong use"
    assert "0.25 processors and 0.5 GiB" in answer.err
    assert "hybrid:kubernetes.prices" in answer.err


@pytest.mark.parametrize("wrong", [{"asOf": "November"}, {"vcpuHour": -1}, {"gibHour": None}])
def test_prices_that_are_none_are_refused(wrong: dict[str, Any], call: Call, file: Path) -> None:
    written(file, {"kind": "kubernetes"}, registry=REGISTRY, kubernetes={**CLUSTER, "prices": {**PRICES, **wrong}})
    assert call("costs", "prod").code == 3, "the settings are wrong"


def test_a_stack_of_another_platform_has_no_prices(call: Call, file: Path) -> None:
    file.write_text("config:\n  hybrid:organization: acme\n")
    answer = call("costs", "prod")
    assert answer.code == 2, "a wrong use"
    assert "kind local" in answer.err
