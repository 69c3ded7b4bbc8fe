"""``hybrid locations``: a stack's code locations, from their folders to what Dagster+ has loaded."""

from __future__ import annotations

import typer

from hybrid.cli.locations import building, check, conversion, deploying, difference, files, listing, pins, sweep

app = typer.Typer(help="Code locations: list, check, render, build, push, deploy, pin, sweep.", no_args_is_help=True)

for module in (listing, check, difference, building, deploying, pins, files, conversion, sweep):
    module.register(app)
