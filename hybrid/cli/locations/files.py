"""``hybrid locations render``: the build files of one environment."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from hybrid.cli.stack import Json
from hybrid.errors import SettingsError, UsageError
from hybrid.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hybrid.delivery.catalog import CodeLocationFolder
    from hybrid.engine.stack import Stack


def register(app: typer.Typer) -> None:
    app.command()(render)


def render(
    environment: Annotated[str, typer.Option("--env", metavar="ENV", help="The environment, such as prod.")],
    check: Annotated[
        bool, typer.Option("--check", help="End with 3 when a committed `registry` is not what `up` would set.")
    ] = False,
    write: Annotated[bool, typer.Option("--write", help="Write the files to .build/ENV/.")] = False,
    as_json: Json = False,
) -> None:
    """Print the build files of one environment: the base, with the environment's overlays laid over it.

    Examples: [bold]hybrid locations render --env prod[/]  ·  [bold]hybrid locations render --env prod --check[/]
    """
    from hybrid.cli.console import answer_json, note
    from hybrid.delivery.render import flat_files

    if check and write:
        raise UsageError("--check and --write exclude each other.", next_step="run them one after the other.")
    workspace = Workspace.of_this_checkout()
    stacks = _stacks_of(workspace, environment)
    strange = _strange_overlays(workspace, stacks)
    locations = _locations(stacks)
    files = flat_files(environment, locations, root=workspace.root.resolve(), images=_images(stacks))
    faults = [fault for stack in stacks for fault in _faults(workspace, environment, stack)] if check else []
    written, removed = _written(workspace, environment, files) if write else ((), ())
    for path in strange:
        note(f"{path} is of an environment that no stack has.")
    if as_json:
        answer_json(
            {
                "environment": environment,
                "stacks": [stack.who.stack for stack in stacks],
                "files": files,
                "faults": faults,
                "written": written,
                "removed": removed,
                "strangeOverlays": strange,
            }
        )
    elif write:
        note(f"Written: {_listed(written)}. Removed: {_listed(removed)}.")
    elif not check:
        _print_files(files)
    if faults:
        raise SettingsError(
            f"The build files of {environment} are not what `up` would set:",
            why="\n".join(faults),
            next_step="`hybrid up` writes them; commit what it wrote.",
        )
    if check:
        note(f"The build files of {environment} are what `up` would set.")


def _stacks_of(workspace: Workspace, environment: str) -> list[Stack]:
    from hybrid.engine.stack import Stack, environments

    known = environments(workspace)
    chosen = known.get(environment)
    if not chosen:
        raise UsageError(
            f"No stack is of the environment '{environment}'.",
            why=f"There are: {', '.join(sorted(known)) or 'none'}.",
            next_step="name one of them, or set `hybrid:environment` in a stack's file.",
        )
    return [Stack.read(workspace, name) for name in chosen]


def _locations(stacks: Sequence[Stack]) -> list[CodeLocationFolder]:
    """The locations of all the stacks, each once."""
    found: dict[str, CodeLocationFolder] = {}
    for stack in stacks:
        for location in stack.folders:
            if found.setdefault(location.name, location) != location:
                raise SettingsError(
                    f"The stacks {', '.join(one.who.stack for one in stacks)} are of one environment and serve "
                    f"different code locations '{location.name}'.",
                    next_step="give the stacks environments of their own (`hybrid:environment`).",
                )
    return list(found.values())


def _images(stacks: Sequence[Stack]) -> dict[str, str]:
    """Images that are known by digest without asking anybody: those that are pinned."""
    return {name: image for stack in stacks for name, image in stack.who.settings.pins.items()}


def _faults(workspace: Workspace, environment: str, stack: Stack) -> tuple[str, ...]:
    from hybrid.delivery.registry_overlay import registry_faults

    settings = stack.who.settings
    if settings.registry is None or not settings.agent.needs_images:
        return ()
    unpinned = [location for location in stack.folders if location.name not in settings.pins]
    return registry_faults(
        unpinned, root=workspace.root.resolve(), environment=environment, address=settings.registry.address
    )


def _strange_overlays(workspace: Workspace, stacks: Sequence[Stack]) -> list[str]:
    """Overlays of environments that no stack has: a misspelt one would be read by nobody."""
    from hybrid.delivery.environment import environment_of
    from hybrid.engine.stack import environments

    known = {*environments(workspace)}
    known |= {path.name.removesuffix(".example.yaml") for path in workspace.stack_files.glob("*.example.yaml")}
    root = workspace.root.resolve()
    folders = {
        root / "locations",
        *(each.folder for stack in stacks for each in stack.folders if each.kind == "folder"),
    }
    found = []
    for path in sorted(each for folder in folders if folder.is_dir() for each in folder.iterdir()):
        environment = environment_of(path.name)
        if environment is not None and (environment not in known or path.suffix != ".yaml"):
            found.append(path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path))
    return found


def _written(
    workspace: Workspace, environment: str, files: Mapping[str, str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    from hybrid.delivery.render import MARK, flat_folder
    from hybrid.delivery.written_files import remove_leftovers, write_files

    root = workspace.root.resolve()
    written = write_files(root, files)
    return written, remove_leftovers(root, flat_folder(environment), files.keys(), mark=MARK)


def _print_files(files: Mapping[str, str]) -> None:
    from hybrid.redaction import redact

    for path, text in files.items():
        sys.stdout.write(redact(f"# --- {path}\n{text}\n"))


def _listed(paths: Sequence[str]) -> str:
    return ", ".join(paths) or "nothing"
