"""List prices of Azure, each with its source and the month in which it was read. An estimate needs no subscription; a
bill has discounts, and a currency, that this lacks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from hybrid.costs.estimate import HOURS

_LEARN: Final = "learn.microsoft.com/"


@dataclass(frozen=True)
class Price:
    """In US dollars. ``page`` is where Azure has the present one."""

    what: str
    dollars: float
    unit: str
    page: str
    source: str
    """Where it was read; a page of Microsoft's unless ``confirmed`` says otherwise."""
    confirmed: bool
    """Whether a page of Microsoft's says it. What others say of Microsoft's prices may be out of date."""


@dataclass(frozen=True)
class AzurePrices:
    """What Container Apps and what stands beside them cost."""

    as_of: str
    """The month in which each was read, YYYY-MM."""
    region: str
    vcpu_second: Price
    vcpu_second_idle: Price
    memory_gib_second: Price
    load_balancer_hour: Price
    nat_gateway_hour: Price
    nat_data_gb: Price
    public_address_hour: Price
    registry_day: dict[str, Price] = field(hash=False)
    """By the registry's size: Basic, Standard, Premium."""
    registry_gb_day: Price
    """Beyond what the size includes: 10, 100 and 500 GB."""
    log_data_gb: Price
    log_storage_gb_month: Price
    """For each month beyond the first 31 days."""
    secret_operations: Price
    storage_gb_month: dict[str, Price] = field(hash=False)
    """By the account's redundancy: LRS, ZRS, GRS."""

    @property
    def remark(self) -> str:
        return (
            f"List prices of {self.region}, read in {self.as_of}; docs/costs.md says from where, and which of them no "
            "page of Microsoft's confirmed. Every replica counts as busy; the subscription's free grant is not taken "
            "off. Runs, logs, data and requests come on top."
        )

    @property
    def every(self) -> tuple[Price, ...]:
        """All of them, in the order of a bill."""
        return (
            self.vcpu_second,
            self.vcpu_second_idle,
            self.memory_gib_second,
            self.load_balancer_hour,
            self.nat_gateway_hour,
            self.nat_data_gb,
            self.public_address_hour,
            *self.registry_day.values(),
            self.registry_gb_day,
            self.log_data_gb,
            self.log_storage_gb_month,
            self.secret_operations,
            *self.storage_gb_month.values(),
        )


MONTH_DAYS: Final = HOURS / 24
"""Days of a month of ``HOURS``."""

_IDLE: Final = (
    "techcommunity.microsoft.com/blog/appsonazureblog/understanding-idle-usage-in-azure-container-apps/4419197"
)
_SKUS: Final = _LEARN + "azure/container-registry/container-registry-skus"
_MEMORY: Final = "no page that could be read here says it"


def _registry(sku: str, dollars: float, source: str, *, confirmed: bool) -> Price:
    return Price(f"registry, {sku}", dollars, "day", "container-registry", source, confirmed)


def _storage(redundancy: str, dollars: float) -> Price:
    return Price(f"blobs, hot, {redundancy}", dollars, "GB and month", "storage/data-lake", _MEMORY, confirmed=False)


EAST_US: Final = AzurePrices(
    as_of="2026-11",
    region="eastus",
    vcpu_second=Price("vCPU, busy", 0.000024, "second", "container-apps", _IDLE, confirmed=True),
    vcpu_second_idle=Price("vCPU, idle", 0.000003, "second", "container-apps", _IDLE, confirmed=True),
    memory_gib_second=Price("memory", 0.000003, "GiB and second", "container-apps", _IDLE, confirmed=True),
    load_balancer_hour=Price(
        "load balancer, up to 5 rules", 0.025, "hour", "load-balancer", "c3x.dev/resources/azure/azurerm_lb", False
    ),
    nat_gateway_hour=Price(
        "NAT gateway", 0.045, "hour", "azure-nat-gateway", "c3x.dev/resources/azure/azurerm_nat_gateway", False
    ),
    nat_data_gb=Price(
        "data through it", 0.045, "GB", "azure-nat-gateway", "c3x.dev/resources/azure/azurerm_nat_gateway", False
    ),
    public_address_hour=Price(
        "public address", 0.005, "hour", "ip-addresses", "c3x.dev/resources/azure/azurerm_nat_gateway", False
    ),
    registry_day={
        "Basic": _registry("Basic", 0.167, _SKUS, confirmed=True),
        "Standard": _registry("Standard", 0.667, "c3x.dev/resources/azure/azurerm_container_registry", confirmed=False),
        "Premium": _registry("Premium", 1.667, "c3x.dev/resources/azure/azurerm_container_registry", confirmed=False),
    },
    registry_gb_day=Price(
        "images beyond what that includes", 0.003, "GB and day", "container-registry", _SKUS, confirmed=True
    ),
    log_data_gb=Price("logs taken in", 2.30, "GB", "monitor", "monitoringcost.com/azure-monitor-cost", confirmed=False),
    log_storage_gb_month=Price(
        "logs kept beyond 31 days", 0.10, "GB and month", "monitor", "monitoringcost.com/azure-monitor-cost", False
    ),
    secret_operations=Price(
        "Key Vault", 0.03, "10,000 operations", "key-vault", _LEARN + "answers/questions/5608202", confirmed=True
    ),
    storage_gb_month={"LRS": _storage("LRS", 0.0184), "ZRS": _storage("ZRS", 0.023), "GRS": _storage("GRS", 0.0368)},
)
"""Pages to compare with: azure.microsoft.com/pricing/details/NAME, NAME being ``Price.page``. Regions differ."""
