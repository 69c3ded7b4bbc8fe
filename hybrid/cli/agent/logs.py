"""``hybrid agent logs``: what the agent, a code server or a run has written, wherever it lives."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

import typer

from hybrid.cli.agent.changes import Named, stack_named
from hybrid.errors import UsageError

_SINCE = re.compile(r"(\d{1,5})([smhd])")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def register(app: typer.Typer) -> None:
    app.command()(logs)


def logs(
    stack: Named,
    location: Annotated[str | None, typer.Option("--location", metavar="NAME", help="Its code server's.")] = None,
    run: Annotated[str | None, typer.Option("--run", metavar="ID", help="A run's.")] = None,
    agent: Annotated[bool, typer.Option("--agent", help="The agent's own; so it is without the others.")] = False,
    since: Annotated[
        str | None,
        typer.Option(
            "--since", help="How far back: 90s, 30m, 1h, 2d. Default: 1h on ECS and Azure, else all there is."
        ),
    ] = None,
    lines: Annotated[int, typer.Option("-n", "--lines", help="How many of the last lines.", min=0)] = 50,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on until Ctrl-C.")] = False,
) -> None:
    """Print the log of the agent, of a location's code server, or of a run: from CloudWatch on ECS, of the pods that
    are there on Kubernetes, from Log Analytics in Azure, some minutes later and not followed, elsewhere as `hybrid
    logs` does.

    Examples: [bold]hybrid agent logs prod -f[/]  ·  [bold]hybrid agent logs prod --location hello --since 2h[/]  ·
    [bold]hybrid agent logs prod --run 5f0c1d2e-… -n 500[/]
    """
    from hybrid.cli.log_lines import say
    from hybrid.cli.platform import platform_of
    from hybrid.platforms.commands import LogRequest

    if sum((location is not None, run is not None, agent)) > 1:
        raise UsageError("--agent, --location and --run exclude each other.", next_step="give one of them.")
    wanted = LogRequest(location, run, lines, None if since is None else _back(since), follow)
    platform_of(stack_named(stack)).logs(wanted, say)


def _back(text: str) -> timedelta:
    found = _SINCE.fullmatch(text)
    if found is None or int(found[1]) == 0:
        raise UsageError(f"--since {text} is no time.", next_step="write --since 90s, 30m, 1h or 2d.")
    return timedelta(seconds=int(found[1]) * _UNITS[found[2]])
