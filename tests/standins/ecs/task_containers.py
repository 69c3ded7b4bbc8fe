"""What a task definition's containers are for Docker. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

_SECOND: Final = 1_000_000_000  # Docker counts in nanoseconds
_STOP_TIMEOUT: Final = 30


@dataclass(frozen=True)
class TaskContainer:
    """One container of a task, with the overrides of RunTask laid over its definition."""

    name: str
    image: str
    essential: bool
    environment: Mapping[str, str]
    secrets: Mapping[str, str]
    """``valueFrom`` by name."""
    command: Sequence[str] | None
    entry_point: Sequence[str] | None
    health_check: Mapping[str, Any] | None
    stop_timeout: int
    """Seconds between SIGTERM and SIGKILL."""
    memory: int | None
    """MiB; the container's own hard limit."""
    log: Mapping[str, str] | None
    """The options of ``awslogs``."""
    depends_on: Mapping[str, str]
    """``START``, ``HEALTHY``, ``COMPLETE`` or ``SUCCESS`` by the other's name."""
    mounts: Mapping[str, tuple[str, bool]]
    """Volume and whether it is read-only, by path."""
    user: str | None = None
    working_directory: str | None = None
    read_only: bool = False
    init: bool = False
    capabilities: Sequence[str] = ()
    dropped: Sequence[str] = ()
    """Capabilities that root has otherwise."""
    labels: Mapping[str, str] = field(default_factory=dict)


def containers_of(definition: Any, overrides: Mapping[str, Any]) -> list[TaskContainer]:
    """Of moto's task definition, in the order in which they start."""
    laid_over = {one["name"]: one for one in overrides.get("containerOverrides", [])}
    found = [_container(one, laid_over.get(one["name"], {})) for one in definition.container_definitions]
    return _in_order(found)


def _container(one: Mapping[str, Any], over: Mapping[str, Any]) -> TaskContainer:
    linux = one.get("linuxParameters") or {}
    log = one.get("logConfiguration") or {}
    variables = {pair["name"]: pair["value"] for pair in [*one.get("environment", []), *over.get("environment", [])]}
    return TaskContainer(
        name=one["name"],
        image=one["image"],
        essential=bool(one.get("essential", True)),
        environment=variables,
        secrets={secret["name"]: secret["valueFrom"] for secret in one.get("secrets", [])},
        command=over.get("command") or one.get("command"),
        entry_point=one.get("entryPoint") or None,
        health_check=one.get("healthCheck"),
        stop_timeout=int(one.get("stopTimeout") or _STOP_TIMEOUT),
        memory=over.get("memory") or one.get("memory"),
        log=log.get("options") if log.get("logDriver") == "awslogs" else None,
        depends_on={pair["containerName"]: pair["condition"] for pair in one.get("dependsOn", [])},
        mounts={
            pair["containerPath"]: (pair["sourceVolume"], bool(pair.get("readOnly")))
            for pair in one.get("mountPoints", [])
        },
        user=one.get("user"),
        working_directory=one.get("workingDirectory"),
        read_only=bool(one.get("readonlyRootFilesystem")),
        init=bool(linux.get("initProcessEnabled")),
        capabilities=tuple((linux.get("capabilities") or {}).get("add", ())),
        dropped=tuple((linux.get("capabilities") or {}).get("drop", ())),
        labels=one.get("dockerLabels") or {},
    )


def _in_order(containers: list[TaskContainer]) -> list[TaskContainer]:
    placed: list[TaskContainer] = []
    left = list(containers)
    while left:
        names = {one.name for one in placed}
        ready = [one for one in left if set(one.depends_on) <= names]
        if not ready:
            raise ValueError(f"the containers {', '.join(one.name for one in left)} wait for each other")
        placed.append(ready[0])
        left.remove(ready[0])
    return placed


def docker_health_check(check: Mapping[str, Any] | None) -> dict[str, Any]:
    """ECS ignores the image's own check, so that without one there is none."""
    if not check:
        return {"test": ["NONE"]}
    return {
        "test": list(check["command"]) if check["command"][0].startswith("CMD") else ["CMD", *check["command"]],
        "interval": int(check.get("interval", 30)) * _SECOND,
        "timeout": int(check.get("timeout", 5)) * _SECOND,
        "retries": int(check.get("retries", 3)),
        "start_period": int(check.get("startPeriod", 0)) * _SECOND,
    }
