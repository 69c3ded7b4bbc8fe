"""``hybrid logs``: what the stack's processes and containers have written."""

from __future__ import annotations

from typing import Annotated

import typer

from hybrid.cli.stack import StackName
from hybrid.workspace import Workspace


def register(app: typer.Typer) -> None:
    app.command()(logs)


def logs(
    stack: StackName = "local",
    process: Annotated[
        str,
        typer.Argument(help="agent, emulator, or of a stack with containers a code location.", metavar="[PROCESS]"),
    ] = "agent",
    lines: Annotated[int, typer.Option("-n", "--lines", help="How many of the last lines.", min=0)] = 50,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on until Ctrl-C.")] = False,
) -> None:
    """Print the log of one of the stack's processes.

    Code servers of a local stack write into the agent's. In a Docker stack each has a container, and is named by its
    code location; in one on ECS likewise, and `hybrid agent logs` goes further back and has the logs of runs.

    Examples: [bold]hybrid logs local -f[/]  ·  [bold]hybrid logs local emulator -n 200[/]  ·
    [bold]hybrid logs docker hello[/]
    """
    from hybrid.cli.log_lines import say
    from hybrid.cli.platform import platform_of
    from hybrid.engine.stack import Stack, identity
    from hybrid.platforms.commands import LogLine, LogRequest
    from hybrid.platforms.process_logs import process_log, process_names

    workspace = Workspace.of_this_checkout()
    folder = workspace.of_stack(stack)
    if process in process_names(folder):
        for text in process_log(folder, process, lines, follow=follow):
            say(LogLine(text))
        return
    location = None if process == "agent" else process
    # the agent's log is there to be read when a location's files cannot be
    standing = Stack(identity(workspace, stack), ()) if location is None else Stack.read(workspace, stack)
    platform_of(standing).logs(LogRequest(location, lines=lines, follow=follow), say)
