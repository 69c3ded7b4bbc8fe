"""A ``dagster_cloud.yaml`` said as ``build.yaml``, ``container_context.yaml`` and ``[tool.dg.project]``, and back.

Pure: sources in, texts by path out. What the other shape has no words for is in ``unsaid``; nothing is dropped in
silence. In the shape of dg a location is a folder; in the older one a folder to build from is a key of a location.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Final

from hybrid.delivery.environment import BUILD, CONTAINER_CONTEXT, without_nulls
from hybrid.delivery.legacy import FILE, LegacyFile, LegacyLocation
from hybrid.delivery.project import NAME, NAME_IN_WORDS, DgProject
from hybrid.delivery.render import dumped
from hybrid.delivery.sources import Source, Toml, YamlMapping
from hybrid.errors import SettingsError

PYPROJECT: Final = "pyproject.toml"


@dataclass(frozen=True)
class Unsaid:
    """Something that the other shape cannot say."""

    location: str
    """Empty: it is of the whole file."""
    key: str
    why: str

    def sentence(self) -> str:
        return f"{f'{self.location}: ' if self.location else ''}{self.key}: {self.why}"


@dataclass(frozen=True)
class Conversion:
    """The files of the other shape, relative to the folder of the given one."""

    files: Mapping[str, str]
    """Whole files."""
    tables: Mapping[str, str]
    """Tables to add to a pyproject.toml, by its path."""
    unsaid: tuple[Unsaid, ...]


@dataclass(frozen=True)
class ProjectFiles:
    """One location in the shape of dg."""

    folder: str
    """Relative to where the dagster_cloud.yaml is to lie; empty: there."""
    name: str
    """The folder's own name, after which the location is called unless it says otherwise."""
    pyproject: Source | None
    dg_toml: Source | None
    build: Source | None
    container_context: Source | None
    overlays: tuple[str, ...] = ()
    """Names of files for single environments."""


def to_build(source: Source) -> Conversion:
    """The files for each location of the dagster_cloud.yaml ``source``, in the folder that it is built from.

    Raises ``SettingsError`` for a file that cannot be read.
    """
    older = LegacyFile.parse(source)
    files: dict[str, str] = {}
    tables: dict[str, str] = {}
    unsaid = _of_the_file(source, older)
    owners: dict[str, str] = {}
    for location in older.locations:
        folder = _folder(location.directory)
        why = _no_project(location, folder, owners)
        if folder is None or why is not None:
            unsaid.append(Unsaid(location.name, "the whole location", f"{why}. It says:\n{_said(location)}"))
            continue
        owners[folder] = location.name
        unsaid += _without_words(location)
        tables[_below(folder, PYPROJECT)] = _tables(location)
        if location.registry is not None:
            files[_below(folder, f"{BUILD}.yaml")] = dumped({"registry": location.registry})
        if location.container_context:
            files[_below(folder, f"{CONTAINER_CONTEXT}.yaml")] = dumped(location.container_context)
    return Conversion(files, tables, tuple(unsaid))


def to_legacy(projects: Iterable[ProjectFiles]) -> Conversion:
    """One dagster_cloud.yaml for all ``projects``.

    Raises ``SettingsError`` for a file that cannot be read, and for two locations of one name.
    """
    entries: list[dict[str, Any]] = []
    unsaid: list[Unsaid] = []
    for files in projects:
        project = DgProject.parse(files.pyproject, files.dg_toml)
        name = project.name or files.name
        if not NAME.fullmatch(name):
            raise SettingsError(
                f"The folder {files.folder or files.name} gives its location no possible name.",
                why=f"It is not {NAME_IN_WORDS}.",
                next_step="set `code_location_name` in its pyproject.toml.",
            )
        if any(entry["location_name"] == name for entry in entries):
            raise SettingsError(
                f"Two folders are the code location '{name}'.",
                next_step="change `code_location_name` in the pyproject.toml of one of them.",
            )
        entries.append(_entry(name, project, files))
        unsaid += [Unsaid(name, *each) for each in _project_without_words(project, files)]
    return Conversion({FILE: dumped({"locations": entries})}, {}, tuple(unsaid))


def with_tables(source: Source | None, tables: str, *, shown: str) -> str | None:
    """The text of the pyproject.toml ``source`` with ``tables`` added at its end; what is there stays to the letter.

    None: it has [tool.dg] already and says something else. Raises ``SettingsError`` for a file that is not TOML or
    would not be any more.
    """
    if source is None:
        return tables
    file = Toml(source)
    if file.table("tool.dg") is not None:
        wanted = Toml(Source(shown, tables)).table("tool.dg.project") or {}
        return source.text if dict(file.table("tool.dg.project") or {}) == dict(wanted) else None
    text = f"{source.text.rstrip()}\n\n{tables}".lstrip("\n")
    Toml(Source(f"{shown} with [tool.dg]", text))
    return text


def same_values(first: Source, second: Source) -> bool:
    """Whether two YAML files say the same, whatever their comments and layout."""
    return YamlMapping(first).values == YamlMapping(second).values


def _of_the_file(source: Source, older: LegacyFile) -> list[Unsaid]:
    unsaid = []
    if older.has_defaults:
        unsaid.append(Unsaid("", "defaults", "merged into each location; the other shape has none"))
    if re.search(r"(?m)(?:^|\s)#", source.text):
        unsaid.append(Unsaid("", "comments", f"they stay in {source.shown} only"))
    return unsaid


def _no_project(location: LegacyLocation, folder: str | None, owners: Mapping[str, str]) -> str | None:
    """Why the location cannot be a folder in the shape of dg; None: it can."""
    if location.code_source.kind == "python_file":
        return "a dg project loads a module, not a file"
    if location.code_source.kind == "autoload_defs_module_name":
        return "a dg project loads a module that makes its definitions, which `load_from_defs_folder` does in one line"
    if folder is None:
        return f"its folder {location.directory} is not below the file's"
    if folder in owners:
        return f"it is built from the folder of '{owners[folder]}', and a folder is one location"
    return None


def _without_words(location: LegacyLocation) -> list[Unsaid]:
    unsaid = []
    values = {
        "working_directory": location.directory_in_image,
        "executable_path": location.executable_path,
        "attribute": location.attribute,
    }
    for key, value in values.items():
        if value is not None:
            unsaid.append(Unsaid(location.name, key, f"a dg project has no word for it; it was {value}"))
    if location.code_source.kind == "package_name":
        unsaid.append(
            Unsaid(location.name, "package_name", "said as the module of that name, from which the same is imported")
        )
    return unsaid


def _tables(location: LegacyLocation) -> str:
    module = location.code_source.name
    root = module.partition(".")[0]
    values = {
        "root_module": root,
        "code_location_name": location.name,
        "code_location_target_module": None if module == f"{root}.definitions" else module,
        "agent_queue": location.agent_queue,
        "image": location.image,
    }
    lines = [f"{key} = {_text(value)}" for key, value in values.items() if value is not None]
    return "\n".join(["[tool.dg]", 'directory_type = "project"', "", "[tool.dg.project]", *lines, ""])


def _text(value: str) -> str:
    """A TOML text; JSON's escapes are among TOML's."""
    return json.dumps(value, ensure_ascii=False)


def _folder(directory: str | None) -> str | None:
    """The folder in its shortest form, empty for the file's own; None when it is not below."""
    path = PurePosixPath(directory or ".")
    if path.is_absolute() or ".." in path.parts:
        return None
    return "" if path == PurePosixPath() else path.as_posix()


def _below(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def _said(location: LegacyLocation) -> str:
    """The location as it would stand alone in a dagster_cloud.yaml, its defaults applied."""
    values = {
        "location_name": location.name,
        "code_source": location.code_source.document(),
        "build": {"registry": location.registry, "directory": location.directory},
        "working_directory": location.directory_in_image,
        "image": location.image,
        "executable_path": location.executable_path,
        "attribute": location.attribute,
        "agent_queue": location.agent_queue,
        "container_context": dict(location.container_context),
    }
    return dumped({key: value for key, value in without_nulls(values).items() if value}).rstrip()


def _entry(name: str, project: DgProject, files: ProjectFiles) -> dict[str, Any]:
    build = YamlMapping(files.build).values if files.build else {}
    directory = _directory(files.folder, build.get("directory"))
    values = {
        "location_name": name,
        "code_source": project.code_source.document(),
        "build": {"registry": build.get("registry"), "directory": directory},
        "image": project.image,
        "agent_queue": project.agent_queue,
        "container_context": YamlMapping(files.container_context).values if files.container_context else {},
    }
    return {key: value for key, value in without_nulls(values).items() if value}


def _directory(folder: str, directory: str | None) -> str | None:
    path = PurePosixPath(folder) / (directory or ".")
    return None if path == PurePosixPath() else path.as_posix()


def _project_without_words(project: DgProject, files: ProjectFiles) -> list[tuple[str, str]]:
    unsaid = [(key, f"dagster_cloud.yaml has no word for it; it was {value}") for key, value in project.further.items()]
    if project.root_module != project.code_source.name.partition(".")[0]:
        unsaid.append(("root_module", f"dagster_cloud.yaml has no word for it; it was {project.root_module}"))
    build = YamlMapping(files.build).values if files.build else {}
    if PurePosixPath(build.get("directory") or ".") != PurePosixPath():
        own = files.folder or "the file's own"
        unsaid.append(("the project's folder", f"only the folder to build from is kept; the project's was {own}"))
    for source in (files.build, files.container_context):
        if source and re.search(r"(?m)(?:^|\s)#", source.text):
            unsaid.append(("comments", f"they stay in {source.shown} only"))
    unsaid += [
        (name, "dagster_cloud.yaml knows no environments; see `hybrid locations render`") for name in files.overlays
    ]
    return unsaid
