"""Which stacks a change touches, by the files that it changes. Pure: paths in, names with reasons out.

A file that could have an effect on a stack touches it; what cannot (documents, tests, other stacks' files, overlays of
other environments) does not, so that a review of nothing takes no time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from hybrid.delivery.environment import environment_of

_PROGRAM: Final = ("agent/", "infra/", "policies/", "hybrid/")
_PROGRAM_FILES: Final = frozenset({"Pulumi.yaml", "requirements.lock", "pyproject.toml"})
# rooms of `hybrid/` that no resource of an organization's stack is made by
_WITHOUT_EFFECT: Final = tuple(
    f"hybrid/{room}/" for room in ("adopt", "cli", "costs", "emulator", "forge", "pipeline", "review", "workflows")
)
_STACK_FILE: Final = ("stacks/Pulumi.", ".yaml")
_SHOWN: Final = 10


@dataclass(frozen=True)
class StackPlace:
    """One stack, as far as paths are concerned. Paths are relative to the checkout, with slashes."""

    name: str
    environment: str
    folders: tuple[str, ...]
    """Of the locations that it serves and of what their images are built from; one outside of the checkout begins with
    `..`."""


@dataclass(frozen=True)
class Touched:
    """``because`` are the first changed files that touch the stack."""

    stack: str
    because: tuple[str, ...]


def touched(changed: Sequence[str], stacks: Iterable[StackPlace]) -> list[Touched]:
    """The stacks that the changed files concern, in the order in which they were given. ``changed`` are relative to the
    checkout."""
    found = []
    for stack in stacks:
        because = tuple(path for path in changed if _touches(path, stack))
        if because:
            found.append(Touched(stack.name, because[:_SHOWN]))
    return found


def stack_of_file(path: str) -> str | None:
    """``prod`` for ``stacks/Pulumi.prod.yaml``; None for another file."""
    prefix, suffix = _STACK_FILE
    if not (path.startswith(prefix) and path.endswith(suffix)) or "/" in path.removeprefix("stacks/"):
        return None
    return path.removeprefix(prefix).removesuffix(suffix) or None


def is_of_the_program(path: str) -> bool:
    """Whether what the stacks' program does may depend on the file."""
    if path.startswith("stacks/"):
        return path.endswith(".py")
    return (path in _PROGRAM_FILES or path.startswith(_PROGRAM)) and not path.startswith(_WITHOUT_EFFECT)


def _touches(path: str, stack: StackPlace) -> bool:
    if (of_file := stack_of_file(path)) is not None:
        return of_file == stack.name
    if path.startswith("stacks/") or path in _PROGRAM_FILES or path.startswith(_PROGRAM):
        return is_of_the_program(path)
    return any(_is_below(path, folder) and not _is_of_another(path, folder, stack) for folder in stack.folders)


def _is_of_another(path: str, folder: str, stack: StackPlace) -> bool:
    """Whether it is an overlay of another environment; those lie in the location's folder itself."""
    file = PurePosixPath(path)
    environment = environment_of(file.name) if str(file.parent) == folder else None
    return environment is not None and environment != stack.environment


def _is_below(path: str, folder: str) -> bool:
    return folder in {"", "."} or path == folder or path.startswith(f"{folder}/")
