"""``hybrid locations deploy``: some of a stack's code locations brought up to date, and back if they do not load."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hybrid.cli.locations.selection import ChangedSince, Only
from hybrid.cli.stack import Json, StackName, Yes
from hybrid.errors import EngineError, StackBusyError, StoppedError, UsageError
from hybrid.pipeline.rollback import READY, Rollback, Watched, pinned, targets
from hybrid.workspace import Workspace

if TYPE_CHECKING:
    from hybrid.engine.engine import Engine, Outcome
    from hybrid.engine.stack import Stack
    from hybrid.plus import CodeLocationStatus

RollbackOption = Annotated[
    bool, typer.Option("--rollback", help="Pin a location that does not load to the image that was loaded before.")
]


def register(app: typer.Typer) -> None:
    app.command()(deploy)


def deploy(
    stack: StackName = "local",
    only: Only = None,
    changed_since: ChangedSince = None,
    rollback: RollbackOption = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Build, push and load code locations of a stack that stands, and leave the rest of it as it is. Ends when the
    images just pushed are loaded. What the stack does not name is never touched.

    Examples: [bold]hybrid locations deploy prod --only hello[/]  ·
    [bold]hybrid locations deploy prod --changed-since origin/main --rollback --yes[/]
    """
    from hybrid.cli import stack as stacks
    from hybrid.cli.console import note, show_error
    from hybrid.cli.locations.selection import selected
    from hybrid.engine.stack import Stack

    workspace = Workspace.of_this_checkout()
    standing = Stack.read(workspace, stack)
    _require_serving(standing)
    names = tuple(folder.name for folder in selected(standing, workspace, only, changed_since))
    if not names:
        note("Nothing to deploy.")
        _answer(standing, (), {}, {}, as_json=as_json)
        return
    stacks.require_agreement(stack, yes, "locations deploy")
    stacks.check_beforehand(stack)
    engine = _engine(workspace, stack)
    if not engine.outputs_of(READY):
        raise UsageError(
            f"The stack '{stack}' does not stand, so there is nothing to deploy into.",
            next_step=f"`hybrid up {stack}` stands it up, with all its code locations.",
        )
    images: dict[str, str] = {}
    watched = Watched()
    try:
        outcome = _update(engine, targets(names), watched)
    except (StoppedError, StackBusyError):
        raise
    except EngineError as error:
        if not rollback:
            raise
        back = _rollback(standing, workspace, engine)
        images = back.images(names, error, waited=READY in watched.failed)
        show_error(error)  # the traceback is in it
        outcome = back.to(images)
    _answer(standing, names, outcome.changes, images, as_json=as_json)
    if images:
        name = next(iter(images))
        again = f"`hybrid locations unpin {stack} {name}` and `hybrid locations deploy {stack} --only {name}`"
        raise pinned(stack, images, again=f"mend the code, then {again}.")


def _require_serving(stack: Stack) -> None:
    who = stack.who
    if who.settings.phase != "serve":
        raise UsageError(
            f"The phase of the stack '{who.stack}' is {who.settings.phase}: it registers no code location.",
            next_step=f"set `hybrid:phase: serve` in stacks/Pulumi.{who.stack}.yaml when it is to.",
        )


def _engine(workspace: Workspace, stack: str) -> Engine:
    from hybrid.cli.console import note
    from hybrid.cli.tools import pulumi_with_progress
    from hybrid.engine.engine import Engine

    return Engine(workspace, stack, pulumi_with_progress(), dict(os.environ), note)


def _update(engine: Engine, names: Sequence[str], watched: Watched) -> Outcome:
    from hybrid.cli.console import notes
    from hybrid.cli.progress import UpdateProgress

    with UpdateProgress(notes) as progress:
        return engine.run("up", watched.through(progress), names)


def _rollback(stack: Stack, workspace: Workspace, engine: Engine) -> Rollback:
    from hybrid.cli.console import note

    name = stack.who.stack
    return Rollback(
        stack=name,
        file=workspace.stack_file(name),
        outputs_of=engine.outputs_of,
        statuses=lambda: _statuses(stack),
        update=lambda names: _update(engine, names, Watched()),
        note=note,
    )


def _statuses(stack: Stack) -> dict[str, CodeLocationStatus]:
    from hybrid.cli.locations.selection import client

    with client(stack) as plus:
        return {status.name: status for status in plus.code_locations()}


def _answer(
    stack: Stack, names: Sequence[str], changes: Mapping[str, int], pinned: Mapping[str, str], *, as_json: bool
) -> None:
    from hybrid.cli.console import answer_json, note, out
    from hybrid.cli.locations.listing import short

    statuses = _statuses(stack) if names else {}
    rows: list[dict[str, Any]] = []
    for name in names:
        status = statuses.get(name)
        rows.append(
            {
                "name": name,
                "load_status": status.load_status if status else "NOT_REGISTERED",
                "image": status.image if status else None,
                "error": status.error.message if status and status.error else None,
                "rolled_back_to": pinned.get(name),
            }
        )
    if as_json:
        answer_json({"stack": stack.who.stack, "changes": dict(changes), "locations": rows})
        return
    if names and not changes:
        note("Nothing had to change.")
    for row in rows:
        out.print(f"{row['name']}  {row['load_status']}  {short(row['image'])}", markup=False)
