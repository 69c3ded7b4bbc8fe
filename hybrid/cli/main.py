"""``hybrid``: the commands by name, and the one place where an error becomes words and an exit code."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import sys
from typing import Annotated, Final, NoReturn

import typer

from hybrid.cli import (
    adopt,
    agent,
    assets,
    assets_job,
    assets_verify,
    branch,
    ci,
    costs,
    deploy,
    doctor,
    drift,
    emulator,
    locations,
    logs,
    review,
    runs,
    shell,
    stack,
    status,
    switch,
    tools,
)
from hybrid.errors import HybridError

app = typer.Typer(
    name="hybrid",
    help="Stand up Dagster+ Hybrid: agents, code locations, storage and registries.",
    invoke_without_command=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and end.", is_eager=True)] = False,
) -> None:
    if version:
        from hybrid import __version__

        sys.stdout.write(f"hybrid {__version__}\n")
    elif context.invoked_subcommand is None:
        sys.stdout.write(context.get_help() + "\n")


for module in (stack, status, logs, runs, shell, costs, adopt, doctor, deploy, drift):
    module.register(app)
app.add_typer(review.app, name="review")
app.add_typer(agent.app, name="agent")
app.add_typer(locations.app, name="locations")
app.add_typer(branch.app, name="branch")
app.add_typer(ci.app, name="ci")
for module in (assets_verify, assets_job):
    module.register(assets.app)
app.add_typer(assets.app, name="assets")
app.add_typer(switch.app, name="switch")
app.add_typer(tools.app, name="tools")
app.add_typer(emulator.app, name="emulator")


_COLLECTED_AFTER: Final = (50_000, 20, 50)
"""Objects, and rounds, until the garbage collector looks: by Python's own (700, 10, 10) it goes a hundred times through
what is being imported, which is a sixth of a preview's imports and finds nothing."""


def script() -> NoReturn:
    """The console script: ``run``, without the interpreter's own shutdown.

    Once gRPC and Pulumi are loaded that takes 0.2 s, and nothing is left to be closed by then.
    """
    gc.set_threshold(*_COLLECTED_AFTER)
    code = 130
    # what comes too late for the command to hear of it would end the process by the raw signal
    with contextlib.suppress(KeyboardInterrupt):
        code = _ended_with()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


def _ended_with() -> int:
    try:
        run()
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    return 0


def run() -> None:
    """Run the command that was typed. Ends with 0, an error's own code (docs/cli.md), or 130 after Ctrl-C."""
    try:
        app(standalone_mode=True)
    except HybridError as error:
        from hybrid.cli.console import show_error

        show_error(error)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)


if __name__ == "__main__":
    script()
