"""Which of a stack's code locations a command is about: all, those named, or those that a change concerns."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hybrid.errors import UsageError
from hybrid.workspace import Workspace

if TYPE_CHECKING:
    from hybrid.delivery.catalog import CodeLocationFolder
    from hybrid.delivery.selection import Concern
    from hybrid.engine.stack import Stack
    from hybrid.plus import PlusClient

Only = Annotated[
    list[str] | None, typer.Option("--only", metavar="NAME", help="Only this code location; may be repeated.")
]
ChangedSince = Annotated[
    str | None,
    typer.Option(
        "--changed-since",
        metavar="REF",
        help="Only locations with a file that changed since the branch left REF, uncommitted and new files included.",
    ),
]

_SHOWN = 5  # changed files that are no location's


def selected(
    stack: Stack, workspace: Workspace, only: Sequence[str] | None, changed_since: str | None
) -> tuple[CodeLocationFolder, ...]:
    """The stack's locations that are meant, in the stack's order.

    Raises ``UsageError`` for a name that the stack does not have, for both ways at once, and for what git cannot tell.
    """
    if only and changed_since is not None:
        raise UsageError("--only and --changed-since exclude each other.", next_step="give one of them.")
    if only:
        by_name = {folder.name: folder for folder in stack.folders}
        for name in only:
            stack.location(name)
        return tuple(by_name[name] for name in by_name if name in only)
    if changed_since is None:
        return stack.folders
    return _changed(stack, workspace, changed_since)


def client(stack: Stack) -> PlusClient:
    """The stack's Dagster+. Raises ``DagsterPlusError`` for an embedded one that does not stand."""
    from hybrid.cli.dagster_plus import client_of

    return client_of(stack.who)


def folders_of(folder: CodeLocationFolder) -> tuple[Path, ...]:
    """Where a location's files lie; nowhere for one whose image is built elsewhere."""
    return () if folder.kind == "image" else (folder.folder, folder.build.directory)


def _changed(stack: Stack, workspace: Workspace, reference: str) -> tuple[CodeLocationFolder, ...]:
    from hybrid.delivery.selection import changes_since, concerned

    changes = changes_since(workspace.root, reference)
    concern = concerned(changes, [(folder, folders_of(folder)) for folder in stack.folders])
    _say(reference, concern)
    return tuple(folder for folder in stack.folders if folder.name in concern.names)


def _say(reference: str, concern: Concern) -> None:
    from hybrid.cli.console import note

    note(f"Changed since {reference}: {', '.join(concern.names) or 'no code location'}.")
    if concern.unknown:
        note(f"Outside of the repository, so taken as changed: {', '.join(concern.unknown)}.")
    if concern.elsewhere:
        shown = ", ".join(str(path) for path in concern.elsewhere[:_SHOWN])
        rest = len(concern.elsewhere) - _SHOWN
        note(f"Not in any location's folder: {shown}{f' and {rest} more' if rest > 0 else ''}.")
