"""``hybrid costs``: what a stack costs a month, by list prices and its file alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from hybrid.cli.stack import Json, StackName
from hybrid.errors import UsageError
from hybrid.workspace import Workspace

if TYPE_CHECKING:
    from hybrid.costs.estimate import Estimate


def register(app: typer.Typer) -> None:
    app.command()(costs)


def costs(stack: StackName, as_json: Json = False) -> None:
    """Show what an ECS stack costs a month. Asks nobody: the table of prices is dated (docs/costs.md).

    Example: [bold]hybrid costs prod[/]
    """
    from hybrid.cli.console import answer_json
    from hybrid.cli.platform import platform_of
    from hybrid.engine.stack import Stack

    standing = Stack.read(Workspace.of_this_checkout(), stack)
    found = platform_of(standing).monthly_cost()
    if found is None:
        raise UsageError(
            f"The stack '{stack}' costs nothing that there are list prices for.",
            why=f"Its agent is of kind {standing.who.settings.agent.kind}, for which there are none.",
            next_step="name a stack whose hybrid:agent has `kind: ecs`.",
        )
    if as_json:
        answer_json({"stack": stack, **found.document()})
    else:
        _print(found)


def _print(found: Estimate) -> None:
    from rich.table import Table

    from hybrid.cli.console import note, out

    table = Table(box=None, pad_edge=False, show_footer=True)
    table.add_column("", footer="together")
    table.add_column("count", justify="right")
    table.add_column("$ a month", justify="right", footer=f"{found.dollars:.2f}")
    for line in found.lines:
        table.add_row(line.what, str(line.count), f"{line.dollars:.2f}")
    out.print(table)
    note(
        f"List prices of {found.prices.region}, read in {found.prices.as_of}; most regions cost as much or up to a "
        "third more. Runs, data and requests come on top (docs/costs.md)."
    )
