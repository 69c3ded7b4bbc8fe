"""``hybrid env`` and ``hybrid open``: the stack from the person's own shell and browser."""

from __future__ import annotations

import os
import shlex
import sys
from typing import Annotated

import typer

from hybrid.cli.stack import Json, StackName
from hybrid.workspace import Workspace


def register(app: typer.Typer) -> None:
    app.command()(env)
    app.command(name="open")(open_page)


def env(stack: StackName = "local", as_json: Json = False) -> None:
    """Print what a shell needs so that `pulumi up`, `preview`, `refresh` and `destroy` work here as they are.

    Example: [bold]eval "$(.venv/bin/hybrid env)" && pulumi preview[/]
    """
    from hybrid.cli.console import answer_json, note
    from hybrid.cli.tools import pulumi_with_progress
    from hybrid.engine import backend
    from hybrid.engine.engine import Engine
    from hybrid.engine.stack import identity

    workspace, given = Workspace.of_this_checkout(), dict(os.environ)
    pulumi = pulumi_with_progress()
    Engine(workspace, stack, pulumi, given, note).prepare()
    identity(workspace, stack)  # a wrong stack file is said now, not in the middle of an update
    values = {**backend.variables(workspace, stack, pulumi, given), "PULUMI_STACK": stack}
    if as_json:
        answer_json(values)
        return
    lines = [f"export {name}={shlex.quote(value)}" for name, value in values.items()]
    sys.stdout.write("\n".join([*lines, "unset PYTHONDONTWRITEBYTECODE"]) + "\n")


def open_page(
    stack: StackName = "local",
    show: Annotated[bool, typer.Option("--print", help="Print the address instead of opening it.")] = False,
) -> None:
    """Open the stack's deployment in the browser.

    Examples: [bold]hybrid open[/]  ·  [bold]hybrid open local --print[/]
    """
    from hybrid.cli.console import note
    from hybrid.engine.stack import identity

    page = identity(Workspace.of_this_checkout(), stack).page
    if show or not _opened(page):
        sys.stdout.write(page + "\n")
    else:
        note(f"Opened {page}")


def _opened(page: str) -> bool:
    import webbrowser

    try:
        return webbrowser.open(page)
    except webbrowser.Error:
        return False
