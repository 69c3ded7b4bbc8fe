"""``hybrid switch pause``, ``drain`` and ``resume``: a deployment kept still while what it stored is copied."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hybrid.cli import stack as stacks
from hybrid.cli.stack import Json, Yes
from hybrid.errors import UsageError
from hybrid.workspace import Workspace

if TYPE_CHECKING:
    from hybrid.plus import Backfill
    from hybrid.switch.drain import AtWork
    from hybrid.switch.paused import WasOn

Stack = Annotated[str, typer.Argument(help="The stack whose deployment it is.", metavar="STACK")]


def register(app: typer.Typer) -> None:
    app.command()(pause)
    app.command()(drain)
    app.command()(resume)


def pause(stack: Stack, yes: Yes = False, as_json: Json = False) -> None:
    """Turn off all schedules and sensors of the stack's deployment, and the automation of assets. What was on is kept
    in .hybrid/stacks/STACK/paused.json for `resume`; run again, it goes on. Runs in progress are left alone.

    Examples: [bold]hybrid switch pause prod[/]  ·  [bold]hybrid switch pause prod --yes --json[/]
    """
    from hybrid.cli.console import answer_json, note, out
    from hybrid.cli.dagster_plus import client_of
    from hybrid.engine.stack import identity
    from hybrid.switch.pause import pause as pause_all
    from hybrid.switch.paused import PausedFile

    who = identity(Workspace.of_this_checkout(), stack)
    stacks.require_agreement(stack, yes, "switch pause", "hybrid switch inspect")
    with client_of(who, patient=True) as client:
        done = pause_all(client, PausedFile(who.folder.paused, who.endpoint), tell=note)
    if as_json:
        answer_json(
            {
                "stack": stack,
                "organization": done.record.organization,
                "deployment": done.record.deployment,
                "was_on": _listed(done.record.was_on),
                "automation": done.record.automation,
                "stopped": _listed(done.stopped),
                "locations_not_loaded": list(done.unseen),
                "backfills": _backfills(done.backfills),
            }
        )
        return
    out.print(f"Paused: {_counted(done.record.was_on)} {'was' if len(done.record.was_on) == 1 else 'were'} on.")
    if done.unseen:
        note(f"Not loaded, so that nobody knows what they start: {', '.join(done.unseen)}.")
    for each in done.backfills:
        note(f"The backfill {each.id} of {each.of} goes on and launches runs; `hybrid switch drain` waits for it.")
    note(f"Next: `hybrid switch drain {stack}`; afterwards `hybrid switch resume {stack}` turns on what was on.")


def drain(
    stack: Stack,
    timeout: Annotated[float, typer.Option("--timeout", min=0, help="How long to wait, in seconds.")] = 1800,
    cancel: Annotated[bool, typer.Option("--cancel", help="End runs in progress and backfills.")] = False,
    leave: Annotated[bool, typer.Option("--leave", help="Name what is at work and do not wait.")] = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Wait until nothing runs in the stack's deployment: no run, queued ones included, no backfill, no tick. Ends with
    7 when the time is over. Ctrl-C only stops waiting.

    Examples: [bold]hybrid switch drain prod --timeout 3600[/]  ·  [bold]hybrid switch drain prod --cancel --yes[/]
    """
    from hybrid.cli.console import answer_json, note, out
    from hybrid.cli.dagster_plus import client_of
    from hybrid.engine.stack import identity
    from hybrid.switch.drain import Drain, Runs

    if cancel and leave:
        raise UsageError("--cancel and --leave exclude each other.", next_step="give one of them.")
    who = identity(Workspace.of_this_checkout(), stack)
    if cancel:
        stacks.require_agreement(stack, yes, "switch drain --cancel", "hybrid switch drain --leave")
    runs = Runs.CANCEL if cancel else Runs.LEAVE if leave else Runs.WAIT
    poll = 0.3 if who.settings.embedded else 5.0
    with client_of(who, patient=True) as client:
        try:
            left = Drain(client, runs, timeout=timeout, poll=poll, tell=note).wait()
        except KeyboardInterrupt:
            note("No longer waiting; nothing else was changed by that. The same command goes on waiting.")
            raise
    if as_json:
        answer_json({"stack": stack, "quiet": left.is_quiet, **_at_work(left), "still_on": [e.name for e in left.on]})
        return
    out.print("Quiet: nothing runs." if left.is_quiet else f"Left at work: {left.words()}.")
    if left.on:
        names = ", ".join(each.name for each in left.on)
        note(f"Not paused, and may start runs: {names}. `hybrid switch pause {stack}` turns them off.")


def resume(
    stack: Stack,
    forget: Annotated[
        bool, typer.Option("--forget", help="Give up what was on and is no longer in the code, or its location.")
    ] = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Turn on exactly what was on before `pause`; ends with 7 when some of it is not there, and may be run again.

    Examples: [bold]hybrid switch resume prod[/]  ·  [bold]hybrid switch resume prod --forget --yes[/]
    """
    from hybrid.cli.console import answer_json, note, out
    from hybrid.cli.dagster_plus import client_of
    from hybrid.engine.stack import identity
    from hybrid.switch.paused import PausedFile
    from hybrid.switch.resume import resume as resume_all

    who = identity(Workspace.of_this_checkout(), stack)
    stacks.require_agreement(stack, yes, "switch resume", "hybrid switch inspect")
    with client_of(who, patient=True) as client:
        done = resume_all(client, PausedFile(who.folder.paused, who.endpoint), forget=forget, tell=note)
    if as_json:
        parts = {"resumed": done.resumed, "on_already": done.on_already, "forgotten": done.forgotten}
        answer_json(
            {"stack": stack, "was_paused": done.was_paused, **{name: _listed(each) for name, each in parts.items()}}
        )
        return
    if not done.was_paused:
        out.print("Nothing is paused.")
        return
    out.print(f"On again: {_counted((*done.resumed, *done.on_already))}.")
    for each in done.forgotten:
        note(f"Given up, no longer there: {each.label}.")


def _counted(listed: Sequence[WasOn]) -> str:
    counts = {kind: sum(each.kind == kind for each in listed) for kind in ("schedule", "sensor")}
    return " and ".join(f"{count} {kind}{'' if count == 1 else 's'}" for kind, count in counts.items())


def _listed(listed: Sequence[WasOn]) -> list[dict[str, Any]]:
    return [asdict(each) for each in listed]


def _backfills(listed: Sequence[Backfill]) -> list[dict[str, Any]]:
    return [asdict(each) for each in listed]


def _at_work(left: AtWork) -> dict[str, Any]:
    return {
        "runs": [{"id": run.id, "job": run.job, "status": run.status, "location": run.location} for run in left.runs],
        "backfills": _backfills(left.backfills),
        "ticks": [{"kind": each.kind, "location": each.location, "name": each.name} for each in left.ticks],
    }
