"""What a footprint in Azure costs a month, line by line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from hybrid.costs.azure_prices import MONTH_DAYS, AzurePrices
from hybrid.costs.estimate import HOURS, Estimate, Line

_SECONDS: Final = 3600


@dataclass(frozen=True)
class AppSize:
    """One size of container app and how many replicas of it are up all the time. ``vcpu`` in processors, ``memory`` in
    GiB."""

    what: str
    vcpu: float
    memory: float
    count: int = 1


@dataclass(frozen=True)
class AzureFootprint:
    """What a stack has standing that is billed by time. Runs, logs, data and requests are on top: they depend on
    use."""

    apps: tuple[AppSize, ...]
    load_balancers: int = 0
    """One for an internal environment in a network of one's own, in the resource group ME_…:
    https://learn.microsoft.com/azure/container-apps/networking#managed-resources"""
    nat_gateways: int = 0
    """Each has one public address."""
    registry: str | None = None
    """The size of a registry that the stack makes."""


def estimate(footprint: AzureFootprint, prices: AzurePrices) -> Estimate:
    """What ``footprint`` costs a month. What there is none of has no line."""
    lines = [Line(size.what, size.count, size.count * HOURS * app_hour(size, prices)) for size in footprint.apps]
    hourly = (
        ("load balancer of the environment", footprint.load_balancers, prices.load_balancer_hour),
        ("NAT gateways", footprint.nat_gateways, prices.nat_gateway_hour),
        ("public addresses", footprint.nat_gateways, prices.public_address_hour),
    )
    lines += [Line(what, count, count * HOURS * price.dollars) for what, count, price in hourly]
    if footprint.registry is not None:
        price = prices.registry_day[footprint.registry]
        lines.append(Line(price.what, 1, MONTH_DAYS * price.dollars))
    return Estimate.of(lines, prices)


def app_hour(size: AppSize, prices: AzurePrices, *, idle: bool = False) -> float:
    """What one replica of ``size`` costs an hour. ``idle``: it takes next to no processor and no calls, which Azure
    bills less for. An agent that asks Dagster+ every second and a code server that is asked for its health may not
    count as that, so that an estimate does not."""
    vcpu = prices.vcpu_second_idle if idle else prices.vcpu_second
    return _SECONDS * (size.vcpu * vcpu.dollars + size.memory * prices.memory_gib_second.dollars)
