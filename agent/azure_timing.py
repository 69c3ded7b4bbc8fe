"""How long things may take in Azure, computed together: each of these numbers is wrong without the others.

When an agent starts, it asks for a container app per location, one after the other, and each answer may take Azure half
a minute; then it waits for all of them at once, first until Azure says that they run, then until the code in them
answers (``_start_new_server_spinup`` and ``_wait_for_new_server_ready`` of dagster_cloud/workspace/aca/launcher.py,
1.13.27).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Final

_ASKED: Final = 30  # per location: 30 to 50 s are Dagster's own words for a job; an app is as much work
_STEP: Final = 10  # locations are counted in such steps: one more must not change, and so restart, the agent
_RUNNING: Final = 180  # _DEFAULT_SERVER_STARTUP_TIMEOUT_SECS of the launcher, which nobody can set
_LISTED: Final = 180  # DAGSTER_CLOUD_LIST_REPOSITORIES_GRPC_TIMEOUT: the definitions, once the server answers
_AGENT_STARTS: Final = 240  # its app, its image, its first heartbeat
_SPARE: Final = 300


@dataclass(frozen=True)
class AzureTiming:
    """What follows from how long a code server may take. In seconds."""

    first_start: int
    """The longest that the agent takes from its own start until all its code servers answer or have failed."""
    cleanup_grace: int
    """How old a code server of an agent that is gone must be before another agent removes it: longer than a first
    start, so that none is removed whose agent only has not reported yet."""
    cleanup_interval: int
    """How often the agent looks for such servers."""
    locations_ready: int
    """How long to wait for all locations to load, the agent's own start included."""

    def environment(self) -> dict[str, str]:
        """The agent's variables for its clean-up
        (dagster_cloud/workspace/user_code_launcher/user_code_launcher.py)."""
        return {
            "DAGSTER_CLOUD_CLEANUP_SERVER_GRACE_PERIOD_SECONDS": str(self.cleanup_grace),
            "DAGSTER_CLOUD_CLEANUP_SERVER_CHECK_INTERVAL": str(self.cleanup_interval),
        }


def timing(*, server_start: int, locations: int = 1) -> AzureTiming:
    """``server_start``: how long code may take to load, in seconds; ``locations``: how many, 1 to 10 being the same."""
    asked = max(1, ceil(locations / _STEP)) * _STEP * _ASKED
    first_start = asked + _RUNNING + server_start + _LISTED
    return AzureTiming(
        first_start=first_start,
        cleanup_grace=first_start + _SPARE,
        cleanup_interval=600,
        locations_ready=first_start + _AGENT_STARTS,
    )
