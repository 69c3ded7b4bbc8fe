"""``hybrid agent helm-values``: a stack's agent for those who must install it by Helm."""

from __future__ import annotations

import sys

import typer

from hybrid.cli.agent.changes import Named, stack_named


def register(app: typer.Typer) -> None:
    app.command(name="helm-values")(helm_values)


def helm_values(stack: Named) -> None:
    """Print values for Dagster's own Helm chart that say what the stack's settings say. Nothing is changed, and nobody
    is asked; the agent's token is not in it.

    Examples: [bold]hybrid agent helm-values prod > values.yaml[/]
    """
    from hybrid.engine.helm_chart import helm_values as rendered

    sys.stdout.write(rendered(stack_named(stack)))
