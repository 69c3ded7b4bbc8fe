"""A location's ``pyproject.toml`` and ``dg.toml``: what it is called, what Dagster loads, what it needs.

Three ways of saying it are read: ``[tool.dg.project]`` as `dg` writes it (keys: dagster_dg_core/config.py,
``DgRawProjectConfig`` of 1.13.27; in a dg.toml ``[project]``), ``[tool.dagster]`` with ``module_name``
(dagster/_core/workspace/load_target.py), and one table ``[tool.dagster.code_locations.<name>]``, which guides show
though Dagster itself reads no such table.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet

from hybrid.delivery.sources import Source, Toml
from hybrid.errors import SettingsError

NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
NAME_IN_WORDS: Final = "a name of 1 to 100 letters, digits, '_', '-' and '.', the first a letter, digit or '_'"
MODULE: Final = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
MODULE_IN_WORDS: Final = "a Python module's name, such as hello.definitions"
QUEUE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,126}")
QUEUE_IN_WORDS: Final = "a queue's name of letters, digits, '.', '_' and '-'"
IMAGE: Final = re.compile(r"[a-zA-Z0-9][!-~]{0,511}")
IMAGE_IN_WORDS: Final = "the reference of an image"

FOLDER: Final = re.compile(r"[^/\s\x00-\x1f\\][^\x00-\x1f\\]{0,499}")

DG: Final = "tool.dg.project"
DG_TOML: Final = "project"
DAGSTER: Final = "tool.dagster"
GUIDED: Final = "tool.dagster.code_locations"
_DG_KEYS: Final = frozenset(
    {
        "agent_queue",
        "code_location_name",
        "code_location_target_module",
        "defs_module",
        "image",
        "registry_modules",
        "root_module",
        # not in DgRawProjectConfig of 1.13.27: Dagster itself reads the first, earlier versions of dg wrote the second
        "autoload_defs",
        "python_environment",
    }
)


CodeSourceKind = Literal["module_name", "package_name", "python_file", "autoload_defs_module_name"]


@dataclass(frozen=True)
class CodeSource:
    """What Dagster loads, in the words of a location document's ``code_source``."""

    kind: CodeSourceKind
    name: str

    def document(self) -> dict[str, str]:
        return {self.kind: self.name}


@dataclass(frozen=True)
class Requirements:
    """``[project]`` of a pyproject.toml, as far as an environment is made from it."""

    listed: tuple[str, ...]
    """PEP 508."""
    python: str | None

    @classmethod
    def parse(cls, source: Source | None) -> Requirements:
        """Raises ``SettingsError`` with the file and line of what cannot be."""
        if source is None:
            return cls((), None)
        file = Toml(source)
        return cls(_requirements(file), _requires_python(file))


@dataclass(frozen=True)
class Project:
    """What a location's own files say about what it is."""

    name: str | None
    """None: the location is called as its folder."""
    code_source: CodeSource
    requirements: tuple[str, ...]
    """PEP 508."""
    requires_python: str | None
    agent_queue: str | None
    image: str | None
    table: str = DG
    """The table that says what is loaded."""

    @classmethod
    def parse(cls, source: Source | None, dg_source: Source | None = None) -> Project | None:
        """The project in ``source`` (a pyproject.toml) and ``dg_source`` (a dg.toml), or None when no table that is
        read is there.

        Raises ``SettingsError`` with the file and line of what cannot be.
        """
        pyproject = Toml(source) if source else None
        dg = _dg_table(pyproject, Toml(dg_source) if dg_source else None)
        said = [_dg(*dg)] if dg else []
        said += [each for each in (_dagster(pyproject), _guided(pyproject)) if each] if pyproject else []
        if not said:
            return None
        for other in said[1:]:
            other.require_same(said[0])
        needs = Requirements.parse(source)
        return cls(
            name=next((each.name for each in said if each.name), None),
            code_source=said[0].code_source,
            requirements=needs.listed,
            requires_python=needs.python,
            agent_queue=dg[0].text(dg[1], "agent_queue", pattern=QUEUE, allowed=QUEUE_IN_WORDS) if dg else None,
            image=dg[0].text(dg[1], "image", pattern=IMAGE, allowed=IMAGE_IN_WORDS) if dg else None,
            table=said[0].table,
        )


@dataclass(frozen=True)
class DgProject:
    """The table of a dg project by its keys, where ``Project`` has what they come to."""

    root_module: str
    code_source: CodeSource
    name: str | None
    agent_queue: str | None
    image: str | None
    further: Mapping[str, Any]
    """Keys that only `dg` itself needs."""

    @classmethod
    def parse(cls, source: Source | None, dg_source: Source | None) -> DgProject:
        """Raises ``SettingsError`` when there is no such table and when it cannot be read."""
        project = Project.parse(source, dg_source)
        found = _dg_table(Toml(source) if source else None, Toml(dg_source) if dg_source else None)
        if project is None or found is None:
            shown = source or dg_source
            raise SettingsError(
                f"{shown.shown if shown else 'The folder'} has no [{DG}].",
                next_step="name the folder of a dg project, or one whose folders are such.",
            )
        file, table = found
        values = file.table(table) or {}
        said = {"root_module", "code_location_target_module", "code_location_name", "agent_queue", "image"}
        if project.code_source.kind == "autoload_defs_module_name":
            said |= {"autoload_defs", "defs_module"}
        return cls(
            root_module=values["root_module"],
            code_source=project.code_source,
            name=project.name,
            agent_queue=project.agent_queue,
            image=project.image,
            further={key: value for key, value in values.items() if key not in said},
        )


@dataclass(frozen=True)
class _Said:
    """What one table says of the location."""

    file: Toml
    table: str
    code_source: CodeSource
    name: str | None

    def require_same(self, first: _Said) -> None:
        if self.code_source != first.code_source:
            raise self.file.source.wrong(
                self.file.line(self.table),
                f"[{self.table}] and [{first.table}] name different modules: {self.code_source.name} and "
                f"{first.code_source.name}.",
                next_step=f"remove [{self.table}].",
            )
        if self.name and first.name and self.name != first.name:
            raise self.file.source.wrong(
                self.file.line(self.table),
                f"[{self.table}] and [{first.table}] name different code locations: {self.name} and {first.name}.",
                next_step=f"remove [{self.table}].",
            )


def workspace_projects(source: Source | None, dg_source: Source | None) -> tuple[str, ...] | None:
    """The folders of the projects of a dg workspace, as written; None when the files describe none.

    Raises ``SettingsError`` with the file and line for a path that leads out of the workspace.
    """
    places = [(Toml(source), "tool.dg.workspace")] if source else []
    places += [(Toml(dg_source), "workspace")] if dg_source else []
    for file, table in places:
        projects = (file.table(table) or {}).get("projects")
        if projects is None:
            continue
        found: list[str] = []
        for each in projects if isinstance(projects, list) else [None]:
            path = each.get("path") if isinstance(each, dict) else None
            if not isinstance(path, str) or not FOLDER.fullmatch(path) or ".." in path.split("/"):
                raise file.source.wrong(
                    file.line(table, "projects"),
                    "a project of the workspace has no `path` of a folder in it.",
                    next_step=f'write each as [[{table}.projects]] with, for example, path = "projects/hello".',
                )
            found.append(path)
        return tuple(found)
    return None


def _dg_table(pyproject: Toml | None, dg_toml: Toml | None) -> tuple[Toml, str] | None:
    """The file and the table that a dg project is described by."""
    in_pyproject = pyproject is not None and pyproject.table(DG) is not None
    in_dg_toml = dg_toml is not None and dg_toml.table(DG_TOML) is not None
    if pyproject and dg_toml and in_pyproject and in_dg_toml:
        raise dg_toml.source.wrong(
            dg_toml.line(DG_TOML),
            f"the project is described here and in pyproject.toml, [{DG}].",
            next_step="keep one of them; `dg` reads this one.",
        )
    if dg_toml and in_dg_toml:
        return dg_toml, DG_TOML
    return (pyproject, DG) if pyproject and in_pyproject else None


def _dg(file: Toml, table: str) -> _Said:
    values = file.table(table) or {}
    for key in values:
        if key not in _DG_KEYS:
            raise file.source.wrong(
                file.line(table, key),
                f"[{table}] has no key `{key}`.",
                next_step=f"it has: {', '.join(sorted(_DG_KEYS))}.",
            )
    root = _module(file, table, "root_module")
    if root is None:
        raise file.source.wrong(
            file.line(table), f"[{table}] lacks `root_module`.", next_step='add it, as in root_module = "hello".'
        )
    if values.get("autoload_defs") is True:
        source = CodeSource("autoload_defs_module_name", _module(file, table, "defs_module") or f"{root}.defs")
    else:
        target = _module(file, table, "code_location_target_module")
        source = CodeSource("module_name", target or f"{root}.definitions")
    return _Said(file, table, source, _name(file, table))


def _dagster(file: Toml) -> _Said | None:
    table = file.table(DAGSTER)
    if table is None:
        return None
    if "modules" in table:
        raise file.source.wrong(
            file.line(DAGSTER, "modules"),
            "`modules` makes several locations of one folder; here a folder is one location.",
            next_step="give each module a folder of its own, with `module_name`.",
        )
    _refuse_two_sources(file, DAGSTER)
    module = _module(file, DAGSTER, "module_name")
    return _Said(file, DAGSTER, CodeSource("module_name", module), _name(file, DAGSTER)) if module else None


def _guided(file: Toml) -> _Said | None:
    """``[tool.dagster.code_locations.<name>]`` with ``module_name``, and ``code_location`` that repeats it."""
    tables = file.table(GUIDED)
    if not tables:
        return None
    if len(tables) > 1:
        raise file.source.wrong(
            file.line(f"{GUIDED}.{list(tables)[1]}"),
            f"[{GUIDED}] names several code locations, {', '.join(tables)}; here a folder is one.",
            next_step="give each a folder of its own, with one such table.",
        )
    (name,) = tables
    path = f"{GUIDED}.{name}"
    if not NAME.fullmatch(name):
        raise file.source.wrong(file.line(GUIDED), f"'{name[:80]}' is not {NAME_IN_WORDS}.")
    table = file.table(path) or {}
    _refuse_two_sources(file, path)
    wrong_key = next((key for key in table if key not in {"module_name", "code_location"}), None)
    if wrong_key is not None:
        raise _cannot_be_read(file, path, wrong_key, f"`{wrong_key}`", table)
    module = _module(file, path, "module_name")
    if module is None:
        raise _cannot_be_read(file, path, None, "no `module_name`", table)
    if table.get("code_location", name) not in (name, module):
        raise _cannot_be_read(
            file, path, "code_location", "a `code_location` that is neither its name nor its module", table
        )
    return _Said(file, path, CodeSource("module_name", module), name)


def _cannot_be_read(file: Toml, path: str, key: str | None, has: str, table: Mapping[str, Any]) -> SettingsError:
    module = table.get("module_name") or table.get("package_name") or table.get("code_location") or "..."
    name = path.removeprefix(f"{GUIDED}.")
    return file.source.wrong(
        file.line(path, key),
        f"[{path}] has {has}; Dagster reads no such table, so only `module_name`, with `code_location` repeating it, "
        "can be understood.",
        next_step=f"write in its place:\n[{DAGSTER}]\nmodule_name = {_quoted(module)}\ncode_location_name = "
        f"{_quoted(name)}",
    )


def _refuse_two_sources(file: Toml, path: str) -> None:
    table = file.table(path) or {}
    if "module_name" in table and "package_name" in table:
        raise file.source.wrong(
            file.line(path, "package_name"),
            f"[{path}] has both `module_name` and `package_name`; a location loads exactly one.",
            next_step=f"remove `package_name` and keep: module_name = {_quoted(table['module_name'])}",
        )


def _name(file: Toml, table: str) -> str | None:
    return file.text(table, "code_location_name", pattern=NAME, allowed=NAME_IN_WORDS)


def _module(file: Toml, table: str, key: str) -> str | None:
    return file.text(table, key, pattern=MODULE, allowed=MODULE_IN_WORDS)


def _requirements(file: Toml) -> tuple[str, ...]:
    project = file.table("project") or {}
    dynamic = project.get("dynamic")
    if isinstance(dynamic, list) and "dependencies" in dynamic:
        raise file.source.wrong(
            file.line("project", "dynamic"),
            "`dependencies` are dynamic; only a build of the project would tell them.",
            next_step="list them under [project] as `dependencies`.",
        )
    listed = project.get("dependencies", [])
    if not isinstance(listed, list):
        raise file.source.wrong(file.line("project", "dependencies"), "`dependencies` of [project] is not a list.")
    return tuple(_requirement(file, item) for item in listed)


def _requirement(file: Toml, item: object) -> str:
    try:
        if isinstance(item, str):
            Requirement(item)
            return item
        reason = "not a text"
    except InvalidRequirement as error:
        reason = str(error).splitlines()[0]
    raise _wrong_value(file, "dependencies", item, f"is not a requirement (PEP 508): {reason}")


def _requires_python(file: Toml) -> str | None:
    value = (file.table("project") or {}).get("requires-python")
    if value is None:
        return None
    try:
        if isinstance(value, str):
            SpecifierSet(value)
            return value
    except InvalidSpecifier:
        pass
    raise _wrong_value(file, "requires-python", value, "is not a range of Python versions, such as >=3.11")


def _wrong_value(file: Toml, key: str, value: object, why: str) -> SettingsError:
    lines = enumerate(file.source.text.splitlines(), start=1)
    shown = str(value)
    line = next((number for number, text in lines if shown and shown in text), file.line("project", key))
    return file.source.wrong(line, f"{shown[:80]!r} in `{key}` {why}.")


def _quoted(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else '"…"'
