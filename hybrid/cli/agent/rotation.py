"""``hybrid agent rotate-token``: another agent token, with overlap."""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from hybrid.cli import stack as stacks
from hybrid.cli.agent.changes import REDEPLOYED, AgentSetting, Named, bring_up, stack_named
from hybrid.cli.stack import Json, Yes
from hybrid.errors import HybridError, UsageError
from hybrid.workspace import Workspace

if TYPE_CHECKING:
    from hybrid.engine.stack import Stack
    from hybrid.plus import AgentToken

KEY = "tokenRotation"
TOKEN_RESOURCE = "agent-token"  # noqa: S105 - its name in the stack's program
_SEPARATOR = ", rotation "  # between the token's description and its count (hybrid/provider/token_rotation.py)

# read by the provider, in a process of the engine's (hybrid/provider/token_rotation.py)
RUNS_VARIABLE = "HYBRID_RUNS_ON_ROTATION"
SECONDS_VARIABLE = "HYBRID_ROTATION_SECONDS"


class RunsOnRotation(StrEnum):
    """What happens to runs that were launched with the former token."""

    WAIT = "wait"
    TERMINATE = "terminate"
    LEAVE = "leave"


def register(app: typer.Typer) -> None:
    app.command(name="rotate-token")(rotate_token)


def rotate_token(
    stack: Named,
    runs: Annotated[
        RunsOnRotation,
        typer.Option(help="Runs that were launched with the former token: wait for them, terminate them, or leave them "
                     "to fail."),
    ] = RunsOnRotation.WAIT,
    wait_seconds: Annotated[
        int, typer.Option("--wait-seconds", help="How long to wait for them.", min=0, max=604_800)
    ] = 3600,
    finish: Annotated[
        bool, typer.Option("--finish", help="Make no other token; finish a rotation that was stopped or timed out.")
    ] = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Replace the agent's token, without a moment in which none is good: a new token, the agent started anew with it
    until it is RUNNING and all is loaded, and then the former one revoked, as soon as no run needs it any more.

    Writes `hybrid:agent.tokenRotation` and runs `up`. When it is stopped or killed, or runs last longer than it waits,
    the former token stays good, and the next `up` finishes.

    Examples: [bold]hybrid agent rotate-token prod[/]  ·  [bold]hybrid agent rotate-token prod --runs terminate
    --wait-seconds 600[/]  ·  [bold]hybrid agent rotate-token prod --finish --runs leave[/]
    """
    from hybrid.cli.console import answer_json, note

    standing = stack_named(stack)
    _require_rotation(standing)
    if not finish:
        note(f"{stack}: {REDEPLOYED}")
    stacks.require_agreement(stack, yes, "agent rotate-token")
    stacks.check_beforehand(stack)
    variables = {RUNS_VARIABLE: runs.value, SECONDS_VARIABLE: str(wait_seconds)}
    if finish:
        bring_up(stack, variables)
    else:
        _refuse_pending(standing)
        setting = AgentSetting(stack, KEY)
        count = int(setting.before or 0) + 1
        setting.set(count)
        note(f"{setting.shown} is {count}.")
        setting.bring_up(stack, variables)
    tokens = tokens_of(standing)
    if as_json:
        answer_json(
            {"stack": stack, "token_id": tokens.current, "revoked": tokens.revoked, "still_good": tokens.former}
        )
        return
    note(f"The agent works with token {tokens.current}.")
    if tokens.former:
        note(f"Still good: {_ids(tokens.former)}. `hybrid agent rotate-token {stack} --finish` revokes what is left.")
    elif tokens.revoked:
        note(f"Revoked, now or before: {_ids(tokens.revoked)}.")


@dataclass(frozen=True)
class Tokens:
    """The stack's agent tokens by their ids in Dagster+: the one of its state, and those that it had before."""

    current: int
    former: list[int]
    """Those that are still good."""
    revoked: list[int]


def tokens_of(stack: Stack) -> Tokens:
    """Raises ``UsageError`` when the stack has no token: it does not stand."""
    from hybrid.cli.console import note
    from hybrid.cli.dagster_plus import client_of
    from hybrid.cli.tools import pulumi_with_progress
    from hybrid.engine.engine import Engine

    name = stack.who.stack
    engine = Engine(Workspace.of_this_checkout(), name, pulumi_with_progress(), dict(os.environ), note)
    told = engine.outputs_of(TOKEN_RESOURCE).get("tokenId")
    if told is None:
        raise UsageError(
            f"The stack '{name}' has no agent token: it does not stand.", next_step=f"`hybrid up {name}` makes one."
        )
    with client_of(stack.who) as client:
        return sorted_out(int(told), client.agent_tokens())


def sorted_out(current: int, tokens: list[AgentToken]) -> Tokens:
    """The stack's own of an organization's tokens, told by their descriptions."""
    mine = next((token for token in tokens if token.id == current), None)
    if mine is None:
        return Tokens(current, [], [])
    base = _base(mine.description)
    others = [token for token in tokens if token.id != current and base and _base(token.description) == base]
    return Tokens(
        current,
        former=sorted(token.id for token in others if not token.revoked),
        revoked=sorted(token.id for token in others if token.revoked),
    )


def _base(description: str | None) -> str:
    before, separator, count = (description or "").rpartition(_SEPARATOR)
    return before if separator and count.isdigit() else (description or "")


def _require_rotation(stack: Stack) -> None:
    if not hasattr(stack.who.settings.agent, "token_rotation"):
        raise UsageError(
            f"The token of the stack '{stack.who.stack}' is not rotated.",
            why=f"An agent of kind {stack.who.settings.agent.kind} has no hybrid:agent.{KEY}.",
            next_step=f"`hybrid down {stack.who.stack}` revokes it, and `hybrid up {stack.who.stack}` makes another.",
        )


def _refuse_pending(stack: Stack) -> None:
    """One rotation at a time: two former tokens would be two to wait for."""
    former = tokens_of(stack).former
    if former:
        raise HybridError(
            f"An earlier rotation of the stack '{stack.who.stack}' is not finished: {_ids(former)} is still good.",
            why="It was stopped, or a run lasted longer than it waited.",
            next_step=f"`hybrid agent rotate-token {stack.who.stack} --finish`, with `--runs terminate` or "
            "`--runs leave` when it shall not wait.",
        )


def _ids(numbers: list[int]) -> str:
    return f"token{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))}"
