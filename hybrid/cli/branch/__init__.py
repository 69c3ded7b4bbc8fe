"""``hybrid branch``: the branch deployment of a pull request, from its opening to its end."""

from __future__ import annotations

import typer

from hybrid.cli.branch import closing, opening, standing

app = typer.Typer(help="Branch deployments of pull requests: open, status, close.", no_args_is_help=True)

for module in (opening, standing, closing):
    module.register(app)
