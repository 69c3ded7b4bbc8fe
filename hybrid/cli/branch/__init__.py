"""``hybrid branch``: branch deployments of pull requests, from their opening to their end."""

from __future__ import annotations

import typer

from hybrid.cli.branch import closing, opening, standing

app = typer.Typer(help="Branch deployments of pull requests: open, status, close.", no_args_is_help=True)

for module in (opening, standing, closing):
    module.register(app)
