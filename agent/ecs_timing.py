"""How long things may take on ECS, computed together: each of these numbers is wrong without the others.

When an agent starts, it asks ECS for a code server per location, one after the other; then it waits for all of them at
once, first for their tasks, then for the code in them to load (``_reconcile`` of
dagster_cloud/workspace/user_code_launcher/user_code_launcher.py, ``wait_for_new_service`` of
dagster_cloud/workspace/ecs/client.py, 1.13.27). Only then it writes the file that its health check looks for. A health
check that gives up earlier ends an agent at work, whose successor begins again.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Final

LONGEST_START_PERIOD: Final = 300
LONGEST_INTERVAL: Final = 300
MOST_RETRIES: Final = 10
"""Limits of a container's health check, in seconds and in number:
https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_HealthCheck.html"""

LONGEST_STOP: Final = 120
"""The longest that Fargate waits after SIGTERM, in seconds:
https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html"""

LONGEST_FIRST_START: Final = LONGEST_START_PERIOD + LONGEST_INTERVAL * (MOST_RETRIES - 1)
"""The longest first start, in seconds, that a health check can wait for."""

_SHORTEST_INTERVAL: Final = 15
_ASKED: Final = 4  # per location: four to ten calls of ECS and Cloud Map, one after the other, throttled now and then
_STEP: Final = 25  # locations are counted in such steps: one more must not change, and so restart, the agent
_LISTED: Final = 180  # DAGSTER_CLOUD_LIST_REPOSITORIES_GRPC_TIMEOUT: the definitions, once the server answers
_TASK_STARTS: Final = 180  # address, image and start of the agent's own task; the stock image has about 300 MB
_HEARTBEAT: Final = 60  # the agent's first one, with the calls before it
_REMOVED: Final = 2  # per code server, when the agent stops: ECS, then Cloud Map
_STOPS: Final = 10  # the agent's threads, before it removes its servers
_SPARE: Final = 300


@dataclass(frozen=True)
class HealthCheck:
    """When ECS asks the agent's container whether it is well. All but ``retries`` in seconds."""

    interval: int
    timeout: int
    start_period: int
    retries: int

    @property
    def patience(self) -> int:
        """How long a container may be unwell from its start on before ECS ends it."""
        return self.start_period + self.interval * (self.retries - 1)


@dataclass(frozen=True)
class EcsTiming:
    """What follows from how long a code server may take. In seconds."""

    server_start: int
    """A code server, once its task runs (the launcher's ``server_process_startup_timeout``)."""
    task_start: int
    """The task of a code server (``ecs_timeout``)."""
    first_start: int
    """The longest that the agent takes from its own start until all its code servers answer or have failed."""
    health: HealthCheck
    cleanup_grace: int
    """How old a code server of an agent that is gone must be before another agent removes it. It is longer than a
    first start, so that no server is removed whose agent only has not reported yet."""
    cleanup_interval: int
    """How often the agent looks for such servers."""
    stop: int
    """What the agent has between SIGTERM and SIGKILL."""
    agent_ready: int
    """How long to wait for the agent to be RUNNING in Dagster+."""
    locations_ready: int
    """How long to wait for all locations to load, the agent's own start included."""
    servers_left_behind: int
    """How many code servers an agent with so many locations has no time to remove when it stops; 0: none. Its
    successor, or ``hybrid down``, removes them."""

    def environment(self) -> dict[str, str]:
        """The agent's variables for its clean-up (names: user_code_launcher.py)."""
        return {
            "DAGSTER_CLOUD_CLEANUP_SERVER_GRACE_PERIOD_SECONDS": str(self.cleanup_grace),
            "DAGSTER_CLOUD_CLEANUP_SERVER_CHECK_INTERVAL": str(self.cleanup_interval),
        }


def first_start(server_start: int, task_start: int, locations: int) -> int:
    """The longest first start of an agent with ``locations`` locations, in seconds; the same for 1 to 25, 26 to 50…"""
    return max(1, ceil(locations / _STEP)) * _STEP * _ASKED + task_start + server_start + _LISTED


def timing(
    *,
    server_start: int,
    task_start: int,
    stop: int,
    locations: int = 1,
    cleanup_grace: int | None = None,
) -> EcsTiming:
    """All numbers from a few, in seconds; ``locations`` is how many the agent serves.

    ``cleanup_grace``: the stack's own, instead of the computed one. Raises ``ValueError`` with the reason when the
    numbers do not go together.
    """
    if locations < 0:
        raise ValueError("a number of locations is not negative")
    longest = first_start(server_start, task_start, locations)
    if longest > LONGEST_FIRST_START:
        raise ValueError(
            f"with {server_start} s for a code server and {task_start} s for its task, the agent may need {longest} s "
            f"until its code servers answer, and ECS ends a container that is not well after {LONGEST_FIRST_START} s "
            "at most; lower `startupTimeoutSeconds` or `ecsTimeoutSeconds`"
        )
    if not 1 <= stop <= LONGEST_STOP:
        raise ValueError(f"Fargate waits 1 to {LONGEST_STOP} s for a container to stop, not {stop}")
    grace = longest + _SPARE if cleanup_grace is None else cleanup_grace
    if grace <= longest:
        raise ValueError(
            f"`cleanupGraceSeconds` is {grace}, and an agent may take {longest} s to start its code servers: another "
            f"one could remove them meanwhile; give more than {longest}"
        )
    return EcsTiming(
        server_start=server_start,
        task_start=task_start,
        first_start=longest,
        health=_health(longest),
        cleanup_grace=grace,
        cleanup_interval=600,
        stop=stop,
        agent_ready=_TASK_STARTS + _HEARTBEAT,
        locations_ready=_TASK_STARTS + _HEARTBEAT + longest,
        servers_left_behind=max(0, locations - max(0, stop - _STOPS) // _REMOVED),
    )


def _health(longest: int) -> HealthCheck:
    start = min(LONGEST_START_PERIOD, longest)
    interval = max(_SHORTEST_INTERVAL, ceil((longest - start) / (MOST_RETRIES - 1)))
    return HealthCheck(interval=interval, timeout=10, start_period=start, retries=MOST_RETRIES)
