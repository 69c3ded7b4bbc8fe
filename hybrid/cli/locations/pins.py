"""``hybrid locations pin`` and ``unpin``: hold a code location at an image, by the stack's file."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from hybrid.cli.stack import Json
from hybrid.errors import UsageError
from hybrid.workspace import Workspace

if TYPE_CHECKING:
    from hybrid.engine.stack import Stack

Named = Annotated[str, typer.Argument(help="The stack: a file stacks/Pulumi.STACK.yaml.", metavar="STACK")]
Location = Annotated[str, typer.Argument(help="The code location.", metavar="NAME")]


def register(app: typer.Typer) -> None:
    app.command()(pin)
    app.command()(unpin)


def pin(
    stack: Named,
    name: Location,
    image: Annotated[
        str | None, typer.Argument(help="The image; a tag is resolved to its digest. Default: what is loaded now.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Hold a code location at an image, whatever its folder says, until it is unpinned. Writes `hybrid:pins` in the
    stack's file and nothing else; `up` then does it.

    Examples: [bold]hybrid locations pin prod hello[/]  ·  [bold]hybrid locations pin prod hello ghcr.io/acme/x:1.2[/]
    """
    from hybrid.cli.console import answer_json, note
    from hybrid.delivery.pins import StackFile
    from hybrid.engine.stack import Stack

    workspace = Workspace.of_this_checkout()
    file = StackFile(workspace.stack_file(stack))
    standing = Stack.read(workspace, stack)
    standing.location(name)
    _require_images(standing)
    by_digest = _resolved(image) if image is not None else _loaded(standing, name)
    changed = file.pin(name, by_digest)
    if as_json:
        answer_json({"stack": stack, "location": name, "image": by_digest, "changed": changed})
        return
    note(f"{name} {'is' if changed else 'was already'} pinned to {by_digest}.")
    note(f"Next: `hybrid up {stack}`; to let go of it again, `hybrid locations unpin {stack} {name}`.")


def unpin(stack: Named, name: Location, as_json: Json = False) -> None:
    """Let go of a pinned code location: the next `up` gives it the image of its folder again.

    Example: [bold]hybrid locations unpin prod hello[/]
    """
    from hybrid.cli.console import answer_json, note
    from hybrid.delivery.pins import StackFile
    from hybrid.engine.stack import Stack

    workspace = Workspace.of_this_checkout()
    file = StackFile(workspace.stack_file(stack))
    if name not in file.pins:
        Stack.read(workspace, stack).location(name)
    changed = file.unpin(name)
    if as_json:
        answer_json({"stack": stack, "location": name, "changed": changed})
    elif changed:
        note(f"{name} is no longer pinned.")
        note(f"Next: `hybrid up {stack}`.")
    else:
        note(f"{name} was not pinned.")


def _require_images(stack: Stack) -> None:
    who = stack.who
    if not who.settings.agent.needs_images:
        raise UsageError(
            f"The agent of the stack '{who.stack}' runs code locations from their folders: there is no image to pin.",
            next_step="check out the commit whose code is to run, then `hybrid up`.",
        )


def _loaded(stack: Stack, name: str) -> str:
    """What Dagster+ has loaded of the location, by digest."""
    from hybrid.cli.locations.selection import client

    with client(stack) as plus:
        found = next((status for status in plus.code_locations() if status.name == name), None)
    image = found.loaded_image if found is not None else None
    if image is None:
        state = "does not have it" if found is None else "has not loaded it"
        raise UsageError(
            f"No image of '{name}' is loaded that could be pinned: Dagster+ {state}.",
            next_step=f"name one: `hybrid locations pin {stack.who.stack} {name} IMAGE`.",
        )
    return _resolved(image)


def _resolved(image: str) -> str:
    """``image`` by digest. Raises ``UsageError`` when the registry has none of that name."""
    from hybrid.cli.console import note
    from hybrid.delivery.images.errors import RegistryError
    from hybrid.delivery.images.reference import Reference
    from hybrid.delivery.images.registry import Registry

    reference = Reference.parse(image)
    try:
        digest = Registry(os.environ).digest(image)
    except RegistryError as error:
        if reference.digest is None:
            raise
        # whoever pins may be in the middle of an outage: a digest needs nobody's word
        note(f"The registry was not asked whether it has the image: {error.what}")
        digest = reference.digest
    if digest is None:
        raise UsageError(
            f"There is no image {image}.",
            why=f"The registry {reference.registry} answers, and does not have it.",
            next_step="look at what it has; the image of a location is its repository and a tag or a digest.",
        )
    return f"{reference.repository}@{reference.digest or digest}"
