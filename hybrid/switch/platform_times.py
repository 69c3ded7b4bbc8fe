"""How long what a switch waits for takes on each platform, in seconds, from and to: assumptions of a plan."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class PlatformTimes:
    """``stands``: a stack stood up without images; ``heartbeat``: an agent from its start to RUNNING, which reports
    every 30 s; ``loads``: locations that load beside each other; ``run``: a harmless job; ``further``: what each
    location but the first adds, where the agent's launcher waits for one code server to be made before it asks for the
    next. Default none: other launchers ask for all of them at once."""

    stands: tuple[float, float]
    heartbeat: tuple[float, float]
    loads: tuple[float, float]
    run: tuple[float, float]
    further: tuple[float, float] = (0.0, 0.0)

    def all_loaded(self, locations: int) -> tuple[float, float]:
        """From the first location's begin until the last one is loaded."""
        others = max(0, locations - 1)
        return self.loads[0] + self.further[0] * others, self.loads[1] + self.further[1] * others


_TIMES: Final = {
    # processes of this machine
    "local": PlatformTimes((20.0, 120.0), (3.0, 30.0), (3.0, 30.0), (5.0, 120.0)),
    "docker": PlatformTimes((30.0, 240.0), (3.0, 45.0), (5.0, 60.0), (5.0, 120.0)),
    # network, cluster and roles in AWS; a task on Fargate starts in half a minute, and pulls its image each time
    "ecs": PlatformTimes((180.0, 600.0), (30.0, 90.0), (45.0, 240.0), (45.0, 300.0)),
    # a pod on a node that is there starts in seconds, and in a minute or two where the image has to be pulled
    "kubernetes": PlatformTimes((15.0, 240.0), (10.0, 120.0), (10.0, 180.0), (10.0, 180.0)),
    # an environment takes Azure up to a quarter of an hour; Dagster itself says 30 to 50 s for each app and job, and
    # its launcher waits for each app (_create_container_app of dagster_cloud/workspace/aca/launcher.py, 1.13.27)
    "azure": PlatformTimes((600.0, 1500.0), (60.0, 240.0), (60.0, 420.0), (60.0, 420.0), (30.0, 50.0)),
}
_SLOWEST: Final = _TIMES["azure"]


_LEAST_FOR_AGENT: Final = 90.0


def agent_seconds(platform: str) -> float:
    """How long a switch waits to see an agent of that kind RUNNING, before anything depends on it."""
    return max(_LEAST_FOR_AGENT, times_on(platform).heartbeat[1])


def times_on(platform: str) -> PlatformTimes:
    """``platform``: the kind of the agent. One that nothing is said of is taken for the slowest that is known."""
    return _TIMES.get(platform, _SLOWEST)
