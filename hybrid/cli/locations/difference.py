"""``hybrid locations diff``: what `up` would tell Dagster+ of each code location, against what Dagster+ has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hybrid.cli.locations.selection import ChangedSince, Only
from hybrid.cli.stack import Json, StackName
from hybrid.workspace import Workspace

if TYPE_CHECKING:
    from rich.text import Text

    from hybrid.cli.locations.images import ImageVerdict
    from hybrid.delivery.catalog import CodeLocationFolder
    from hybrid.delivery.difference import LocationDifference
    from hybrid.engine.stack import Stack

DIFFERENT = 1
"""The exit code of --exit-code, as git has it."""

ExitCode = Annotated[bool, typer.Option("--exit-code", help="End with 1 when something differs.")]


def register(app: typer.Typer) -> None:
    app.command()(diff)


def diff(
    stack: StackName = "local",
    only: Only = None,
    changed_since: ChangedSince = None,
    exit_code: ExitCode = False,
    as_json: Json = False,
) -> None:
    """Show what the next `up` would tell Dagster+ of each code location, key by key, and which images would be built
    for it. Which files an image changes for is what `hybrid preview` says.

    Examples: [bold]hybrid locations diff prod[/]  ·  [bold]hybrid locations diff prod --only hello --exit-code[/]
    """
    from hybrid.cli.console import answer_json
    from hybrid.cli.locations.images import verdicts
    from hybrid.cli.locations.selection import client, selected
    from hybrid.delivery.difference import compared
    from hybrid.engine.stack import Stack

    workspace = Workspace.of_this_checkout()
    standing = Stack.read(workspace, stack)
    chosen = selected(standing, workspace, only, changed_since)
    with client(standing) as plus:
        present = plus.location_documents()
    told = {folder.name: str(present.get(folder.name, {}).get("image") or "") or None for folder in chosen}
    images = verdicts(standing, chosen, told)
    wanted = {folder.name: _document(standing, workspace, folder, images.get(folder.name)) for folder in chosen}
    is_whole = not only and changed_since is None
    found = compared(wanted, present if is_whole else {name: present[name] for name in wanted if name in present})
    if as_json:
        answer_json({"stack": stack, "locations": [_row(each, images.get(each.name)) for each in found]})
    else:
        _print(found, images)
    if exit_code and (any(each.standing in {"added", "changed"} for each in found) or _rebuilds(images)):
        raise typer.Exit(DIFFERENT)


def _document(
    stack: Stack, workspace: Workspace, folder: CodeLocationFolder, image: ImageVerdict | None
) -> dict[str, Any]:
    from hybrid.delivery.virtualenv import VirtualEnvironmentSpec, executable_of

    if image is not None:
        return stack.document(folder, image=image.would_be)
    environment = VirtualEnvironmentSpec.of_location(folder, workspace)
    return stack.document(folder, executable=executable_of(environment.path))


def _rebuilds(images: Mapping[str, ImageVerdict]) -> bool:
    return any(image.rebuild for image in images.values())


def _row(found: LocationDifference, image: ImageVerdict | None) -> dict[str, Any]:
    row: dict[str, Any] = {
        "name": found.name,
        "standing": found.standing,
        "changes": [{"path": change.path, "old": change.old, "new": change.new} for change in found.changes],
    }
    if image is not None:
        row["image"] = {"now": image.now, "would_be": image.would_be, "rebuild": image.rebuild, "why": image.why}
    return row


_WORDS = {
    "added": ("would be added", "green"),
    "changed": ("would change", "yellow"),
    "same": ("as it is", "dim"),
    "untouched": ("not of this stack, left alone", "dim"),
}


def _print(found: Sequence[LocationDifference], images: Mapping[str, ImageVerdict]) -> None:
    from rich.text import Text

    from hybrid.cli.console import out
    from hybrid.redaction import redact

    for each in found:
        words, style = _WORDS[each.standing]
        out.print(Text(f"{each.name}  ", style="bold") + Text(words, style=style))
        for change in each.changes if each.standing == "changed" else ():
            out.print(Text(redact(f"  {change.path}  ")) + _value(change.old) + Text(" → ") + _value(change.new))
        image = images.get(each.name)
        if image is not None:
            out.print(Text(redact(f"  image: {image.why}"), style="" if image.rebuild else "dim"))


def _value(value: Any) -> Text:
    import json

    from rich.text import Text

    from hybrid.redaction import redact

    if value is None:
        return Text("(none)", style="dim")
    return Text(redact(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)))
