"""``hybrid assets job`` and ``hybrid assets library``: what a code location needs to copy its stored values itself."""

from __future__ import annotations

import difflib
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hybrid.cli.stack import Json
from hybrid.errors import SettingsError, ToolchainError, UsageError
from hybrid.workspace import Workspace

if TYPE_CHECKING:
    from hybrid.assets.job_file import JobPlace
    from hybrid.engine.stack import Stack

_LIBRARY = "asset_values"


def register(app: typer.Typer) -> None:
    app.command()(job)
    app.command()(library)


def job(
    stack: Annotated[str, typer.Argument(help="The stack whose place values go to.", metavar="STACK")],
    location: Annotated[str, typer.Argument(help="The code location that gets the jobs.", metavar="LOCATION")],
    write: Annotated[bool, typer.Option("--write", help="Write the file; one that somebody edited is left.")] = False,
    from_serverless: Annotated[
        bool,
        typer.Option(
            "--from-serverless/--from-here",
            help="Run on Serverless, writing by the stack's role (`assetValues.writer`); or by the run's credentials.",
        ),
    ] = True,
    as_json: Json = False,
) -> None:
    """Show the file that gives a location the jobs `copy_stored_values` and `verify_stored_values`, as a difference.

    Examples: [bold]hybrid assets job prod hello[/]  ·  [bold]hybrid assets job prod hello --write[/]
    """
    from hybrid.assets.job_file import job_file, standing
    from hybrid.cli.console import answer_json, note, out
    from hybrid.delivery.written_files import write_files
    from hybrid.engine.stack import Stack

    read = Stack.read(Workspace.of_this_checkout(), stack)
    folder = read.location(location)
    file = job_file(folder, _place(read, from_serverless=from_serverless), from_serverless=from_serverless)
    root, path = folder.working_directory, file.path.as_posix()
    target = root / path
    present = target.read_text(encoding="utf-8") if target.is_file() else None
    state = standing(present, file.text)
    if write and state == "edited":
        raise SettingsError(
            f"{target} was edited, or was not written by this command; it is left alone.",
            next_step="take over what you need of the difference that `hybrid assets job` shows, or move it away.",
        )
    if write and state != "same":
        write_files(root, {path: file.text})
    if as_json:
        answer_json({"path": str(target), "standing": state, "written": write and state != "same", "text": file.text})
        return
    if not write and state != "same":
        lines = difflib.unified_diff(
            (present or "").splitlines(keepends=True),
            file.text.splitlines(keepends=True),
            path if present is not None else "/dev/null",
            path,
        )
        out.print("".join(lines), end="", markup=False, highlight=False, soft_wrap=True)
    note(f"{path}: {state}{', written' if write and state != 'same' else ''}.")
    note("The location requires dagster-asset-values: `hybrid assets library --into DIR` makes its wheel.")
    if file.module is not None:
        note(f"Put its jobs among your definitions: from {file.module} import copy_stored_values, verify_stored_values")


def library(
    into: Annotated[Path, typer.Option("--into", help="The folder that gets the wheel.", file_okay=False)],
    as_json: Json = False,
) -> None:
    """Build the wheel `dagster-asset-values`, which code locations require, from this checkout.

    Example: [bold]hybrid assets library --into locations/hello/wheels[/]
    """
    from hybrid.cli.console import answer_json, note

    source = Workspace.of_this_checkout().root / _LIBRARY
    if not (source / "pyproject.toml").is_file():
        raise UsageError(f"There is no {source}.", next_step="run it in a whole checkout.")
    wheel = built_wheel(source, into.absolute())
    if as_json:
        answer_json({"wheel": str(wheel)})
        return
    note(f"{wheel}")
    note("Among a location's dependencies, on this machine:")
    note(f'  "dagster-asset-values @ {wheel.as_uri()}"')
    note(f"in an image, by its path in the build context, in a requirements.txt: ./{into.name}/{wheel.name}")


def built_wheel(source: Path, into: Path) -> Path:
    """The wheel of the room. Raises ``ToolchainError`` with what uv said."""
    from uv import find_uv_bin

    into.mkdir(parents=True, exist_ok=True)
    before = set(into.glob("*.whl"))
    ended = subprocess.run(
        [find_uv_bin(), "build", "--wheel", "--quiet", "--out-dir", str(into), str(source)],
        capture_output=True,
        text=True,
        check=False,
    )
    wheels = sorted(into.glob("dagster_asset_values-*.whl"), key=lambda path: path.stat().st_mtime_ns)
    if ended.returncode or not wheels:
        raise ToolchainError(
            "The wheel could not be built.",
            why=ended.stderr.strip() or None,
            next_step="see that the package index can be reached, and run the same command again.",
        )
    return next(iter(set(wheels) - before), wheels[-1])


def _place(stack: Stack, *, from_serverless: bool) -> JobPlace:
    from hybrid.assets.job_file import JobPlace
    from hybrid.engine.stored_values import stored_values_place, stored_values_writer

    place = stored_values_place(stack.who)
    if place is None:
        raise UsageError(
            "The stack has no place for stored values.", next_step="set `hybrid:assetValues` in the stack file."
        )
    role, external = (stored_values_writer(stack.who) or (None, None)) if from_serverless else (None, None)
    return JobPlace(place.url, place.region, place.endpoint, role, external)
