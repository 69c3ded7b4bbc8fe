"""``hybrid tools``: the tools that this needs and does not ship."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Annotated

import typer

from hybrid.errors import ToolchainError

if TYPE_CHECKING:
    from hybrid.toolchain import Pulumi

app = typer.Typer(help="The Pulumi CLI: found, downloaded or built.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="Answer with one JSON document on standard output.")]


@app.callback()
def root() -> None:
    """The Pulumi CLI: found, downloaded or built."""


Kubernetes = Annotated[
    bool, typer.Option("--kubernetes", help="Also its kubernetes plugin, where Pulumi was built and cannot get it.")
]


@app.command()
def install(kubernetes: Kubernetes = False) -> None:
    """Get what is missing. Pulumi on PATH is used as it is; else it is downloaded, else built from Go modules.

    Example: [bold]hybrid tools install[/]
    """
    from hybrid.cli.console import note
    from hybrid.toolchain import find_pulumi

    found = find_pulumi()
    pulumi = found or pulumi_with_progress()
    note(f"Pulumi {pulumi.version} {'is there' if found else 'is ready'}: {pulumi.executable}")
    if kubernetes:
        from hybrid.toolchain.kubernetes_plugin import ensure_kubernetes_plugin

        plugin = ensure_kubernetes_plugin(note)
        note(f"Its kubernetes plugin is ready: {plugin}" if plugin else "It gets its kubernetes plugin by itself.")


@app.command(name="list")
def list_tools(as_json: Json = False) -> None:
    """Show which Pulumi is used and where it came from. Gets nothing.

    Example: [bold]hybrid tools list --json[/]
    """
    from hybrid.cli.console import answer_json
    from hybrid.toolchain import find_pulumi

    pulumi = find_pulumi()
    if as_json:
        answer_json({"tools": [] if pulumi is None else [_row(pulumi)]})
    elif pulumi is None:
        sys.stdout.write("pulumi  missing  (`hybrid tools install` gets it)\n")
    else:
        sys.stdout.write("  ".join(_row(pulumi).values()) + "\n")


@app.command()
def path() -> None:
    """Print the folder to put on PATH so that `pulumi` works in a shell (`hybrid env` gives all that it needs).

    Example: [bold]export PATH="$(hybrid tools path):$PATH"[/]
    """
    from hybrid.toolchain import find_pulumi

    pulumi = find_pulumi()
    if pulumi is None:
        raise ToolchainError("Pulumi is not on this machine yet.", next_step="`hybrid tools install` gets it.")
    sys.stdout.write(f"{pulumi.bin_folder}\n")


def pulumi_with_progress() -> Pulumi:
    """Pulumi, got if need be: a line for each step, and on a terminal a moving one with the seconds gone by."""
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from hybrid.cli.console import note, notes
    from hybrid.toolchain import ensure_pulumi

    if not notes.is_terminal:
        begun = time.monotonic()
        return ensure_pulumi(lambda line: note(f"[{time.monotonic() - begun:5.1f} s] {line}"))
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    with Progress(*columns, console=notes, transient=True) as progress:
        task = progress.add_task("looking for Pulumi", total=None)

        def show(line: str) -> None:
            note(line)
            progress.update(task, description=line)

        return ensure_pulumi(show)


def _row(pulumi: Pulumi) -> dict[str, str]:
    return {"name": "pulumi", "version": pulumi.version, "origin": pulumi.origin, "path": str(pulumi.executable)}


if __name__ == "__main__":
    app()
