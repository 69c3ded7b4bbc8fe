"""``hybrid agent scale``: how many agents serve the deployment."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from hybrid.cli import stack as stacks
from hybrid.cli.agent.changes import AgentSetting, Named, stack_named
from hybrid.cli.stack import Json, Yes
from hybrid.errors import NotReadyError, UsageError

if TYPE_CHECKING:
    from hybrid.engine.stack import Stack
    from hybrid.platforms.commands import PlatformCommands

_POLL_SECONDS = 5.0


def register(app: typer.Typer) -> None:
    app.command()(scale)


def scale(
    stack: Named,
    replicas: Annotated[int, typer.Argument(help="How many agents, 1 to 5.", min=1, max=5, metavar="N")],
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Let N agents serve the deployment. Writes `hybrid:agent.replicas`, runs `up`, and ends when N are RUNNING. Each
    agent has code servers of its own for every location: two cost twice as much.

    Examples: [bold]hybrid agent scale prod 2[/]  ·  [bold]hybrid agent scale prod 1 --yes[/]
    """
    from hybrid.cli.console import answer_json, note

    standing = stack_named(stack)
    _require_replicas(standing)
    stacks.require_agreement(stack, yes, "agent scale")
    stacks.check_beforehand(stack)
    setting = AgentSetting(stack, "replicas")
    changed = setting.set(replicas)
    note(f"{setting.shown} {'is' if changed else 'was already'} {replicas}.")
    outcome = setting.bring_up(stack)
    count = await_running(stack_named(stack), replicas)
    if as_json:
        shown = {"service": count.on_platform, "dagster_plus": count.in_dagster_plus}
        answer_json({"stack": stack, "replicas": replicas, "changes": outcome.changes, "running": shown})
    else:
        note(f"Running on the platform: {count.on_platform}; agents RUNNING in Dagster+: {count.in_dagster_plus}.")


def _require_replicas(stack: Stack) -> None:
    from hybrid.cli.platform import platform_of

    reason = platform_of(stack).single
    if reason is not None:
        raise UsageError(
            f"The agent of the stack '{stack.who.stack}' is of kind {stack.who.settings.agent.kind} and has no "
            "replicas.",
            why=f"Replicas are for an agent that must outlast a machine; {reason}.",
            next_step="for more, stand up a stack of kind ecs or kubernetes, or a second stack with a queue of its own "
            "(`hybrid:agent.queues`).",
        )


@dataclass(frozen=True)
class Running:
    """How many agents there are: those that the platform runs, and RUNNING ones with the stack's label in Dagster+,
    which shows one that ended for about a minute more."""

    on_platform: int
    in_dagster_plus: int

    def is_enough(self, replicas: int) -> bool:
        return self.on_platform == replicas and self.in_dagster_plus >= replicas


def await_running(stack: Stack, replicas: int) -> Running:
    """Wait for so many, no longer than readiness may take. Raises ``NotReadyError``."""
    from hybrid.cli.console import note
    from hybrid.cli.platform import platform_of

    platform = platform_of(stack)
    bound = stack.who.settings.readiness.timeout_seconds
    deadline = time.monotonic() + bound
    said: Running | None = None
    while True:
        found = _look(platform)
        if found.is_enough(replicas):
            return found
        if found != said:
            note(f"waiting for {replicas}: {found.on_platform} run, {found.in_dagster_plus} are RUNNING in Dagster+")
            said = found
        if time.monotonic() >= deadline:
            raise NotReadyError(
                f"After {bound} s {found.on_platform} of {replicas} agents run, and {found.in_dagster_plus} are "
                "RUNNING in Dagster+.",
                next_step=f"`hybrid status {stack.who.stack}` and `hybrid agent logs {stack.who.stack}` say more.",
            )
        time.sleep(_POLL_SECONDS)


def _look(platform: PlatformCommands) -> Running:
    running, label = platform.agents_running(), platform.stack.who.agent_label
    with platform.plus() as client:
        mine = [agent for agent in client.agents() if agent.label == label and agent.is_running]
    return Running(running, len(mine))
