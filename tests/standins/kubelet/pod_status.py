"""A Pod's status, from its containers. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol


class Container(Protocol):
    """As much of a container's life as a status tells."""

    @property
    def running(self) -> bool: ...
    @property
    def ready(self) -> bool: ...
    @property
    def exit_code(self) -> int | None: ...
    @property
    def state(self) -> dict[str, Any]: ...
    @property
    def restart_count(self) -> int: ...
    def status(self) -> dict[str, Any]: ...


def phase_of(containers: Sequence[Container]) -> str:
    """Of the main containers, whose restarts are over when they have an exit code."""
    if containers and all(one.exit_code is not None for one in containers):
        return "Succeeded" if all(one.exit_code == 0 for one in containers) else "Failed"
    if containers and all(one.running or one.exit_code is not None or one.restart_count for one in containers):
        return "Running"
    return "Pending"


def status_of(
    init: Sequence[Container], main: Sequence[Container], *, initialized: bool, address: str, host: str, since: str,
    failed: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """The merge patch for a Pod's status. ``failed``: an init container has, and there is no other try."""
    phase = "Failed" if failed else phase_of(main)
    ready = initialized and phase == "Running" and all(one.ready for one in main)
    done = {"Succeeded": "PodCompleted", "Failed": "PodFailed"}.get(phase)
    why = done or ("" if ready else "ContainersNotReady")
    conditions = {
        "PodReadyToStartContainers": bool(address), "Initialized": initialized, "ContainersReady": ready,
        "Ready": ready,
    }  # fmt: skip
    return {
        "phase": phase,
        "conditions": [
            {"type": kind, "status": str(holds), **({"reason": why} if why and not holds else {"reason": None})}
            for kind, holds in conditions.items()
        ],
        "hostIP": host,
        "hostIPs": [{"ip": host}],
        "startTime": since,
        "initContainerStatuses": [one.status() for one in init],
        "containerStatuses": [one.status() for one in main],
        **({"podIP": address, "podIPs": [{"ip": address}]} if address else {}),
    }
