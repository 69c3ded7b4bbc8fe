"""The cluster whose node runs nothing, as tests hold it."""

from __future__ import annotations

import os
from pathlib import Path

from tests.kubernetes.served_cluster import ServedCluster
from tests.standins.paper_node import NODE


class PaperCluster(ServedCluster):
    """A real API server with RBAC, its controllers and scheduler; Pods have the life that their annotations tell
    (``tests.standins.paper_node``)."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, NODE, ["--paper"], dict(os.environ))
