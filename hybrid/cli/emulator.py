"""``hybrid emulator``: Dagster+ embedded, by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Dagster+ embedded on this machine, for work without an account.", no_args_is_help=True)


@app.callback()
def root() -> None:
    """Dagster+ embedded on this machine, for work without an account."""


@app.command()
def serve(
    data: Annotated[Path, typer.Option(help="Folder for all that it keeps; made when missing.")],
    port: Annotated[int, typer.Option(help="TCP port of the UI and the API.", min=1, max=65535)] = 3939,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    organization: Annotated[str, typer.Option(help="The organization's name.")] = "local",
    deployment: Annotated[str, typer.Option(help="The full deployment's name.")] = "prod",
    allow_remote: Annotated[
        bool, typer.Option("--allow-remote", help="Allow another address than loopback; the UI then asks for a token.")
    ] = False,
) -> None:
    """Serve until Ctrl-C. The stack `local` runs it by itself; this is for trying clients against it.

    Example: [bold]hybrid emulator serve --data /tmp/plus --port 4000[/]
    """
    from hybrid.emulator.server import ServeOptions
    from hybrid.emulator.server import serve as serve_emulator

    serve_emulator(
        ServeOptions(
            data=data,
            port=port,
            host=host,
            organization=organization,
            deployment=deployment,
            allow_remote=allow_remote,
        )
    )
