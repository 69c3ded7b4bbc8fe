"""``hybrid switch rehearse``: the switch on this machine first, there and back, with its times."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hybrid.cli.stack import Json
from hybrid.errors import NotReadyError, SettingsError, UsageError
from hybrid.workspace import Workspace

if TYPE_CHECKING:
    from hybrid.switch.inspection import Inspection


class Shown(StrEnum):
    """How a Hybrid agent shows on a SERVERLESS deployment."""

    RUNNING = "running"
    NOT_RUNNING = "not-running"
    HIDDEN = "hidden"


class AgentKind(StrEnum):
    """Local is the default also for a stack in containers: it takes neither an engine nor a registry."""

    LOCAL = "local"
    DOCKER = "docker"


class YesNo(StrEnum):
    YES = "yes"
    NO = "no"


def register(app: typer.Typer) -> None:
    app.command()(rehearse)


def rehearse(
    stack: Annotated[
        str | None,
        typer.Argument(help="The stack that is to take the deployment over. Default: all under locations/, no stack."),
    ] = None,
    inspection: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A saved inspection. Default: Dagster+ is asked now.")
    ] = None,
    departure: Annotated[
        int, typer.Option(metavar="SECONDS", min=0, help="How long Serverless goes on after the hand-over.")
    ] = 0,
    hybrid_on_serverless: Annotated[
        Shown, typer.Option(help="How a Hybrid agent shows before the hand-over.")
    ] = Shown.RUNNING,
    values_after_switch: Annotated[
        YesNo, typer.Option(help="Whether Serverless's stored values can be read afterwards.")
    ] = YesNo.NO,
    smoke: Annotated[
        list[str] | None,
        typer.Option(metavar="LOCATION:JOB", help="Run it before and after; without it no run is executed."),
    ] = None,
    agent: Annotated[
        AgentKind, typer.Option(help="Where the Hybrid agent lives: a process here, or containers of the engine here.")
    ] = AgentKind.LOCAL,
    registry: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT", help="With --agent docker: one of this machine. Default: the stack's."),
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the folder of the rehearsal, to look into it.")] = False,
    html: Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write one page of HTML.")] = None,
    as_json: Json = False,
) -> None:
    """Rehearse the switch on this machine: an embedded Dagster+ made like the organization, this checkout's code on it,
    an agent of its own; plan, run, verify, back. The organization is only read, and with --inspection not even that.

    Code of the locations is loaded here, with made-up variables and an empty home folder. Ends with 7 when the
    rehearsal failed.

    Examples: [bold]hybrid switch rehearse prod[/]  ·  [bold]hybrid switch rehearse prod --inspection inspection.json
    --departure 60 --html rehearsal.html[/]  ·  [bold]hybrid switch rehearse[/]  ·  the images, too:
    [bold]hybrid switch rehearse prod --agent docker --registry 127.0.0.1:5000[/]
    """
    from hybrid.cli.console import answer_json, note
    from hybrid.switch.rehearsal import RehearsalWishes
    from hybrid.switch.rehearsal import rehearse as rehearsed
    from hybrid.switch.rehearsal_place import EmulatedServerless
    from hybrid.switch.rehearsal_text import headline, text_of
    from hybrid.switch.steps import STEPS

    assumed = EmulatedServerless(departure, hybrid_on_serverless.value, values_after_switch is YesNo.YES)
    if registry is not None and agent is AgentKind.LOCAL:
        raise UsageError("A local agent runs no images.", next_step="give `--agent docker` with `--registry`.")
    smokes = tuple(_checked(each) for each in smoke or ())
    wishes = RehearsalWishes(stack, assumed, smokes, keep, agent.value, registry)
    workspace = Workspace.of_this_checkout()
    _writable(html)
    found = rehearsed(
        workspace, wishes, _inspection(workspace, stack, inspection), note, {each.name: each.title for each in STEPS}
    )
    if html is not None:
        from hybrid.cli.switch_inspect import _put
        from hybrid.switch.rehearsal_html import html_of

        _put(html, html_of(found))
        note(f"Written: {html}.")
    if as_json:
        answer_json(found.document())
    else:
        from hybrid.redaction import redact

        sys.stdout.write(redact(text_of(found)))
    if keep:
        note(f"Left there: {workspace.private / 'rehearsals' / found.stack}.")
    if not found.holds:
        raise NotReadyError(
            headline(found), next_step="mend what it names, then rehearse again; nothing real was changed."
        )


def _checked(smoke: str) -> str:
    location, colon, job = smoke.partition(":")
    if not (location and colon and job):
        raise UsageError(f"--smoke '{smoke}' is not LOCATION:JOB.", next_step="give it so, as in hello:greet.")
    return smoke


def _writable(html: Path | None) -> None:
    """Before minutes go by."""
    if html is not None and not html.absolute().parent.is_dir():
        raise SettingsError(f"{html} cannot be written.", next_step="name a file in a folder that is there.")


def _inspection(workspace: Workspace, stack: str | None, saved: Path | None) -> Inspection | None:
    """The saved one, or one that is made now; None: neither a stack of an organization nor a file is given."""
    from hybrid.cli.switch_plan import _inspection as of_stack
    from hybrid.engine.stack import identity

    if stack is None:
        from hybrid.switch.inspection import Inspection

        return None if saved is None else Inspection.read(saved)
    who = identity(workspace, stack)
    if who.settings.embedded and saved is None:
        return None
    return of_stack(who, workspace.root, saved)
