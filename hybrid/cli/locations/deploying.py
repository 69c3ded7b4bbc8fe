"""``hybrid locations deploy``: some of a stack's code locations brought up to date, and back if they do not load."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hybrid.cli.locations.selection import ChangedSince, Only
from hybrid.cli.stack import Json, StackName, Yes
from hybrid.errors import EngineError, HybridError, NotReadyError, StackBusyError, StoppedError, UsageError
from hybrid.workspace import Workspace

if TYPE_CHECKING:
    from hybrid.engine.engine import Engine, Listener, Outcome
    from hybrid.engine.events import Event
    from hybrid.engine.stack import Stack
    from hybrid.plus import CodeLocationStatus

READY = "ready"
"""The stack's resource that says what is loaded."""

PARTS = ("environment", "check", "image", "published", "build-file", "location")
"""What a location's resources are called, behind its name and a dash."""

Rollback = Annotated[
    bool, typer.Option("--rollback", help="Pin a location that does not load to the image that was loaded before.")
]


def register(app: typer.Typer) -> None:
    app.command()(deploy)


def deploy(
    stack: StackName = "local",
    only: Only = None,
    changed_since: ChangedSince = None,
    rollback: Rollback = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Build, push and load code locations of a stack that stands, and leave the rest of it as it is. Ends when the
    images just pushed are loaded. What the stack does not name is never touched.

    Examples: [bold]hybrid locations deploy prod --only hello[/]  ·
    [bold]hybrid locations deploy prod --changed-since origin/main --rollback --yes[/]
    """
    from hybrid.cli import stack as stacks
    from hybrid.cli.console import note
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
    pinned: dict[str, str] = {}
    watched = _Watched()
    try:
        outcome = _update(engine, names, watched)
    except (StoppedError, StackBusyError):
        raise
    except EngineError as error:
        if not rollback:
            raise
        pinned = _previous(standing, engine, names, error, waited=READY in watched.failed)
        outcome = _rolled_back(workspace, stack, engine, pinned, error)
    _answer(standing, names, outcome.changes, pinned, as_json=as_json)
    if pinned:
        raise _pinned(stack, pinned)


def targets(names: Sequence[str]) -> tuple[str, ...]:
    """The resources of these locations, by name, and the one that waits until they are loaded."""
    return (*(f"{name}-{part}" for name in names for part in PARTS), READY)


def to_pin(
    names: Sequence[str], ready: Mapping[str, Any], told: Mapping[str, CodeLocationStatus]
) -> tuple[dict[str, str], dict[str, str]]:
    """Of ``names``, those that failed to load and can go back: the images that were loaded before, by digest. And why
    others that failed cannot.

    ``ready`` are the outputs of the resource of that name (hybrid/provider/agent_ready.py), ``told`` is what Dagster+
    has of each location.
    """
    back: dict[str, str] = {}
    stuck: dict[str, str] = {}
    loaded = ready.get("loaded") or {}
    for name in names:
        if name not in (ready.get("failed") or ()):
            continue
        previous = loaded.get(name)
        if not previous:
            stuck[name] = "no image of it was loaded before"
        elif name in told and told[name].was_told(previous):
            stuck[name] = "it already has the image that was loaded before"
        elif "@sha256:" not in previous:
            stuck[name] = f"the image before, {previous}, is not known by its digest"
        else:
            back[name] = previous
    return back, stuck


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


class _Watched:
    """Hands the update's events on, and remembers which resources failed."""

    def __init__(self) -> None:
        self.failed: set[str] = set()

    def through(self, shown: Listener) -> Listener:
        from hybrid.engine.events import StepEnded

        def take(event: Event) -> None:
            if isinstance(event, StepEnded) and event.failed:
                self.failed.add(event.resource.name)
            shown(event)

        return take


def _update(engine: Engine, names: Sequence[str], watched: _Watched) -> Outcome:
    from hybrid.cli.console import notes
    from hybrid.cli.progress import UpdateProgress

    with UpdateProgress(notes) as progress:
        return engine.run("up", watched.through(progress), targets(names))


def _previous(
    stack: Stack, engine: Engine, names: Sequence[str], error: EngineError, *, waited: bool
) -> dict[str, str]:
    """The images to go back to. Raises ``error`` again, with why, when there is none."""
    from hybrid.cli.console import note

    if not waited:
        note("Nothing was rolled back: the update failed before it was seen whether the code locations load.")
        raise error
    ready = engine.outputs_of(READY)
    if not ready.get("agentId"):
        note("Nothing was rolled back: no agent of the stack is RUNNING, so no image would load.")
        raise error
    try:
        told = _statuses(stack)
    except HybridError as unknown:
        note(f"Nothing was rolled back: Dagster+ does not say what it has. {unknown.what}")
        raise error from None
    back, stuck = to_pin(names, ready, told)
    for name, why in stuck.items():
        note(f"{name} cannot be rolled back: {why}.")
    if not back:
        note("Nothing was rolled back.")
        raise error
    return back


def _rolled_back(
    workspace: Workspace, stack: str, engine: Engine, images: Mapping[str, str], error: EngineError
) -> Outcome:
    """Pin ``images`` and update once more. The error that led here is shown before, the traceback in it."""
    from hybrid.cli.console import note, show_error
    from hybrid.delivery.pins import StackFile

    show_error(error)
    for name, image in images.items():
        StackFile(workspace.stack_file(stack)).pin(name, image)
        note(f"Rolling back: {name} is pinned to {image}.")
    try:
        return _update(engine, tuple(images), _Watched())
    except (StoppedError, StackBusyError):
        raise
    except EngineError as second:
        raise NotReadyError(
            f"{', '.join(images)} did not load, and the rollback did not bring back what was loaded before.",
            why=second.sentence(),
            next_step=f"the stack file has the pins; `hybrid up {stack}` tries again, "
            f"`hybrid locations unpin {stack} NAME` takes one out.",
        ) from None


def _pinned(stack: str, images: Mapping[str, str]) -> NotReadyError:
    name = next(iter(images))
    return NotReadyError(
        f"Rolled back: {', '.join(images)} did not load, and what was loaded before is loaded again.",
        why="\n".join(f"{name} is pinned to {image}" for name, image in images.items()),
        next_step=f"mend the code, then `hybrid locations unpin {stack} {name}` and "
        f"`hybrid locations deploy {stack} --only {name}`.",
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
