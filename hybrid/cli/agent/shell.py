"""``hybrid agent exec``: a shell in the agent's container, or in a code server's."""

from __future__ import annotations

import os
import shlex
import sys
from typing import Annotated

import typer

from hybrid.cli.agent.changes import Named, stack_named


def register(app: typer.Typer) -> None:
    app.command(name="exec")(execute)


def execute(
    stack: Named,
    location: Annotated[str | None, typer.Option("--location", metavar="NAME", help="In its code server.")] = None,
    command: Annotated[str, typer.Option("--command", help="What to run there.")] = "/bin/sh",
    show: Annotated[bool, typer.Option("--print", help="Print the command instead of running it.")] = False,
) -> None:
    """Open a shell in the agent's container: by ECS Exec where the stack allows it (`hybrid:agent.exec`), by kubectl on
    Kubernetes, by az in Azure, by docker in a Docker stack.

    Examples: [bold]hybrid agent exec prod[/]  ·  [bold]hybrid agent exec prod --location hello --print[/]
    """
    from hybrid.cli.platform import platform_of

    arguments = platform_of(stack_named(stack)).shell(location, command, checked=not show)
    if show:
        sys.stdout.write(shlex.join(arguments) + "\n")
        return
    sys.stdout.flush()
    os.execvp(arguments[0], arguments)  # noqa: S606 - the person's own tool takes over, with its terminal
