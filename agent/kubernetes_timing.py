"""How long things may take on Kubernetes, computed together: each of these numbers is wrong without the others.

When an agent starts, it makes a ConfigMap, a Deployment and a Service for each location, one after the other; then it
waits for all at once, first for their pods, then for the code in them to load (``_reconcile`` of
dagster_cloud/workspace/user_code_launcher/user_code_launcher.py, ``wait_for_deployment_complete`` of
dagster_cloud/workspace/kubernetes/utils.py, 1.13.27). Only then it writes the file by which its pod becomes ready.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Final

_ASKED: Final = 2  # per location: three calls of the cluster's API, throttled now and then
_STEP: Final = 25  # locations are counted in such steps: one more must not change, and so restart, the agent
_LISTED: Final = 180  # DAGSTER_CLOUD_LIST_REPOSITORIES_GRPC_TIMEOUT: the definitions, once the server answers
_POD_STARTS: Final = 300  # a node that has to be added, and an image of about 300 MB
_HEARTBEAT: Final = 60  # the agent's first one, with the calls before it
_SPARE: Final = 300
_SHORTEST_SILENCE: Final = 900


@dataclass(frozen=True)
class KubernetesTiming:
    """What follows from how long a code server may take. In seconds."""

    first_start: int
    """The longest that the agent takes from its own start until all its code servers answer or have failed."""
    progress_deadline: int
    """How long the Deployment may make no progress before Kubernetes calls it failed."""
    cleanup_grace: int
    """How old a code server of an agent that is gone must be before another agent removes it. It is longer than a
    first start, so that no server is removed whose agent only has not reported yet."""
    cleanup_interval: int
    """How often the agent looks for such servers."""
    silence: int
    """How old the sign of life may be before the agent's container is started anew. A Dagster+ that does not answer
    holds the agent up for the whole of its retries, and a restart would not help."""
    agent_ready: int
    """How long to wait for the agent to be RUNNING in Dagster+."""
    locations_ready: int
    """How long to wait for all locations to load, the agent's own start included."""

    def environment(self) -> dict[str, str]:
        """The agent's variables for its clean-up (names: user_code_launcher.py)."""
        return {
            "DAGSTER_CLOUD_CLEANUP_SERVER_GRACE_PERIOD_SECONDS": str(self.cleanup_grace),
            "DAGSTER_CLOUD_CLEANUP_SERVER_CHECK_INTERVAL": str(self.cleanup_interval),
        }


def timing(
    *,
    server_start: int,
    pod_start: int,
    api_timeout: int,
    api_retries: int,
    locations: int = 1,
    cleanup_grace: int | None = None,
) -> KubernetesTiming:
    """All numbers from a few, in seconds; ``locations`` is how many the agent serves.

    ``server_start``: the launcher's ``server_process_startup_timeout``; ``pod_start``: its
    ``deployment_startup_timeout``. ``cleanup_grace``: the stack's own, instead of the computed one. Raises
    ``ValueError`` with the reason when the numbers do not go together.
    """
    longest = max(1, ceil(locations / _STEP)) * _STEP * _ASKED + pod_start + server_start + _LISTED
    grace = longest + _SPARE if cleanup_grace is None else cleanup_grace
    if grace <= longest:
        raise ValueError(
            f"`cleanupGraceSeconds` is {grace}, and an agent may take {longest} s to start its code servers: another "
            f"one could remove them meanwhile; give more than {longest}"
        )
    one_request = api_timeout * (api_retries + 1) + 2**api_retries
    return KubernetesTiming(
        first_start=longest,
        progress_deadline=_POD_STARTS + longest + _SPARE,
        cleanup_grace=grace,
        cleanup_interval=600,
        silence=max(_SHORTEST_SILENCE, 2 * one_request),
        agent_ready=_POD_STARTS + _HEARTBEAT,
        locations_ready=_POD_STARTS + _HEARTBEAT + longest,
    )
