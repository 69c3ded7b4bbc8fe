"""A shell in a task of an ECS stack, by ECS Exec: which task, and the command of the AWS CLI."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Final

from hybrid.errors import NotReadyError, ToolchainError, UsageError

if TYPE_CHECKING:
    from hybrid.aws.tasks import Task
    from hybrid.engine.stack import Stack
    from hybrid.platforms.ecs_place import EcsPlace

_AGENT_CONTAINER: Final = "agent"  # agent/ecs_task.py
_CODE_CONTAINER: Final = "dagster"  # CONTAINER_NAME in dagster_cloud/workspace/ecs/launcher.py
_PLUGIN: Final = "session-manager-plugin"


def ecs_exec(stack: Stack, place: EcsPlace, location: str | None, command: str) -> list[str]:
    """Raises ``UsageError`` for a location that the stack does not have, ``NotReadyError`` when no task runs."""
    task = _task(stack, place, location)
    container = _AGENT_CONTAINER if location is None else _CODE_CONTAINER
    where = ["--region", place.region, "--cluster", place.cluster, "--task", task.id, "--container", container]
    return ["aws", "ecs", "execute-command", *where, "--interactive", "--command", command]


def refuse_without_exec(place: EcsPlace) -> UsageError:
    """Of a stack whose tasks nobody may enter."""
    return UsageError(
        f"The stack '{place.stack}' does not allow ECS Exec.",
        why="`hybrid:agent.exec` is not true: neither the tasks nor their roles are made for it.",
        next_step=f"set it in stacks/Pulumi.{place.stack}.yaml and `hybrid up {place.stack}`; the agent starts "
        "anew, and so does every code location.",
    )


def require_tools() -> None:
    """Raises ``ToolchainError`` when the AWS CLI or its plugin is not on PATH."""
    missing = [name for name in ("aws", _PLUGIN) if shutil.which(name) is None]
    if missing:
        raise ToolchainError(
            f"A shell on ECS needs {' and '.join(missing)}, and PATH has none.",
            why="ECS Exec is a session of AWS Systems Manager, which the AWS CLI opens by its plugin.",
            next_step="install them: https://docs.aws.amazon.com/systems-manager/latest/userguide/"
            "session-manager-working-with-install-plugin.html; `--print` shows the command.",
        )


def _task(stack: Stack, place: EcsPlace, location: str | None) -> Task:
    from hybrid.aws.made import made_in
    from hybrid.aws.tags import location_hash

    made = made_in(place.door(), place.cluster, place.service, place.base)
    tasks = list(made.agent_tasks)
    if location is not None:
        stack.location(location)
        wanted = location_hash(stack.who.endpoint.deployment, location)
        tasks = [task for server in made.servers if server.service.location_hash == wanted for task in server.tasks]
    running = sorted((task for task in tasks if task.status == "RUNNING"), key=lambda task: task.created)
    if not running:
        what = "agent" if location is None else f"code server of {location}"
        raise NotReadyError(
            f"No {what} of the stack '{place.stack}' runs.",
            next_step=f"`hybrid status {place.stack}` says what does; `hybrid agent logs {place.stack}` why not.",
        )
    return running[-1]
