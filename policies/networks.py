"""Which networks are as wide as the internet."""

from __future__ import annotations

import ipaddress
from typing import Final

_WIDEST: Final = {4: 8, 6: 16}
"""Shorter prefixes than these are the internet: two halves of it are all of it."""


def is_the_internet(cidr: str) -> bool:
    """False for what is no network."""
    try:
        network = ipaddress.ip_network(cidr, strict=False)
    except ValueError:
        return False
    return network.prefixlen < _WIDEST[network.version]
