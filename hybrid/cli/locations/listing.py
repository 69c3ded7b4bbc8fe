"""``hybrid locations list``: a stack's code locations, and what Dagster+ has of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import typer

from hybrid.cli.stack import Json, StackName
from hybrid.errors import DagsterPlusError, SettingsError
from hybrid.workspace import Workspace

if TYPE_CHECKING:
    from rich.table import Table

    from hybrid.delivery.catalog import CodeLocationFolder
    from hybrid.engine.stack import Stack
    from hybrid.plus import CodeLocationStatus

_SHORT = len("sha256:") + 12


def register(app: typer.Typer) -> None:
    app.command(name="list")(list_locations)


def list_locations(stack: StackName = "local", as_json: Json = False) -> None:
    """Show the stack's code locations: where they are, what Dagster loads, and what Dagster+ has of them. It also
    answers while Dagster+ does not.

    Examples: [bold]hybrid locations list[/]  ·  [bold]hybrid locations list prod --json[/]
    """
    from hybrid.cli.console import answer_json, note
    from hybrid.engine.stack import Stack

    standing = Stack.read(Workspace.of_this_checkout(), stack)
    seen = _seen(standing)
    if as_json:
        answer_json(_document(standing, seen))
        return
    if seen.problem is not None:
        note(f"What Dagster+ has is not known: {seen.problem}")
    _print(standing, seen)


@dataclass(frozen=True)
class _Seen:
    """What Dagster+ said, or why it did not."""

    statuses: dict[str, CodeLocationStatus]
    problem: str | None = None


def _seen(stack: Stack) -> _Seen:
    from hybrid.cli.locations.selection import client

    try:
        with client(stack) as plus:
            return _Seen({status.name: status for status in plus.code_locations()})
    except (DagsterPlusError, SettingsError) as error:
        return _Seen({}, error.what)


def _document(stack: Stack, seen: _Seen) -> dict[str, Any]:
    names = {folder.name for folder in stack.folders}
    return {
        "stack": stack.who.stack,
        "dagster_plus": {"answers": seen.problem is None, "problem": seen.problem},
        "locations": [_row(stack, folder, seen.statuses.get(folder.name)) for folder in stack.folders],
        "others": sorted(seen.statuses.keys() - names),
    }


def _row(stack: Stack, folder: CodeLocationFolder, status: CodeLocationStatus | None) -> dict[str, Any]:
    return {
        "name": folder.name,
        "kind": folder.kind,
        "from": folder.origin,
        "code_source": dict(folder.code_source.document()),
        "agent_queue": folder.agent_queue,
        "pin": stack.who.settings.pins.get(folder.name),
        "image": status.image if status else None,
        "load_status": status.load_status if status else None,
        "is_loaded": status.is_loaded if status else None,
        "error": status.error.message if status and status.error else None,
    }


def _print(stack: Stack, seen: _Seen) -> None:
    from rich.table import Table
    from rich.text import Text

    from hybrid.cli.console import out

    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("location", "from", "loads", "queue", "image", "in Dagster+"):
        table.add_column(title)
    for folder in stack.folders:
        status = seen.statuses.get(folder.name)
        pinned = folder.name in stack.who.settings.pins
        table.add_row(
            Text(folder.name, style="bold"),
            Text(folder.origin),
            Text(" ".join(folder.code_source.document().values())),
            Text(folder.agent_queue or "-"),
            Text(short(status.image if status else None)) + Text("  pinned" if pinned else "", style="yellow"),
            _standing(status, known=seen.problem is None),
        )
    print_whole(table)
    others = sorted(seen.statuses.keys() - {folder.name for folder in stack.folders})
    if others:
        out.print(Text(f"Not of this stack, and left alone: {', '.join(others)}", style="dim"))


def print_whole(table: Table) -> None:
    """Print a table whose lines are not cut to the terminal's width: what is copied from them has to be whole."""
    from rich.console import Console

    Console(highlight=False, soft_wrap=True, width=1000).print(table)


def short(image: str | None) -> str:
    """An image as it fits into a table: the beginning of its digest, else its tag."""
    if image is None:
        return "-"
    _, at, digest = image.partition("@")
    return digest[:_SHORT] if at else image.rpartition("/")[2]


def _standing(status: CodeLocationStatus | None, *, known: bool) -> Any:
    from rich.text import Text

    from hybrid.redaction import redact

    if status is None:
        return Text("not registered" if known else "?", style="yellow" if known else "dim")
    if status.error is not None:
        return Text(f"ERROR  {redact(status.error.message.strip().splitlines()[0])}", style="red")
    return Text("LOADED", style="green") if status.is_loaded else Text("LOADING", style="yellow")
