"""Where a lab is on this machine, and by what its things are known."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

ACCOUNT: Final = "123456789012"
REGION: Final = "us-east-1"

NETWORK: Final = "ecs-lab"
SUBNET: Final = "169.254.170.0/24"
GATEWAY: Final = "169.254.170.2"
"""Real tasks ask this address for their role's credentials: here it is this machine, as the network's gateway."""
ENDPOINT: Final = f"http://{GATEWAY}"

LABEL: Final = "io.dagster-hybrid.ecs-lab"
"""On each container, network and volume of a lab: what has it is removed when a lab ends, or the next begins."""
TASK_LABEL: Final = "io.dagster-hybrid.ecs-lab.task"

SETUP_KEY: Final = "AKIAECSLABSETUPKEY00"
"""The access key that stands for an administrator: its calls are recorded and never refused."""


@dataclass(frozen=True)
class Place:
    """How a lab was asked to be."""

    folder: Path
    """Its record of calls and events."""
    pause_image: str
    """Holds the network of a task with several containers; needs ``sleep``."""
    registry: str
    """Where images of ECR repositories lie in truth, under the repository's own name."""
    enforce: bool = True
    """Whether calls that IAM denies are refused; recorded they are in any case."""

    @property
    def calls(self) -> Path:
        return self.folder / "calls.jsonl"

    @property
    def events(self) -> Path:
        return self.folder / "events.jsonl"
