"""``hybrid locations build``, ``push`` and ``dockerfile``: images of code locations, as `up` would make them."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from hybrid.cli.locations.pins import Location, Named
from hybrid.cli.locations.selection import ChangedSince, Only
from hybrid.cli.stack import Json, StackName
from hybrid.errors import HybridError, UsageError
from hybrid.workspace import Workspace

if TYPE_CHECKING:
    from hybrid.cli.locations.images import StackImages
    from hybrid.delivery.catalog import CodeLocationFolder

Action = Literal["built", "pushed", "unchanged", "failed"]

_WORKERS = 5  # those that push or read their files leave the processors to those that build


@dataclass(frozen=True)
class Made:
    """What became of one location's image. ``reference``: local after a build, by digest after a push."""

    name: str
    action: Action
    reference: str | None
    seconds: float
    error: HybridError | None = None

    def document(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "action": self.action,
            "reference": self.reference,
            "seconds": round(self.seconds, 1),
            "error": self.error.sentence() if self.error else None,
        }


def register(app: typer.Typer) -> None:
    app.command()(build)
    app.command()(push)
    app.command()(dockerfile)


def build(
    stack: StackName = "local", only: Only = None, changed_since: ChangedSince = None, as_json: Json = False
) -> None:
    """Build the images of the stack's code locations on this machine's engine, several at once, and push nothing.

    Examples: [bold]hybrid locations build docker[/]  ·  [bold]hybrid locations build docker --only hello --json[/]
    """

    def one(images: StackImages, folder: CodeLocationFolder, say: Callable[[str], None]) -> tuple[Action, str]:
        return "built", images.build(folder, say)

    _make(stack, only, changed_since, one, as_json=as_json)


def push(
    stack: StackName = "local", only: Only = None, changed_since: ChangedSince = None, as_json: Json = False
) -> None:
    """Build and push the images of the stack's code locations, several at once. What the registry has already, by its
    content, is neither built nor pushed. Dagster+ is told nothing: that is what `deploy` and `up` do.

    Examples: [bold]hybrid locations push prod[/]  ·  [bold]hybrid locations push prod --changed-since origin/main[/]
    """

    def one(images: StackImages, folder: CodeLocationFolder, say: Callable[[str], None]) -> tuple[Action, str]:
        published = images.publish(folder, say)
        return "pushed" if published.built else "unchanged", published.reference

    _make(stack, only, changed_since, one, as_json=as_json)


def dockerfile(
    stack: Named,
    name: Location,
    write: Annotated[bool, typer.Option("--write", help="Put it into the folder, where there is none.")] = False,
) -> None:
    """Print the Dockerfile that a code location's image is built from: its own, or the one that is used where it has
    none.

    Examples: [bold]hybrid locations dockerfile docker hello[/]  ·
    [bold]hybrid locations dockerfile docker hello --write[/]
    """
    from hybrid.cli.console import note
    from hybrid.cli.locations.images import dockerfile_of
    from hybrid.engine.stack import Stack

    folder = Stack.read(Workspace.of_this_checkout(), stack).location(name)
    if folder.kind == "image":
        raise UsageError(f"The image of '{name}' is built elsewhere.", next_step="name a location that has a folder.")
    path, text = dockerfile_of(folder)
    if not write:
        sys.stdout.write(text)
        return
    try:
        with path.open("x", encoding="utf-8") as file:
            try:
                file.write(text)
                file.flush()
            except OSError:  # on a full disk an empty file would stay, and would be taken for the team's own
                path.unlink()
                raise
    except FileExistsError:
        note(f"{path} is there already and stays as it is.")
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written.", why=error.strerror, next_step="make room or mend its folder's permissions."
        ) from None
    else:
        note(f"Written: {path}. It is yours now: `up` builds from it, and no longer from what this command prints.")


def _make(
    stack: str,
    only: Sequence[str] | None,
    changed_since: str | None,
    one: Callable[[StackImages, CodeLocationFolder, Callable[[str], None]], tuple[Action, str]],
    *,
    as_json: bool,
) -> None:
    from hybrid.cli.console import answer_json, note, show_error
    from hybrid.cli.locations.images import StackImages
    from hybrid.cli.locations.selection import selected
    from hybrid.engine.stack import Stack

    workspace = Workspace.of_this_checkout()
    standing = Stack.read(workspace, stack)
    chosen = selected(standing, workspace, only, changed_since)
    images = StackImages(standing)
    folders = []
    for folder in chosen:
        reason = images.why_not_built(folder, named=bool(only))
        if reason is None:
            folders.append(folder)
        else:
            note(f"{folder.name}: {reason}")
    made = in_parallel(folders, lambda folder, say: one(images, folder, say), images.stop)
    if as_json:
        answer_json({"stack": stack, "images": [each.document() for each in made]})
    else:
        _print(made)
    failed = [each for each in made if each.error is not None]
    for each in failed:
        if each.error is not None:
            note(f"{each.name}:")
            show_error(each.error)
    if failed:
        raise typer.Exit(max(each.error.exit_code for each in failed if each.error is not None))


def in_parallel(
    folders: Sequence[CodeLocationFolder],
    one: Callable[[CodeLocationFolder, Callable[[str], None]], tuple[Action, str]],
    stop: Callable[[], None],
) -> list[Made]:
    """What became of each, in the order of ``folders``. One that fails does not stop the others; Ctrl-C stops all, by
    ``stop``, and is raised again when they have ended."""
    from hybrid.cli.console import note

    lock = threading.Lock()

    def say(name: str, line: str) -> None:
        with lock:
            note(f"{name}: {line}")

    def timed(folder: CodeLocationFolder) -> Made:
        begun = time.monotonic()
        try:
            action, reference = one(folder, lambda line: say(folder.name, line))
        except HybridError as error:
            say(folder.name, f"failed. {error.what}")
            return Made(folder.name, "failed", None, time.monotonic() - begun, error)
        return Made(folder.name, action, reference, time.monotonic() - begun)

    with ThreadPoolExecutor(max_workers=_WORKERS) as pool:
        futures: list[Future[Made]] = [pool.submit(timed, folder) for folder in folders]
        try:
            return [future.result() for future in futures]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            stop()
            raise


def _print(made: Sequence[Made]) -> None:
    from rich.table import Table
    from rich.text import Text

    from hybrid.cli.locations.listing import print_whole

    table = Table(box=None, pad_edge=False, show_header=False)
    styles = {"built": "green", "pushed": "green", "unchanged": "dim", "failed": "red"}
    for each in made:
        word = Text(each.action, style=styles[each.action])
        table.add_row(Text(each.name, style="bold"), word, Text(each.reference or ""), f"{each.seconds:.1f} s")
    print_whole(table)
