"""What a footprint on ECS costs a month, line by line."""

from __future__ import annotations

from dataclasses import dataclass

from hybrid.costs.aws_prices import Prices
from hybrid.costs.estimate import HOURS, Estimate, Line

_FREE_EPHEMERAL = 20  # GiB of a task's own disk that cost nothing


@dataclass(frozen=True)
class TaskSize:
    """One size of task and how many of it run all the time. ``cpu`` in units of 1/1024, ``memory`` in MiB."""

    what: str
    cpu: int
    memory: int
    count: int = 1
    arm: bool = False
    ephemeral_gib: int = _FREE_EPHEMERAL


@dataclass(frozen=True)
class Footprint:
    """What a stack has standing that is billed by time. Runs, data and requests are on top: they depend on use."""

    tasks: tuple[TaskSize, ...]
    nat_gateways: int = 0
    interface_endpoints: int = 0
    """Each counted once for each zone that it is in."""
    public_addresses: int = 0
    secrets: int = 0
    keys: int = 0
    namespaces: int = 0
    alarms: int = 0


def estimate(footprint: Footprint, prices: Prices) -> Estimate:
    """What ``footprint`` costs a month. What there is none of has no line."""
    hourly = (
        ("NAT gateways", footprint.nat_gateways, prices.nat_gateway),
        # since 2024 AWS bills the address of a NAT gateway like any other
        ("public addresses", footprint.public_addresses + footprint.nat_gateways, prices.public_address),
        ("interface endpoints, by zone", footprint.interface_endpoints, prices.interface_endpoint),
    )
    monthly = (
        ("secrets", footprint.secrets, prices.secret_month),
        ("KMS keys", footprint.keys, prices.key_month),
        ("Cloud Map namespaces", footprint.namespaces, prices.namespace_month),
        ("alarms", footprint.alarms, prices.alarm_month),
    )
    lines = [Line(size.what, size.count, size.count * task_dollars(size, prices)) for size in footprint.tasks]
    lines += [Line(what, count, count * price * HOURS) for what, count, price in hourly]
    lines += [Line(what, count, count * price) for what, count, price in monthly]
    return Estimate.of(lines, prices)


def task_dollars(size: TaskSize, prices: Prices) -> float:
    """What one task of ``size`` costs that runs the whole month."""
    vcpu, memory = (prices.arm_vcpu, prices.arm_memory_gb) if size.arm else (prices.vcpu, prices.memory_gb)
    disk = max(0, size.ephemeral_gib - _FREE_EPHEMERAL) * prices.ephemeral_gb
    return HOURS * (size.cpu / 1024 * vcpu + size.memory / 1024 * memory + disk)


def run_dollars(size: TaskSize, prices: Prices, *, spot: bool = False) -> float:
    """What a run of ``size`` costs an hour."""
    price = task_dollars(size, prices) / HOURS
    return price * (1 - prices.spot_discount) if spot else price
