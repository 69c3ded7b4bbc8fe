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
    """Show what a stack in a cloud costs a month: list prices of AWS and Azure, on Kubernetes those that the stack's
    file says. Asks nobody: the tables of prices are dated (docs/costs.md).

    Example: [bold]hybrid costs prod[/]
    """
    from hybrid.cli.console import answer_json
    from hybrid.cli.platform import platform_of
    from hybrid.engine.stack import Stack

    standing = Stack.read(Workspace.of_this_checkout(), stack)
    platform = platform_of(standing)
    found = platform.monthly_cost()
    if found is None:
        why, next_step = platform.without_prices()
        raise UsageError(f"What the stack '{stack}' costs, there are no prices for.", why=why, next_step=next_step)
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
    note(found.prices.remark)
