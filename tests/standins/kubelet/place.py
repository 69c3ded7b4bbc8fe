"""Where a node is on this machine, and by what its things are known."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

NODE: Final = "lab-node"
NETWORK: Final = "kubernetes-lab"
SUBNET: Final = "172.29.77.0/24"
GATEWAY: Final = "172.29.77.1"
"""This machine, as Pods reach it; nothing outside of the machine does."""

LABEL: Final = "io.dagster-hybrid.kubernetes-lab"
"""On each container and network of a lab: what has it is removed when a lab ends, or the next begins."""
POD_LABEL: Final = "io.dagster-hybrid.kubernetes-lab.pod"
"""``namespace/name`` of the Pod."""

CPUS: Final = "8"
MEMORY: Final = "16Gi"
"""What the node says that it has, whatever this machine has: the scheduler decides by it."""


@dataclass(frozen=True)
class Place:
    """How a node was asked to be."""

    folder: Path
    """Its record of events, and the volumes of Pods."""
    kubeconfig: Path
    server: str
    """The API server's address."""
    pause_image: str
    """Holds the network of a Pod; needs ``sleep``."""

    @property
    def events(self) -> Path:
        return self.folder / "events.jsonl"

    @property
    def volumes(self) -> Path:
        return self.folder / "volumes"
