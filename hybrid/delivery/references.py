"""How a stack names the code locations that it serves: by name, by folder, by image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hybrid.delivery.project import CodeSource
from hybrid.delivery.sources import Place
from hybrid.errors import SettingsError


@dataclass(frozen=True)
class NamedLocation:
    """A location under ``locations/``, by its name."""

    name: str


@dataclass(frozen=True)
class LocationPath:
    """A location whose folder lies elsewhere."""

    path: str
    """The folder, absolute or relative to the checkout; it may lead out of the checkout."""


@dataclass(frozen=True)
class LocationImage:
    """A location whose image is built elsewhere; its document is made of what is said here."""

    image: str
    name: str
    code_source: CodeSource
    working_directory: str | None = None
    """Where Python imports from, as a path in the image. None: the image's own."""
    executable_path: str | None = None
    """The Python in the image. None: the first on its PATH."""
    attribute: str | None = None
    agent_queue: str | None = None
    container_context: Mapping[str, Any] = field(default_factory=dict)
    """By platform, as in a container_context.yaml."""


LocationReference = NamedLocation | LocationPath | LocationImage


def folder_at(root: Path, path: str) -> Place:
    """The folder that ``path`` names, seen from the checkout ``root``.

    A link on the way is refused where whoever writes in the checkout could have put it: in every part of a relative
    path (``..`` only stands at its beginning), and in the last part of an absolute one. Raises ``SettingsError``.
    """
    if not path or not path.isprintable() or "\\" in path:
        raise SettingsError(f"{path[:200]!r} is not the path of a folder.", next_step="mend it in `hybrid:locations`.")
    root = root.resolve()
    given = Path(path)
    if given.is_absolute():
        folder = given.parent.resolve() / given.name
        suspicious = [folder]
    else:
        folder, suspicious = root, []
        for part in given.parts:
            if part == "..":
                if suspicious:
                    raise SettingsError(
                        f"The path {path} goes up after it went down.",
                        why="Where that leads would depend on links.",
                        next_step="write it in `hybrid:locations` with '..' at its beginning only.",
                    )
                folder = folder.parent
            else:
                folder = folder / part
                suspicious.append(folder)
    link = next((each for each in suspicious if each.is_symlink()), None)
    if link is not None:
        raise SettingsError(
            f"The path {path} leads through a symbolic link, {link.name}.",
            why="What it leads to can change without a change in the stack's file.",
            next_step="name the folder itself in `hybrid:locations`.",
        )
    if not folder.is_dir():
        raise SettingsError(f"There is no folder {path}.", next_step="mend its path in `hybrid:locations`.")
    if root.is_relative_to(folder):
        raise SettingsError(
            f"The folder {path} holds the whole checkout.",
            why="A code location is hashed, and copied into its image, with everything in its folder.",
            next_step="name the location's own folder in `hybrid:locations`.",
        )
    return Place(folder, path.rstrip("/"))
