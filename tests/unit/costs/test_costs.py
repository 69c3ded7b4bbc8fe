"""What a stack costs a month by the table of prices. That the table is right, no test can say: it has a date."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.costs.aws import Footprint, TaskSize, estimate, run_dollars, task_dollars
from hybrid.costs.aws_prices import US_EAST_1
from hybrid.costs.azure import AppSize, AzureFootprint
from hybrid.costs.azure import estimate as in_azure
from hybrid.costs.azure_prices import EAST_US, Price
from hybrid.costs.estimate import HOURS
from hybrid.costs.own_prices import OwnPrices, PodSize
from hybrid.costs.own_prices import estimate as by_own_prices
from hybrid.costs.reference import markdown

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[3]


def test_the_smallest_agent_costs_what_its_parts_do() -> None:
    agent = TaskSize("agent", cpu=256, memory=1024)
    assert task_dollars(agent, US_EAST_1) == pytest.approx(0.25 * 0.04048 * 730 + 0.004445 * 730), "10.63 a month"


def test_a_nat_gateway_has_an_address_that_is_billed_too() -> None:
    found = estimate(Footprint((), nat_gateways=2), US_EAST_1)
    assert {line.what: line.dollars for line in found.lines} == pytest.approx(
        {"NAT gateways": 2 * 0.045 * HOURS, "public addresses": 2 * 0.005 * HOURS}
    )


def test_only_the_disk_beyond_what_is_free_is_billed() -> None:
    plain, free = TaskSize("run", 1024, 4096), TaskSize("run", 1024, 4096, ephemeral_gib=10)
    larger = TaskSize("run", 1024, 4096, ephemeral_gib=50)
    assert task_dollars(plain, US_EAST_1) == task_dollars(free, US_EAST_1), "less than 20 GiB saves nothing"
    assert task_dollars(larger, US_EAST_1) - task_dollars(plain, US_EAST_1) == pytest.approx(30 * 0.000111 * HOURS)


def test_spot_and_arm_are_cheaper() -> None:
    run, arm = TaskSize("run", 1024, 4096), TaskSize("run", 1024, 4096, arm=True)
    assert run_dollars(run, US_EAST_1, spot=True) == pytest.approx(0.3 * run_dollars(run, US_EAST_1))
    assert run_dollars(arm, US_EAST_1) < run_dollars(run, US_EAST_1), "Graviton is a fifth cheaper"


COUNTS = [field.name for field in fields(Footprint) if field.name != "tasks"]


@given(st.fixed_dictionaries({name: st.integers(0, 9) for name in COUNTS}), st.sampled_from(COUNTS))
def test_more_of_anything_never_costs_less_and_nothing_of_it_has_no_line(counts: dict[str, int], more: str) -> None:
    before = estimate(Footprint((), **counts), US_EAST_1)
    after = estimate(Footprint((), **{**counts, more: counts[more] + 1}), US_EAST_1)
    assert after.dollars > before.dollars, f"one more of {more} is not free"
    assert all(line.count for line in before.lines), "a line of nothing tells nothing"
    assert [line.dollars for line in before.lines] == sorted((line.dollars for line in before.lines), reverse=True)


def test_an_estimate_says_whose_prices_it_used() -> None:
    document = estimate(Footprint((TaskSize("agent", 256, 1024),), secrets=1), US_EAST_1).document()
    assert (document["prices_of"], document["prices_as_of"]) == ("us-east-1", "2026-06")
    assert document["dollars_per_month"] == round(sum(line["dollars_per_month"] for line in document["lines"]), 2)


def test_an_app_in_azure_costs_what_its_processors_and_its_memory_do() -> None:
    found = in_azure(AzureFootprint((AppSize("agent", 0.5, 1),)), EAST_US)
    assert found.dollars == pytest.approx(730 * 3600 * (0.5 * 0.000024 + 0.000003)), "39.42 a month"


def test_a_gateway_in_azure_has_an_address_that_is_billed_too() -> None:
    found = in_azure(AzureFootprint((), load_balancers=1, nat_gateways=1, registry="Basic"), EAST_US)
    assert {line.what: round(line.dollars, 2) for line in found.lines} == {
        "NAT gateways": 32.85,
        "load balancer of the environment": 18.25,
        "registry, Basic": 5.08,
        "public addresses": 3.65,
    }


@pytest.mark.parametrize("price", EAST_US.every, ids=lambda price: price.what)
def test_each_price_of_azure_says_where_it_was_read_and_what_to_compare_it_with(price: Price) -> None:
    assert price.dollars > 0
    assert price.page
    assert not price.confirmed or "microsoft.com/" in price.source, "confirmed means: by a page of Microsoft's"
    assert (f"**unconfirmed**: {price.source}" in markdown()) != price.confirmed, "the page marks what is not confirmed"


def test_pods_cost_what_the_team_says() -> None:
    pods = (PodSize("agent", 0.25, 0.5, 2), PodSize("code server of alpha", 0, 0))
    found = by_own_prices(pods, OwnPrices("2026-11", vcpu=0.04, memory_gib=0.004))
    assert found.dollars == pytest.approx(730 * 2 * (0.25 * 0.04 + 0.5 * 0.004))
    assert [line.what for line in found.lines] == ["agent", "code server of alpha"], "what requests nothing is shown"


def test_the_page_is_what_the_table_says() -> None:
    assert (ROOT / "docs/costs.md").read_text() == markdown(), "run `make docs`"
