"""``hybrid locations``: a stack's code locations, from their folders to what Dagster+ has loaded."""

from __future__ import annotations

import typer

app = typer.Typer(help="Code locations: list, check, render, build, push, deploy, pin.", no_args_is_help=True)
