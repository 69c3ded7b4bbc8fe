"""``hybrid drift``: what stands against what is deployed, and that against the code; as text, JSON or one issue."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from hybrid.cli.deploy import StackNames, connected, place_of
from hybrid.cli.stack import Json
from hybrid.errors import UsageError
from hybrid.workspace import Workspace

if TYPE_CHECKING:
    from hybrid.pipeline.drift import Difference, Drift, StackDrift
    from hybrid.pipeline.lookout import StackLookout
    from hybrid.pipeline.place import Place


def register(app: typer.Typer) -> None:
    app.command()(drift)


def drift(
    stack: StackNames = None,
    issue: Annotated[
        bool, typer.Option("--issue", help="Open or update one issue at the forge; close it when there is no drift.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Look what was changed by hand, in AWS, Docker or Dagster+, and what the code says that is not deployed yet.
    Reads only. Default: the stacks that stacks/pipeline.yaml deploys, else all that stand. Ends with 13 on drift.

    Examples: [bold]hybrid drift[/]  ·  [bold]hybrid drift --stack prod --json[/]
    """
    from hybrid.cli.console import answer_json, note
    from hybrid.engine.pipeline import read_pipeline
    from hybrid.pipeline.drift import Drift, drift_of, unseen
    from hybrid.pipeline.place import refuse_report

    workspace = Workspace.of_this_checkout()
    pipeline = read_pipeline(workspace)
    place = place_of(workspace, pipeline.branch, remote=False)
    if issue:
        refuse_report(place, pipeline.branch)
    elif place.branch != pipeline.branch and place.run.branch != pipeline.branch:
        note(f"'Not deployed' is said of what is checked out, which is not '{pipeline.branch}'.")
    lookout = _lookout(workspace)
    names = _names(workspace, lookout, stack or (), [each.stack for each in pipeline.deploy])
    found = Drift(place.branch or place.run.branch, place.head, drift_of(names, lookout, note))
    if as_json:
        answer_json(found.document())
    else:
        _print(found)
    if issue:
        _report(found, place, stack or ())
    if (error := unseen(found)) is not None:
        raise error
    if found.has_drift:
        raise typer.Exit(found.exit_code)


def _lookout(workspace: Workspace) -> StackLookout:
    from hybrid.cli.console import note
    from hybrid.cli.stack import check_platform
    from hybrid.cli.tools import pulumi_with_progress
    from hybrid.pipeline.lookout import StackLookout

    return StackLookout(workspace, pulumi_with_progress(), dict(os.environ), note, connected, check_platform)


def _names(workspace: Workspace, lookout: StackLookout, given: Sequence[str], deployed: Sequence[str]) -> list[str]:
    """Raises ``UsageError`` for a stack without a file."""
    from hybrid.engine.stack import stack_names

    known = stack_names(workspace)
    if unknown := [name for name in given if name not in known]:
        raise UsageError(
            f"There is no stack '{unknown[0]}'.",
            why=f"There are: {', '.join(known) or 'none'}.",
            next_step="name one of them.",
        )
    if given or deployed:
        return list(dict.fromkeys(given or deployed))
    return [name for name in known if lookout.stands(name)]


def _report(found: Drift, place: Place, chosen: Sequence[str]) -> None:
    from hybrid.cli.console import note
    from hybrid.forge.forge import forge_of
    from hybrid.pipeline.drift_issue import body, closing_words, marker, title

    forge = forge_of(place.run, os.environ)
    if found.has_drift or found.problems:
        written = forge.upsert_issue(marker(chosen), title(found), body(found, run_url=place.run.run_url))
        note(f"{'Opened' if written.created else 'Updated'}: {written.url}")
    elif (url := forge.close_issue(marker(chosen), closing_words(found))) is not None:
        note(f"Closed: {url}")


def _print(found: Drift) -> None:
    from rich.text import Text

    from hybrid.cli.console import out
    from hybrid.redaction import redact

    if not found.stacks:
        out.print("No stack stands.", markup=False)
    for stack in found.stacks:
        for line in _lines(stack):
            out.print(Text(redact(line)))


def _lines(stack: StackDrift) -> list[str]:
    if stack.stands is False:
        return [f"{stack.stack}: nothing of it stands"]
    name = stack.stack
    lines = [f"{name}: changed by hand: {_told(each)}" for each in stack.by_hand]
    lines += [f"{name}: not ready: {each}" for each in stack.not_ready]
    lines += [f"{name}: not deployed: {each.operation} {_of(each)}" for each in stack.not_deployed]
    lines += [f"{name}: could not be looked at ({each.part}): {each.error.sentence()}" for each in stack.problems]
    return lines or [f"{stack.stack}: no drift"]


def _told(each: Difference) -> str:
    return f"{_of(each)} {'is gone' if each.operation == 'delete' else 'differs'}"


def _of(each: Difference) -> str:
    return f"{each.resource} ({', '.join(each.because)})" if each.because else each.resource
