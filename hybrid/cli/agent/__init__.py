"""``hybrid agent``: a stack's agent after the first day."""

from __future__ import annotations

import typer

from hybrid.cli.agent import helm_values, logs, restart, rotation, scale, shell, upgrade

app = typer.Typer(
    help="The agent after the first day: upgrade, scale, restart, logs, exec, rotate-token, helm-values.",
    no_args_is_help=True,
)

for module in (upgrade, scale, restart, logs, shell, rotation, helm_values):
    module.register(app)
