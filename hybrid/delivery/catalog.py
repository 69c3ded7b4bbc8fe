"""Which code locations there are: one for each folder under ``locations/``, read into ``CodeLocationFolder``.

Read from each folder: ``pyproject.toml`` (see ``project``), ``build.yaml`` (dagster_dg_core/config.py,
``DgRawBuildConfig``), ``container_context.yaml``, and whether there is a lock of its requirements. Nothing is imported
or run.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from hybrid.delivery.project import NAME, NAME_IN_WORDS, CodeSource, Project
from hybrid.delivery.sources import Source, YamlMapping
from hybrid.errors import SettingsError

PLATFORMS: Final = ("aca", "docker", "ecs", "k8s")
"""Keys of a container context (dagster_cloud/workspace/config_schema): the local agent has none."""

_REGISTRY: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,254}")
_LOCK_BYTES: Final = 8 * 1024 * 1024  # a lock with hashes of a few hundred packages takes one megabyte


@dataclass(frozen=True)
class Build:
    """How the location's image is built (``build.yaml``)."""

    registry: str | None
    """The repository to push to; None: not said."""
    directory: Path
    """The build context, absolute. Default: the location's folder."""


@dataclass(frozen=True)
class CodeLocationFolder:
    """A code location as it lies in its folder; paths are absolute."""

    name: str
    folder: Path
    code_source: CodeSource
    working_directory: Path
    """What Python imports from: ``src`` where there is one, else the folder."""
    requirements: tuple[str, ...]
    """``[project] dependencies``, PEP 508."""
    lock: Path | None
    """``requirements.lock``, else a ``requirements.txt`` with hashes; None: neither."""
    requires_python: str | None
    build: Build
    container_context: Mapping[str, Any]
    """By platform; empty: nothing said."""
    agent_queue: str | None
    """None: the default queue."""
    image: str | None
    """An image built elsewhere (``[tool.dg.project] image``)."""


def find_code_locations(root: Path) -> tuple[CodeLocationFolder, ...]:
    """All locations of the checkout ``root``, by folder name. Hidden folders and mere leftovers (bytecode of a location
    that another branch has) are none.

    Raises one ``SettingsError`` for everything that is wrong, with files and lines.
    """
    parent = root.resolve() / "locations"
    found: list[CodeLocationFolder] = []
    wrong: list[SettingsError] = []
    for folder in sorted(parent.iterdir()) if parent.is_dir() else ():
        if folder.name.startswith((".", "__")) or not (folder.is_dir() or folder.is_symlink()):
            continue
        try:
            if _holds_anything(folder):
                found.append(_read(folder))
        except SettingsError as error:
            wrong.append(error)
    wrong += _repeated_names(found)
    if len(wrong) == 1:
        raise wrong[0]
    if wrong:
        raise SettingsError(
            f"{len(wrong)} things are wrong under {parent.name}/:",
            why="\n\n".join(error.sentence() for error in wrong),
            next_step="mend them, and run the command again.",
        )
    return tuple(found)


def _read(folder: Path) -> CodeLocationFolder:
    shown = f"{folder.parent.name}/{folder.name}"
    if folder.is_symlink():
        raise SettingsError(
            f"{shown} is a symbolic link.", next_step="move the folder there, so that it is part of the checkout."
        )
    source = Source.read(folder / "pyproject.toml", folder=folder)
    project = Project.parse(source) if source else None
    if project is None:
        raise _no_location(folder)
    if project.name is None and not NAME.fullmatch(folder.name):
        raise SettingsError(
            f"{shown} gives its location no possible name.",
            why=f"A location is called as its folder unless `code_location_name` says otherwise: {NAME_IN_WORDS}.",
            next_step="rename the folder, or set `code_location_name` in its pyproject.toml.",
        )
    working_directory = _subfolder(folder, "src") or folder
    return CodeLocationFolder(
        name=project.name or folder.name,
        folder=folder,
        code_source=project.code_source,
        working_directory=working_directory,
        requirements=project.requirements,
        lock=_lock(folder),
        requires_python=project.requires_python,
        build=_build(folder),
        container_context=_container_context(folder),
        agent_queue=project.agent_queue,
        image=project.image,
    )


def _holds_anything(folder: Path) -> bool:
    return folder.is_symlink() or any(path.is_file() and path.suffix != ".pyc" for path in folder.rglob("*"))


def _no_location(folder: Path) -> SettingsError:
    shown = f"{folder.parent.name}/{folder.name}"
    legacy = next((name for name in ("dagster_cloud.yaml", "dg.toml") if (folder / name).exists()), None)
    return SettingsError(
        f"{shown} is not a code location that can be read.",
        why=(f"It has a {legacy}, which is not read. " if legacy else "")
        + "Read are pyproject.toml with [tool.dg.project] (`root_module`) or [tool.dagster] (`module_name`), "
        "build.yaml and container_context.yaml.",
        next_step=f'write {shown}/pyproject.toml with, for example:\n[tool.dg.project]\nroot_module = "{folder.name}"',
    )


def _subfolder(folder: Path, name: str) -> Path | None:
    path = folder / name
    if not path.is_dir():
        return None
    if not path.resolve().is_relative_to(folder.resolve()):
        raise SettingsError(
            f"{folder.parent.name}/{folder.name}/{name} leads out of its folder.",
            next_step="put the folder itself there instead of a link.",
        )
    return path


def _lock(folder: Path) -> Path | None:
    if Source.read(folder / "requirements.lock", folder=folder, limit=_LOCK_BYTES):
        return folder / "requirements.lock"
    listed = Source.read(folder / "requirements.txt", folder=folder, limit=_LOCK_BYTES)
    return folder / "requirements.txt" if listed and "--hash=" in listed.text else None


def _build(folder: Path) -> Build:
    source = Source.read(folder / "build.yaml", folder=folder)
    if source is None:
        return Build(registry=None, directory=folder)
    file = YamlMapping(source)
    for key, value in file.values.items():
        line = file.lines.get(key)
        if key not in {"registry", "directory"}:
            raise source.wrong(
                line,
                f"there is no key `{key}`.",
                next_step="a build.yaml has `registry` and `directory`; the queue and the image are set in "
                "pyproject.toml, [tool.dg.project], and the environment in container_context.yaml.",
            )
        if value is not None and not isinstance(value, str):
            raise source.wrong(line, f"`{key}` is not a text.")
    registry = file.values.get("registry")
    if registry is not None and not _REGISTRY.fullmatch(registry):
        raise source.wrong(
            file.lines["registry"],
            "`registry` is not a repository, such as 123456789012.dkr.ecr.eu-west-1.amazonaws.com/hello.",
        )
    directory = folder / (file.values.get("directory") or ".")
    if not directory.resolve().is_relative_to(folder.resolve()) or not directory.is_dir():
        raise source.wrong(
            file.lines["directory"],
            "`directory` is not a folder inside the location's own.",
            next_step="leave it out to build from the location's folder.",
        )
    return Build(registry=registry, directory=directory.resolve())


def _container_context(folder: Path) -> Mapping[str, Any]:
    source = Source.read(folder / "container_context.yaml", folder=folder)
    if source is None:
        return {}
    file = YamlMapping(source)
    for key, value in file.values.items():
        if key not in PLATFORMS:
            raise source.wrong(
                file.lines.get(key), f"`{key}` is no platform.", next_step=f"platforms are: {', '.join(PLATFORMS)}."
            )
        if not isinstance(value, dict):
            raise source.wrong(file.lines.get(key), f"`{key}` is not a mapping.")
    return file.values


def _repeated_names(locations: Sequence[CodeLocationFolder]) -> list[SettingsError]:
    first: dict[str, CodeLocationFolder] = {}
    wrong: list[SettingsError] = []
    for location in locations:
        other = first.setdefault(location.name, location)
        if other is not location:
            wrong.append(
                SettingsError(
                    f"Two folders are the code location '{location.name}': locations/{other.folder.name} and "
                    f"locations/{location.folder.name}.",
                    next_step="change `code_location_name` in the pyproject.toml of one of them.",
                )
            )
    return wrong
