"""The addresses of a network: which subnets a VPC is divided into. Pure; the same division for the same network, and a
third zone later moves none of the first two.

AWS's limits: https://docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Network, NetmaskValueError
from typing import Final

from hybrid.errors import SettingsError

LEAST_ZONES: Final = 2
MOST_ZONES: Final = 3
LARGEST: Final = 16
"""Prefix length of the largest VPC that AWS makes."""
SMALLEST: Final = 24
"""Prefix length of the smallest VPC that is taken here: 27 addresses a subnet. AWS itself makes them down to /28."""
SMALLEST_SUBNET: Final = 28
RESERVED: Final = 5
"""Addresses of each subnet that AWS keeps for itself."""

_QUARTER: Final = 2
_EIGHTH: Final = 3
_PRIVATE: Final = tuple(
    IPv4Network(block) for block in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")
)


@dataclass(frozen=True)
class AddressPlan:
    """The subnets of a VPC, a public and a private one for each zone, in the order of the zones."""

    cidr: str
    public: tuple[str, ...]
    private: tuple[str, ...]


def plan(
    cidr: str,
    zones: int,
    *,
    public: Sequence[str] = (),
    private: Sequence[str] = (),
    apart_from: Iterable[str] = (),
) -> AddressPlan:
    """Divide ``cidr`` for two or three zones.

    Each zone has a quarter of the VPC, half of it for the private and half for the public subnet; what is left over is
    free. ``public`` and ``private``: subnets of the team's own instead, one for each zone. ``apart_from``: networks
    that tasks have to reach beside this one (peered ones, an office's), which it must not overlap.
    Raises ``SettingsError`` for a network that AWS, or a team that will peer it some day, could not use.
    """
    _checked_zones(zones)
    whole = _network(cidr, "The network's `cidr`")
    _checked_whole(whole)
    for other in apart_from:
        _checked_apart(whole, _network(other, "A network to keep apart from"))
    if not public and not private:
        quarters = list(whole.subnets(prefixlen_diff=_QUARTER))[:zones]
        halves = [list(quarter.subnets(prefixlen_diff=_EIGHTH - _QUARTER)) for quarter in quarters]
        return AddressPlan(str(whole), tuple(str(half[1]) for half in halves), tuple(str(half[0]) for half in halves))
    _checked_subnets(whole, zones, public, private)
    return AddressPlan(str(whole), tuple(public), tuple(private))


def usable(cidr: str) -> int:
    """How many addresses of a subnet tasks can have."""
    return IPv4Network(cidr).num_addresses - RESERVED


def _checked_zones(zones: int) -> None:
    if zones < LEAST_ZONES:
        raise SettingsError(
            f"The network has {zones} availability zone.",
            why="when a zone fails, all that runs in it does: the agent, code servers and runs",
            next_step=f"give {LEAST_ZONES} or {MOST_ZONES} zones.",
        )
    if zones > MOST_ZONES:
        raise SettingsError(
            f"The network has {zones} availability zones; it can have {MOST_ZONES} at most.",
            why="each further zone costs its share of NAT gateways and endpoints, and adds no safety that counts",
            next_step=f"give {LEAST_ZONES} or {MOST_ZONES} zones.",
        )


def _network(cidr: str, what: str) -> IPv4Network:
    """The network; a sentence of ours for each way in which it can be none."""
    try:
        return IPv4Network(cidr)
    except (AddressValueError, NetmaskValueError) as error:
        raise SettingsError(
            f"{what} is {cidr!r}, which is no IPv4 network.", why=str(error), next_step="write it as 10.80.0.0/16."
        ) from None
    except ValueError:
        loose = IPv4Network(cidr, strict=False)
        raise SettingsError(
            f"{what} is {cidr}, which is an address within a network.",
            why=f"bits beyond /{loose.prefixlen} are set; the network that it lies in is {loose}",
            next_step=f"write {loose}, if that is the one you mean.",
        ) from None


def _checked_whole(whole: IPv4Network) -> None:
    if whole.prefixlen < LARGEST:
        raise SettingsError(
            f"The network's `cidr` is {whole}, larger than AWS makes a VPC.",
            why=f"a VPC is a /{LARGEST} at most",
            next_step=f"give a /{LARGEST}, such as {next(whole.subnets(new_prefix=LARGEST))}.",
        )
    if whole.prefixlen > SMALLEST:
        raise SettingsError(
            f"The network's `cidr` is {whole}, too small.",
            why="the agent, each code server, each run and each endpoint take an address of their own, and AWS keeps "
            f"{RESERVED} of each subnet",
            next_step=f"give a /{SMALLEST} or larger; a /{LARGEST} costs no more.",
        )
    if not any(whole.subnet_of(block) for block in _PRIVATE):
        raise SettingsError(
            f"The network's `cidr` is {whole}, which is not private.",
            why="addresses of the internet would be hidden from everything that runs in it",
            next_step="take it from " + ", ".join(str(block) for block in _PRIVATE) + ".",
        )


def _checked_apart(whole: IPv4Network, other: IPv4Network) -> None:
    if whole.overlaps(other):
        raise SettingsError(
            f"The network's `cidr` {whole} overlaps {other}.",
            why="addresses that both have cannot be reached from one in the other",
            next_step=f"give a network that lies apart from {other}.",
        )


def _checked_subnets(whole: IPv4Network, zones: int, public: Sequence[str], private: Sequence[str]) -> None:
    for kind, given in (("public", public), ("private", private)):
        if len(given) != zones:
            raise SettingsError(
                f"{len(given)} {kind} subnets are given for {zones} zones.",
                why="each zone has one",
                next_step=f"give {zones}, in the order of the zones, or none of either kind.",
            )
    seen: list[IPv4Network] = []
    for cidr in (*public, *private):
        subnet = _network(cidr, "A subnet")
        if not subnet.subnet_of(whole):
            raise SettingsError(
                f"The subnet {subnet} lies outside the network {whole}.",
                next_step=f"give subnets of {whole}.",
            )
        if subnet.prefixlen > SMALLEST_SUBNET:
            raise SettingsError(
                f"The subnet {subnet} is too small.",
                why=f"AWS makes a subnet a /{SMALLEST_SUBNET} at least",
                next_step=f"give a /{SMALLEST_SUBNET} or larger.",
            )
        for other in seen:
            if subnet.overlaps(other):
                raise SettingsError(
                    f"The subnets {other} and {subnet} overlap.",
                    why="an address can be in one only",
                    next_step="give subnets that lie apart.",
                )
        seen.append(subnet)
