"""``hybrid up``, ``preview``, ``refresh`` and ``down``: a stack by the engine, with words for people."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hybrid.errors import NotReadyError, UsageError
from hybrid.workspace import Workspace

if TYPE_CHECKING:
    from hybrid.engine.engine import Command, Outcome
    from stacks.identity import StackIdentity

StackName = Annotated[str, typer.Argument(help="The stack: a file stacks/Pulumi.STACK.yaml.", metavar="STACK")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before an organization's stack is changed.")]
Json = Annotated[bool, typer.Option("--json", help="Answer with one JSON document on standard output.")]
Policies = Annotated[
    bool, typer.Option("--policies", help="Hold every resource against the policy pack (docs/policies.md).")
]


RUNS_ON_DOWN = "HYBRID_RUNS_ON_DOWN"


class RunsOnDown(StrEnum):
    """What `down` does with runs in progress."""

    WAIT = "wait"
    TERMINATE = "terminate"
    LEAVE = "leave"


def register(app: typer.Typer) -> None:
    app.command()(up)
    app.command()(preview)
    app.command()(refresh)
    app.command()(down)


def up(stack: StackName = "local", yes: Yes = False, policies: Policies = False, as_json: Json = False) -> None:
    """Stand the stack up, or bring it to what its file says; ends when the agent is RUNNING and all is loaded.

    With --policies a preview comes first, and nothing is changed when it breaks a mandatory rule.

    Examples: [bold]hybrid up[/]  ·  [bold]hybrid up prod --yes[/]
    """
    from hybrid.cli.console import note
    from hybrid.cli.status import print_standing
    from hybrid.engine.stack import identity

    require_agreement(stack, yes, "up")
    check_beforehand(stack)
    if policies:
        _refuse_what_breaks_rules(stack)
    outcome = _run(stack, "up", policies=policies)
    note("Nothing had to change." if not outcome.changes else f"Done: {_counts(outcome)}.")
    ready = print_standing(stack, as_json=as_json, more=_said(outcome) if policies else None)
    if identity(Workspace.of_this_checkout(), stack).settings.phase == "prepare":
        note("The phase is prepare: the agent is started, no location is registered, and nothing is waited for.")
    elif not ready:
        raise typer.Exit(NotReadyError.exit_code)


def preview(stack: StackName = "local", policies: Policies = False, as_json: Json = False) -> None:
    """Show what `up` would do. Starts and installs nothing, and changes nothing in Dagster+.

    Example: [bold]hybrid preview local[/]
    """
    from hybrid.cli.console import answer_json, note
    from hybrid.engine.policies import refused

    check_beforehand(stack)
    outcome = _run(stack, "preview", policies=policies)
    if as_json:
        steps = [
            {"resource": str(step.resource), "operation": step.operation, "because": list(step.reasons)}
            for step in outcome.steps
        ]
        answer = {"stack": stack, "changes": outcome.changes, "restarts": outcome.restarts.documents(), "steps": steps}
        answer_json({**answer, **(_said(outcome) if policies else {})})
    else:
        note("Nothing would change." if not outcome.changes else f"Would do: {_counts(outcome, done=False)}.")
        if policies and not outcome.policies:
            note("No rule of the policy pack is broken.")
    if outcome.refused:
        raise refused(outcome.refused, f"hybrid preview {stack} --policies")


def refresh(stack: StackName = "local", as_json: Json = False) -> None:
    """Look at what really stands and take it into the state: processes that died, locations changed by others.

    Example: [bold]hybrid refresh local && hybrid preview local[/]
    """
    from hybrid.cli.console import answer_json, note
    from hybrid.engine.stack import identity

    workspace = Workspace.of_this_checkout()
    if workspace.stack_file(stack).exists():  # a personal one is made on first use
        check_platform(identity(workspace, stack))
    outcome = _run(stack, "refresh")
    if as_json:
        answer_json({"stack": stack, "changes": outcome.changes})
    else:
        note("All is as the state says." if not outcome.changes else f"Taken into the state: {_counts(outcome)}.")


def down(
    stack: StackName = "local",
    yes: Yes = False,
    runs: Annotated[
        RunsOnDown | None, typer.Option(help="Runs in progress: wait for them, terminate them, or leave them.")
    ] = None,
) -> None:
    """Take the stack away: locations, agent, token, processes, containers, files. An embedded Dagster+ goes with its
    history and stored values, unless `hybrid:emulator.keepHistory` is set; an organization keeps both.

    Examples: [bold]hybrid down[/]  ·  [bold]hybrid down staging --yes --runs terminate[/]
    """
    from hybrid.cli.console import note
    from hybrid.engine.backend import is_personal
    from hybrid.engine.stack import identity

    workspace = Workspace.of_this_checkout()
    if not workspace.stack_file(stack).exists() and is_personal(workspace, stack):
        note(f"There is no stack '{stack}'; nothing to take away.")
        return
    who = identity(workspace, stack)
    require_agreement(stack, yes, "down")
    check_platform(who)
    # the provider reads it, in a process of the engine's
    outcome = _run(stack, "destroy", {RUNS_ON_DOWN: runs.value} if runs else {})
    note("Nothing was standing." if not outcome.changes else f"Taken away: {_counts(outcome)}.")


def _run(
    stack: str, command: Command, variables: Mapping[str, str] | None = None, *, policies: bool = False
) -> Outcome:
    from hybrid.cli.console import note, notes
    from hybrid.cli.progress import UpdateProgress
    from hybrid.cli.tools import pulumi_with_progress
    from hybrid.engine.engine import Engine

    workspace = Workspace.of_this_checkout()
    engine = Engine(workspace, stack, pulumi_with_progress(), {**os.environ, **(variables or {})}, note)
    with UpdateProgress(notes, preview=command == "preview") as progress:
        return engine.run(command, progress, policy_packs=[workspace.policies] if policies else ())


def _said(outcome: Outcome) -> dict[str, Any]:
    return {"policies": [finding.document() for finding in outcome.policies]}


def _refuse_what_breaks_rules(stack: str) -> None:
    """Some rules are about what belongs together, and in an update speak only when all of it is made."""
    from hybrid.engine.policies import refused

    if findings := _run(stack, "preview", policies=True).refused:
        raise refused(findings, f"hybrid up {stack} --policies")


def require_agreement(stack: str, yes: bool, command: str) -> None:
    """The embedded stack is this machine's own; what serves an organization is changed only when somebody agrees."""
    from hybrid.engine.stack import identity

    workspace = Workspace.of_this_checkout()
    if yes or not workspace.stack_file(stack).exists() or identity(workspace, stack).settings.embedded:
        return
    if not sys.stdin.isatty():
        raise UsageError(
            f"`hybrid {command} {stack}` would change an organization's stack and nobody is there to ask.",
            next_step=f"look at `hybrid preview {stack}`, then run `hybrid {command} {stack} --yes`.",
        )
    typer.confirm(f"{command} the stack '{stack}'?", abort=True)


def check_beforehand(name: str) -> None:
    """What can be known before anything starts: the stack file, the locations' files, of an organization whether it
    takes the token and the deployment waits for a Hybrid agent, and of AWS whether the credentials are of the stack's
    account.

    Raises ``SettingsError`` or the doors' own errors.
    """
    from hybrid.cli.dagster_plus import client_of
    from hybrid.engine.stack import Stack

    workspace = Workspace.of_this_checkout()
    if not workspace.stack_file(name).exists():
        return  # a personal one is made on first use; of others the engine says that they are missing
    stack = Stack.read(workspace, name)
    check_platform(stack.who)
    if stack.who.settings.embedded:
        return
    with client_of(stack.who) as client:
        deployment = client.current_deployment()
    if stack.who.settings.phase == "serve" and stack.who.settings.own_queue is None:
        deployment.refuse_serverless()


def check_platform(who: StackIdentity) -> None:
    """Refuse what Pulumi would say for each resource, such as AWS credentials that are missing, expired or of another
    account than the stack's."""
    from hybrid.cli.platform import platform_of
    from hybrid.engine.stack import Stack

    platform_of(Stack(who, ())).check_beforehand()


_DONE = {"create": "created", "update": "updated", "delete": "deleted", "replace": "replaced", "import": "imported"}


def _counts(outcome: Outcome, *, done: bool = True) -> str:
    return ", ".join(
        f"{count} {_DONE.get(name, name) if done else f'to {name}'}" for name, count in outcome.changes.items()
    )
