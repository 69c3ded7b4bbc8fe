"""``hybrid agent restart``: the agent anew, without another change."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from hybrid.cli import stack as stacks
from hybrid.cli.agent.changes import REDEPLOYED, AgentSetting, Named, bring_up, stack_named
from hybrid.cli.stack import Json, Yes
from hybrid.errors import NotReadyError

if TYPE_CHECKING:
    from hybrid.engine.engine import Outcome

KEY = "restarts"


def register(app: typer.Typer) -> None:
    app.command()(restart)


def restart(stack: Named, yes: Yes = False, as_json: Json = False) -> None:
    """Start the agent anew, and with it every code location; ends when it is RUNNING and all are loaded.

    It goes through the stack, so that state and what stands agree. On ECS, Kubernetes and Azure it
    counts `hybrid:agent.restarts` in the stack's file up: commit that, or whoever runs `up` without it restarts the
    agent once more. In a Docker or local stack the agent is stopped, and `up` starts it; the file stays as it is.

    Examples: [bold]hybrid agent restart prod[/]  ·  [bold]hybrid agent restart local[/]
    """
    from hybrid.cli.console import note
    from hybrid.cli.platform import platform_of
    from hybrid.cli.status import print_standing

    standing = stack_named(stack)
    note(f"{stack}: {REDEPLOYED}")
    stacks.require_agreement(stack, yes, "agent restart")
    stacks.check_beforehand(stack)
    # what was stopped is drift to `up`, which looks first and starts what is not there
    outcome = bring_up(stack) if platform_of(standing).stop_agent() else _through_its_file(stack)
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
