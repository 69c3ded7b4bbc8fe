"""``hybrid agent restart``: the agent anew, without another change."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import typer

from hybrid.cli import stack as stacks
from hybrid.cli.agent.changes import REDEPLOYED, AgentSetting, Named, bring_up, stack_named
from hybrid.cli.stack import Json, Yes
from hybrid.errors import NotReadyError
from hybrid.workspace import Workspace

if TYPE_CHECKING:
    from hybrid.engine.engine import Outcome
    from hybrid.engine.stack import Stack

KEY = "restarts"


def register(app: typer.Typer) -> None:
    app.command()(restart)


def restart(stack: Named, yes: Yes = False, as_json: Json = False) -> None:
    """Start the agent anew, and with it every code location; ends when it is RUNNING and all are loaded.

    It goes through the stack, so that state and what stands agree. On ECS it counts `hybrid:agent.restarts` in the
    stack's file up: commit that, or whoever runs `up` without it restarts the agent once more. In a Docker or local
    stack the agent is stopped, and `up` starts it; the file stays as it is.

    Examples: [bold]hybrid agent restart prod[/]  ·  [bold]hybrid agent restart local[/]
    """
    from hybrid.cli.console import note
    from hybrid.cli.status import print_standing

    standing = stack_named(stack)
    note(f"{stack}: {REDEPLOYED}")
    stacks.require_agreement(stack, yes, "agent restart")
    stacks.check_beforehand(stack)
    outcome = _through_its_file(stack) if standing.who.settings.agent.kind == "ecs" else _stopped_and_up(standing)
    if not outcome.changes:
        raise NotReadyError(
            f"`up` changed nothing: the agent of the stack '{stack}' was not started anew.",
            next_step=f"look at `hybrid status {stack}`; `hybrid up {stack}` stands up what does not stand.",
        )
    if not print_standing(stack, as_json=as_json):
        raise typer.Exit(NotReadyError.exit_code)


def _through_its_file(stack: str) -> Outcome:
    from hybrid.cli.console import note

    setting = AgentSetting(stack, KEY)
    count = int(setting.before or 0) + 1
    setting.set(count)
    note(f"{setting.shown} is {count}.")
    return setting.bring_up(stack)


def _stopped_and_up(stack: Stack) -> Outcome:
    """What was stopped is drift to `up`, which looks first and starts what is not there."""
    who = stack.who
    if who.settings.agent.kind == "docker":
        from hybrid.containers.docker import Docker

        # by its name, as agent/docker.py gives it; one that is not there is made by `up`
        Docker.find(os.environ).run("stop", f"hybrid-{who.stack}-agent", seconds=150.0, check=False)
    else:
        from hybrid.engine.local_agent import stop_agent

        stop_agent(Workspace.of_this_checkout(), who)
    return bring_up(who.stack)
