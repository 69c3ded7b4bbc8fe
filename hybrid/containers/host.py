"""How containers reach what listens on this machine."""

from __future__ import annotations

import ipaddress
from typing import Final

from hybrid.containers.docker import Docker
from hybrid.errors import HybridError

DESKTOP_NAME: Final = "host.docker.internal"
"""The name that Docker Desktop resolves in each container: its engine runs in a virtual machine, whose gateway is not
this machine."""


def address_from_containers(docker: Docker) -> str:
    """The name or address of this machine as containers see it: Docker Desktop's name, else the gateway of the
    network ``bridge``, which is this machine on Linux.

    Raises ``HybridError`` when that network has none.
    """
    if docker.info().desktop:
        return DESKTOP_NAME
    # an engine says no gateway until it was started a second time; the network's first address is what it took
    template = "{{range .IPAM.Config}}{{println (or .Gateway .Subnet)}}{{end}}"
    for line in docker.lines("network", "inspect", "bridge", "--format", template):
        try:
            found = ipaddress.ip_interface(line.strip())
        except ValueError:
            continue
        if found.version == 4:
            return str(found.ip if found.network.prefixlen == found.max_prefixlen else found.network[1])
    raise HybridError(
        "The engine's network `bridge` has no gateway.",
        why="Containers reach this machine by it.",
        next_step='remove `"bridge": "none"` from the engine\'s daemon.json.',
    )
