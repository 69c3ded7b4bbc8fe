"""``hybrid agent exec``: a shell in the agent's container, or in a code server's."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from hybrid.cli.agent.changes import Named, stack_named
from hybrid.errors import NotReadyError, ToolchainError, UsageError

if TYPE_CHECKING:
    from hybrid.aws.tasks import Task
    from hybrid.engine.ecs import EcsPlace
    from hybrid.engine.stack import Stack

_AGENT_CONTAINER = "agent"  # agent/ecs_task.py
_CODE_CONTAINER = "dagster"  # CONTAINER_NAME in dagster_cloud/workspace/ecs/launcher.py
_PLUGIN = "session-manager-plugin"


def register(app: typer.Typer) -> None:
    app.command(name="exec")(execute)


def execute(
    stack: Named,
    location: Annotated[str | None, typer.Option("--location", metavar="NAME", help="In its code server.")] = None,
    command: Annotated[str, typer.Option("--command", help="What to run there.")] = "/bin/sh",
    show: Annotated[bool, typer.Option("--print", help="Print the command instead of running it.")] = False,
) -> None:
    """Open a shell in the agent's container: by ECS Exec where the stack allows it (`hybrid:agent.exec`), in a Docker
    stack by docker.

    Examples: [bold]hybrid agent exec prod[/]  ·  [bold]hybrid agent exec prod --location hello --print[/]
    """
    standing = stack_named(stack)
    kind = standing.who.settings.agent.kind
    if kind == "local":
        raise UsageError(
            f"The agent of the stack '{stack}' is a process of this machine; there is nothing to enter.",
            next_step=f"`hybrid agent logs {stack}`; its folder is {standing.who.folder.process('agent')}.",
        )
    arguments = _of_ecs(standing, location, command, checked=not show) if kind == "ecs" else _of_docker(
        standing, location, command
    )  # fmt: skip
    if show:
        sys.stdout.write(shlex.join(arguments) + "\n")
        return
    sys.stdout.flush()
    os.execvp(arguments[0], arguments)  # noqa: S606 - the person's own tool takes over, with its terminal


def _of_docker(stack: Stack, location: str | None, command: str) -> list[str]:
    from hybrid.containers.docker import Docker

    if location is not None:
        raise UsageError(
            "In a Docker stack --location is not entered by this command.",
            next_step=f"`docker ps --filter label=io.dagster-hybrid.location={location}` names its container for "
            "`docker exec -it`.",
        )
    docker = str(Docker.find(os.environ).executable)
    terminal = ["--tty"] if sys.stdin.isatty() else []
    return [docker, "exec", "--interactive", *terminal, f"hybrid-{stack.who.stack}-agent", *shlex.split(command)]


def _of_ecs(stack: Stack, location: str | None, command: str, *, checked: bool) -> list[str]:
    from hybrid.engine.ecs import EcsPlace

    place = EcsPlace.of(stack.who)
    if not place.exec_enabled:
        raise UsageError(
            f"The stack '{place.stack}' does not allow ECS Exec.",
            why="`hybrid:agent.exec` is not true: neither the tasks nor their roles are made for it.",
            next_step=f"set it in stacks/Pulumi.{place.stack}.yaml and `hybrid up {place.stack}`; the agent starts "
            "anew, and so does every code location.",
        )
    if checked:
        _require_tools()
    task = _task(stack, place, location)
    container = _AGENT_CONTAINER if location is None else _CODE_CONTAINER
    where = ["--region", place.region, "--cluster", place.cluster, "--task", task.id, "--container", container]
    return ["aws", "ecs", "execute-command", *where, "--interactive", "--command", command]


def _task(stack: Stack, place: EcsPlace, location: str | None) -> Task:
    from hybrid.aws.made import made_in
    from hybrid.aws.session import Aws
    from hybrid.aws.tags import location_hash

    made = made_in(Aws(place.region, place.account), place.cluster, place.service, place.base)
    tasks = list(made.agent_tasks)
    if location is not None:
        from hybrid.cli.locations.selection import known

        known(stack, location)
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


def _require_tools() -> None:
    missing = [name for name in ("aws", _PLUGIN) if shutil.which(name) is None]
    if missing:
        raise ToolchainError(
            f"A shell on ECS needs {' and '.join(missing)}, and PATH has none.",
            why="ECS Exec is a session of AWS Systems Manager, which the AWS CLI opens by its plugin.",
            next_step="install them: https://docs.aws.amazon.com/systems-manager/latest/userguide/"
            "session-manager-working-with-install-plugin.html; `--print` shows the command.",
        )
