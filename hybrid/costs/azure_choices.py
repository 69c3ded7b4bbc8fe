"""What the choices of an Azure stack cost, as Markdown, and where each price was read."""

from __future__ import annotations

from hybrid.costs.azure import AppSize, AzureFootprint, app_hour, estimate
from hybrid.costs.azure_prices import EAST_US, AzurePrices, Price
from hybrid.costs.estimate import HOURS

AGENT = AppSize("agent", vcpu=0.5, memory=1)
RUN = AppSize("run", vcpu=1, memory=2)
_FREE_VCPU, _FREE_MEMORY = 180_000, 360_000
"""Seconds a month that each subscription has free: https://learn.microsoft.com/azure/container-apps/billing"""

_HEAD = """## In Azure

List prices of {region}, read in {as_of}; `hybrid/costs/azure_prices.py` has them. Azure's own pages of prices could not
be read for this table: each figure is from a page of Microsoft's that quotes it, or is marked **unconfirmed**. Compare
before you rely on it. A replica counts as busy; an idle one is billed less for its processors, and whether an agent
that asks Dagster+ all the time ever counts as idle was not seen. Each subscription has {vcpu:,} vCPU-seconds and
{memory:,} GiB-seconds a month free, worth {free:.2f}; no estimate takes them off, since all stacks of a subscription
share them.
"""


def section(prices: AzurePrices = EAST_US) -> list[str]:
    """Its lines."""
    free = _FREE_VCPU * prices.vcpu_second.dollars + _FREE_MEMORY * prices.memory_gib_second.dollars
    head = _HEAD.format(region=prices.region, as_of=prices.as_of, vcpu=_FREE_VCPU, memory=_FREE_MEMORY, free=free)
    return [head, *_choices(prices), *_on_top(prices), *_sources(prices)]


def _choices(prices: AzurePrices) -> list[str]:
    def together(**standing: object) -> str:
        return f"{estimate(AzureFootprint((), **standing), prices).dollars:.2f}"  # type: ignore[arg-type]

    def app(size: AppSize) -> str:
        return f"{estimate(AzureFootprint((size,)), prices).dollars:.2f}"

    idle = HOURS * app_hour(AGENT, prices, idle=True)
    sizes = [f"| registry, {sku} | {together(registry=sku)} |" for sku in prices.registry_day]
    return [
        "| choice | $ a month |",
        "|---|---|",
        f"| agent, 0.5 CPU and 1 GiB (default) | {app(AGENT)} |",
        f"| code server, 0.5 CPU and 1 GiB (default), each location | {app(AGENT)} |",
        f"| the same, if it were idle all the time | {idle:.2f} |",
        f"| code server, 0.25 CPU and 0.5 GiB | {app(AppSize('code server', 0.25, 0.5))} |",
        f"| load balancer that an internal environment brings | {together(load_balancers=1)} |",
        f"| NAT gateway with its address (`network.nat`) | {together(nat_gateways=1)} |",
        *sizes,
        "",
    ]


def _on_top(prices: AzurePrices) -> list[str]:
    return [
        f"A run of 1 CPU and 2 GiB costs {app_hour(RUN, prices):.3f} an hour. Logs cost "
        f"{prices.log_data_gb.dollars:.2f} a GB when they are taken in, which is the most that is easily saved: "
        "print less. Idle code servers stop with `hybrid:agent.serverTtl`.",
        "",
    ]


def _sources(prices: AzurePrices) -> list[str]:
    rows = [
        f"| {price.what} | {_number(price)} per {price.unit} | [{price.page}]"
        f"(https://azure.microsoft.com/pricing/details/{price.page}/) | {_source(price)} |"
        for price in prices.every
    ]
    return [
        "### Where Azure's figures are from",
        "",
        "| | $ | compare with | read at |",
        "|---|---|---|---|",
        *rows,
        "",
    ]


def _number(price: Price) -> str:
    text = f"{price.dollars:.6f}".rstrip("0")
    return text if len(text.partition(".")[2]) > 1 else f"{price.dollars:.2f}"


def _source(price: Price) -> str:
    return price.source if price.confirmed else f"**unconfirmed**: {price.source}"
