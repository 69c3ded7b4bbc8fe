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
    from hybrid.aws.session import Aws
    from hybrid.engine.stack import Stack

_POLL_SECONDS = 5.0
_REASONS = {
    "docker": "a second agent on the same engine would go down with the first",
    "local": "a second agent on this machine would go down with the first",
}


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
    _require_ecs(standing)
    stacks.require_agreement(stack, yes, "agent scale")
    stacks.check_beforehand(stack)
    setting = AgentSetting(stack, "replicas")
    changed = setting.set(replicas)
    note(f"{setting.shown} {'is' if changed else 'was already'} {replicas}.")
    outcome = setting.bring_up(stack)
    count = await_running(stack_named(stack), replicas)
    if as_json:
        shown = {"service": count.of_service, "dagster_plus": count.in_dagster_plus}
        answer_json({"stack": stack, "replicas": replicas, "changes": outcome.changes, "running": shown})
    else:
        note(f"Running tasks of the service: {count.of_service}; agents RUNNING in Dagster+: {count.in_dagster_plus}.")


def _require_ecs(stack: Stack) -> None:
    kind = stack.who.settings.agent.kind
    if kind != "ecs":
        raise UsageError(
            f"The agent of the stack '{stack.who.stack}' is of kind {kind} and has no replicas.",
            why=f"Replicas are for an agent that must outlast a machine; {_REASONS.get(kind, 'here it has one')}.",
            next_step="for more, stand up a stack of kind ecs, or a second stack with a queue of its own "
            "(`hybrid:agent.queues`).",
        )


@dataclass(frozen=True)
class Running:
    """How many agents there are: tasks of the service, and RUNNING ones with the stack's label in Dagster+, which
    shows one that ended for about a minute more."""

    of_service: int
    in_dagster_plus: int

    def is_enough(self, replicas: int) -> bool:
        return self.of_service == replicas and self.in_dagster_plus >= replicas


def await_running(stack: Stack, replicas: int) -> Running:
    """Wait for so many, no longer than readiness may take. Raises ``NotReadyError``."""
    from hybrid.aws.session import Aws
    from hybrid.cli.console import note
    from hybrid.engine.ecs import EcsPlace

    place = EcsPlace.of(stack.who)
    aws = Aws(place.region, place.account)
    bound = stack.who.settings.readiness.timeout_seconds
    deadline = time.monotonic() + bound
    said: Running | None = None
    while True:
        found = _look(stack, aws, place.cluster, place.service)
        if found.is_enough(replicas):
            return found
        if found != said:
            note(f"waiting for {replicas}: {found.of_service} run, {found.in_dagster_plus} are RUNNING in Dagster+")
            said = found
        if time.monotonic() >= deadline:
            raise NotReadyError(
                f"After {bound} s {found.of_service} of {replicas} agents run, and {found.in_dagster_plus} are RUNNING "
                "in Dagster+.",
                next_step=f"`hybrid status {stack.who.stack}` and `hybrid agent logs {stack.who.stack}` say more.",
            )
        time.sleep(_POLL_SECONDS)


def _look(stack: Stack, aws: Aws, cluster: str, service: str) -> Running:
    from hybrid.aws.services import service_named
    from hybrid.cli.dagster_plus import client_of

    found = service_named(aws, cluster, service)
    with client_of(stack.who) as client:
        mine = [agent for agent in client.agents() if agent.label == stack.who.agent_label and agent.is_running]
    return Running(found.running if found else 0, len(mine))
