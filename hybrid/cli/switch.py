"""``hybrid switch``: from Serverless to Hybrid, step by step."""

from __future__ import annotations

import typer

from hybrid.cli import switch_inspect, switch_plan, switch_rehearse, switch_run, switch_steps

app = typer.Typer(help="Take a deployment from Serverless to Hybrid, step by step.", no_args_is_help=True)
switch_inspect.register(app)
switch_plan.register(app)
switch_rehearse.register(app)
switch_run.register(app)
switch_steps.register(app)
