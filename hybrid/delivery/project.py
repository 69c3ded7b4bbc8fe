"""A location's ``pyproject.toml``: what it is called, what Dagster loads, what it needs.

Two ways of saying it are read: ``[tool.dg.project]`` as `dg` writes it (keys: dagster_dg_core/config.py,
``DgRawProjectConfig`` of 1.13.27), and ``[tool.dagster]`` with ``module_name``
(dagster/_core/workspace/load_target.py).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

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
IMAGE: Final = re.compile(r"[a-zA-Z0-9][^\s]{0,511}")
IMAGE_IN_WORDS: Final = "the reference of an image"

DG: Final = "tool.dg.project"
DAGSTER: Final = "tool.dagster"
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


@dataclass(frozen=True)
class CodeSource:
    """What Dagster loads, in the words of a location document's ``code_source``."""

    kind: Literal["module_name", "autoload_defs_module_name"]
    name: str

    def document(self) -> dict[str, str]:
        return {self.kind: self.name}


@dataclass(frozen=True)
class Project:
    """What a ``pyproject.toml`` says about its location."""

    name: str | None
    """None: the location is called as its folder."""
    code_source: CodeSource
    requirements: tuple[str, ...]
    """PEP 508."""
    requires_python: str | None
    agent_queue: str | None
    image: str | None

    @classmethod
    def parse(cls, source: Source) -> Project | None:
        """The project in ``source``, or None when neither of the two tables is there.

        Raises ``SettingsError`` with the file and line of what cannot be.
        """
        file = Toml(source)
        _refuse_unread_table(file)
        dg, dagster = _dg(file), _dagster(file)
        if dg and dagster and dg != dagster:
            raise source.wrong(
                file.line(DAGSTER),
                f"[{DAGSTER}] and [{DG}] name different modules: {dagster.name} and {dg.name}.",
                next_step=f"remove [{DAGSTER}].",
            )
        code_source = dg or dagster
        if code_source is None:
            return None
        table = DG if dg else DAGSTER
        return cls(
            name=file.text(table, "code_location_name", pattern=NAME, allowed=NAME_IN_WORDS),
            code_source=code_source,
            requirements=_requirements(file),
            requires_python=_requires_python(file),
            agent_queue=file.text(DG, "agent_queue", pattern=QUEUE, allowed=QUEUE_IN_WORDS),
            image=file.text(DG, "image", pattern=IMAGE, allowed=IMAGE_IN_WORDS),
        )


def _dg(file: Toml) -> CodeSource | None:
    table = file.table(DG)
    if table is None:
        return None
    for key in table:
        if key not in _DG_KEYS:
            raise file.source.wrong(
                file.line(DG, key),
                f"[{DG}] has no key `{key}`.",
                next_step=f"it has: {', '.join(sorted(_DG_KEYS))}.",
            )
    root = _module(file, DG, "root_module")
    if root is None:
        raise file.source.wrong(
            file.line(DG), f"[{DG}] lacks `root_module`.", next_step='add it, as in root_module = "hello".'
        )
    if table.get("autoload_defs") is True:
        return CodeSource("autoload_defs_module_name", _module(file, DG, "defs_module") or f"{root}.defs")
    target = _module(file, DG, "code_location_target_module")
    return CodeSource("module_name", target or f"{root}.definitions")


def _dagster(file: Toml) -> CodeSource | None:
    table = file.table(DAGSTER)
    if table is None:
        return None
    if "module_name" in table and "package_name" in table:
        raise file.source.wrong(
            file.line(DAGSTER, "package_name"),
            f"[{DAGSTER}] has both `module_name` and `package_name`; a location loads exactly one.",
            next_step=f"remove `package_name` and keep: module_name = {_quoted(table['module_name'])}",
        )
    if "modules" in table:
        raise file.source.wrong(
            file.line(DAGSTER, "modules"),
            "`modules` makes several locations of one folder; here a folder is one location.",
            next_step="give each module a folder of its own, with `module_name`.",
        )
    module = _module(file, DAGSTER, "module_name")
    return CodeSource("module_name", module) if module else None


def _refuse_unread_table(file: Toml) -> None:
    path = f"{DAGSTER}.code_locations"
    if (file.table(DAGSTER) or {}).get("code_locations") is None:
        return
    raise file.source.wrong(
        next((file.line(f"{path}.{name}") for name in file.table(path) or {}), file.line(path)),
        f"Dagster reads no table [{path}].",
        next_step=f"write [{DAGSTER}] with `module_name` and `code_location_name`, or [{DG}] with `root_module`.",
    )


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
