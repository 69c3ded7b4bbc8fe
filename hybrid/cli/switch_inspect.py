"""``hybrid switch inspect``: what a deployment and a repository are before the switch, and what has to change."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hybrid.cli.stack import Json
from hybrid.errors import PolicyRefusedError, SettingsError, UsageError
from hybrid.workspace import Workspace

if TYPE_CHECKING:
    from hybrid.switch.inspection import Inspection
    from hybrid.switch.organization import OrganizationState

FOUND = PolicyRefusedError.exit_code
"""As of `review --fail-on`: what was named is there (docs/cli.md)."""


class FailOn(StrEnum):
    MUST = "must"
    SHOULD = "should"


Stack = Annotated[
    str | None,
    typer.Argument(help="The stack that names the organization and deployment: a file stacks/Pulumi.STACK.yaml."),
]
Repository = Annotated[
    Path | None, typer.Option(metavar="PATH", help="The checkout of the locations' code. Default: this one.")
]


def register(app: typer.Typer) -> None:
    app.command()(inspect)


def inspect(
    stack: Stack = None,
    repository: Repository = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="Look at the repository alone; ask nobody. STACK is not needed.")
    ] = False,
    as_json: Json = False,
    save: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Save it, for `hybrid switch plan` and `rehearse`.")
    ] = None,
    html: Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write one page of HTML.")] = None,
    fail_on: Annotated[
        FailOn | None, typer.Option("--fail-on", help="End with 11 when something of that weight, or more, is there.")
    ] = None,
) -> None:
    """Read a deployment on Serverless and the code of its locations, and say what has to change for Hybrid.

    It changes nothing, runs no code, and asks for no variable's value.

    Examples: [bold]hybrid switch inspect prod[/]  ·  [bold]hybrid switch inspect prod --html inspection.html --save
    inspection.json[/]  ·  [bold]hybrid switch inspect --offline --repository ../data --fail-on must[/]
    """
    from hybrid.switch.inspection import inspected
    from hybrid.switch.repository_scan import scan_repository

    if stack is None and not offline:
        raise UsageError(
            "No stack says which organization is looked at.",
            next_step="name one, as in `hybrid switch inspect prod`, or give --offline for the repository alone.",
        )
    organization = None if offline or stack is None else _organization(stack)
    found = inspected(organization, scan_repository(repository or Workspace.of_this_checkout().root))
    _write(found, save, html)
    _answer(found, stack, as_json=as_json)
    if fail_on is not None and _weighs(found, fail_on):
        raise typer.Exit(FOUND)


def _organization(stack: str) -> OrganizationState:
    from hybrid.cli.dagster_plus import client_of
    from hybrid.engine.stack import identity
    from hybrid.switch.organization_reader import read_organization

    with client_of(identity(Workspace.of_this_checkout(), stack)) as client:
        return read_organization(client)


def _write(found: Inspection, save: Path | None, html: Path | None) -> None:
    from hybrid.cli.console import note

    if save is not None:
        _put(save, _json(found))
        note(f"Saved: {save}. It holds no secret's value, but names much of the organization.")
    if html is not None:
        from hybrid.switch.inspection_html import html_of

        _put(html, html_of(found))
        note(f"Written: {html}.")


def _put(file: Path, text: str) -> None:
    """Whole or not at all, for the reader's eyes alone."""
    import os
    import secrets

    beside = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    try:
        number = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(number, "w", encoding="utf-8") as opened:
            opened.write(text)
        beside.replace(file)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise SettingsError(
            f"{file} cannot be written.", why=error.strerror, next_step="name a file in a folder that is there."
        ) from None


def _answer(found: Inspection, stack: str | None, *, as_json: bool) -> None:
    from hybrid.cli.console import note

    if as_json:
        sys.stdout.write(_json(found))
        return
    from hybrid.switch.inspection_text import text_of

    sys.stdout.write(text_of(found))
    if found.organization is not None:
        note(f"Next: `hybrid switch plan {stack}`, which says what is done in which order.")


def _json(found: Inspection) -> str:
    """Not redacted anew: what an inspection holds was redacted as it was read, and its fingerprint is of that."""
    import json

    return json.dumps(found.document(), indent=2, ensure_ascii=False) + "\n"


def _weighs(found: Inspection, fail_on: FailOn) -> bool:
    from hybrid.switch.finding import Weight

    weights = {Weight.MUST} if fail_on is FailOn.MUST else {Weight.MUST, Weight.SHOULD}
    return any(finding.weight in weights for finding in found.findings)
