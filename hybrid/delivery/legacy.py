"""``dagster_cloud.yaml``: the older file, with all code locations in one list and defaults for them.

Keys: dagster_cloud_cli/config/models.py of 1.13.27. Its ``defaults`` count for every location; some of upstream's own
commands leave them out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, get_args

from hybrid.delivery.build_files import REGISTRY, check_context
from hybrid.delivery.environment import merged, without_nulls
from hybrid.delivery.project import (
    IMAGE,
    IMAGE_IN_WORDS,
    MODULE,
    MODULE_IN_WORDS,
    NAME,
    NAME_IN_WORDS,
    QUEUE,
    QUEUE_IN_WORDS,
    CodeSource,
    CodeSourceKind,
)
from hybrid.delivery.sources import Source, YamlMapping, raise_all
from hybrid.errors import SettingsError

FILE: Final = "dagster_cloud.yaml"

SOURCES: Final[tuple[CodeSourceKind, ...]] = get_args(CodeSourceKind)

_DEFAULTS: Final = ("build", "working_directory", "image", "executable_path", "container_context", "agent_queue")
_LOCATION: Final = ("location_name", "code_source", *_DEFAULTS, "attribute")
_PATH: Final = re.compile(r"[^\s\x00-\x1f\x7f][^\x00-\x1f\x7f]{0,499}")
_PATH_IN_WORDS: Final = "a path"
_TEXTS: Final = {
    "location_name": (NAME, NAME_IN_WORDS),
    "working_directory": (_PATH, _PATH_IN_WORDS),
    "image": (IMAGE, IMAGE_IN_WORDS),
    "executable_path": (_PATH, _PATH_IN_WORDS),
    "attribute": (MODULE, "the name of something in the module, such as defs"),
    "agent_queue": (QUEUE, QUEUE_IN_WORDS),
}


@dataclass(frozen=True)
class LegacyLocation:
    """One location of the file, its defaults applied."""

    name: str
    code_source: CodeSource
    registry: str | None
    directory: str | None
    """The build context as written, relative to the file; None: the file's own folder."""
    directory_in_image: str | None
    """`working_directory`: a path where the code runs, which is in the image."""
    image: str | None
    executable_path: str | None
    attribute: str | None
    container_context: Mapping[str, Any]
    agent_queue: str | None
    line: int = 1


@dataclass(frozen=True)
class LegacyFile:
    """The whole file."""

    locations: tuple[LegacyLocation, ...]
    has_defaults: bool

    @classmethod
    def parse(cls, source: Source) -> LegacyFile:
        """Raises one ``SettingsError`` for everything that is wrong in the file, with lines."""
        file = YamlMapping(source)
        wrong = list(_wrong(file))
        raise_all(wrong, where=f"in {source.shown}")
        defaults = file.values.get("defaults") or {}
        listed = file.values["locations"]
        return cls(tuple(_location(file, place, item, defaults) for place, item in enumerate(listed)), bool(defaults))


def _location(file: YamlMapping, place: int, item: Mapping[str, Any], defaults: Mapping[str, Any]) -> LegacyLocation:
    values = without_nulls(merged(defaults, item))
    ((kind, loaded),) = values["code_source"].items()
    build = values.get("build", {})
    return LegacyLocation(
        name=values["location_name"],
        code_source=CodeSource(kind, loaded),
        registry=build.get("registry"),
        directory=build.get("directory"),
        directory_in_image=values.get("working_directory"),
        image=values.get("image"),
        executable_path=values.get("executable_path"),
        attribute=values.get("attribute"),
        container_context=values.get("container_context", {}),
        agent_queue=values.get("agent_queue"),
        line=file.line("locations", place),
    )


def _wrong(file: YamlMapping) -> Iterator[SettingsError]:
    for key in file.values:
        if key not in {"defaults", "locations"}:
            yield file.source.wrong(
                file.line(key), f"there is no key `{key}`.", next_step="it has defaults, locations."
            )
    defaults, locations = file.values.get("defaults"), file.values.get("locations")
    if isinstance(defaults, dict):
        yield from _wrong_values(file, defaults, _DEFAULTS, "defaults")
    elif defaults is not None:
        yield file.source.wrong(file.line("defaults"), "`defaults` is not a mapping.")
    if not isinstance(locations, list):
        yield file.source.wrong(
            file.line("locations"),
            "there is no list `locations`.",
            next_step="write each location as an item:\n" + _pasted("hello", "module_name", "hello.definitions"),
        )
        return
    names: set[object] = set()
    for place, item in enumerate(locations):
        if not isinstance(item, dict):
            yield file.source.wrong(file.line("locations", place), "a location is not a mapping.")
            continue
        name = item.get("location_name")
        if isinstance(name, str) and name in names:
            yield file.source.wrong(file.line("locations", place, "location_name"), f"'{name}' is there twice.")
        names |= {name} if isinstance(name, str) else set()
        yield from _wrong_values(file, item, _LOCATION, "locations", place)
        yield from _wrong_identity(file, item, place)


def _wrong_identity(file: YamlMapping, item: Mapping[str, Any], place: int) -> Iterator[SettingsError]:
    """What no default can give: the name and the code source."""
    name, source = item.get("location_name"), item.get("code_source")
    where = ("locations", place)
    if name is None:
        yield file.source.wrong(file.line(*where), "a location has no `location_name`.")
    if not isinstance(source, dict):
        yield file.source.wrong(
            file.line(*where, "code_source"),
            f"the code location '{name}' has no mapping `code_source`.",
            next_step=f"write it as:\n{_pasted(name, 'module_name', f'{name}.definitions')}",
        )
        return
    for key in source:
        if key not in SOURCES:
            yield file.source.wrong(
                file.line(*where, "code_source", key),
                f"`code_source` has no key `{key}`.",
                next_step=f"it has exactly one of: {', '.join(SOURCES)}.",
            )
    given = [kind for kind in SOURCES if source.get(kind) is not None]
    if len(given) != 1:
        kept = given[0] if given else "module_name"
        yield file.source.wrong(
            file.line(*where, "code_source", *given[1:2]),
            f"the code location '{name}' has {' and '.join(f'`{kind}`' for kind in given) or 'nothing'} in its "
            "`code_source`; a location loads exactly one.",
            next_step=f"write it as:\n{_pasted(name, kept, source.get(kept) or f'{name}.definitions')}",
        )
    for kind in given:
        pattern, words = (_PATH, "a path") if kind == "python_file" else (MODULE, MODULE_IN_WORDS)
        if not isinstance(source[kind], str) or not pattern.fullmatch(source[kind]):
            yield file.source.wrong(file.line(*where, "code_source", kind), f"`{kind}` is not {words}.")


def _wrong_values(
    file: YamlMapping, values: Mapping[str, Any], keys: tuple[str, ...], *where: str | int
) -> Iterator[SettingsError]:
    for key, value in values.items():
        line = file.line(*where, key)
        if key not in keys:
            yield file.source.wrong(line, f"there is no key `{key}`.", next_step=f"here are: {', '.join(keys)}.")
        elif key in _TEXTS and value is not None:
            pattern, words = _TEXTS[key]
            if not isinstance(value, str) or not pattern.fullmatch(value):
                yield file.source.wrong(line, f"`{key}` is not {words}.")
        elif key in {"build", "container_context"} and value is not None and not isinstance(value, dict):
            yield file.source.wrong(line, f"`{key}` is not a mapping.")
    if isinstance(values.get("build"), dict):
        yield from _wrong_build(file, values["build"], *where, "build")
    if isinstance(values.get("container_context"), dict):
        try:
            check_context(file, values["container_context"], *where, "container_context")
        except SettingsError as error:
            yield error


def _wrong_build(file: YamlMapping, build: Mapping[str, Any], *where: str | int) -> Iterator[SettingsError]:
    allowed = {"registry": (REGISTRY, "a repository, such as registry.example/hello"), "directory": (_PATH, "a path")}
    for key, value in build.items():
        line = file.line(*where, key)
        if key not in allowed:
            yield file.source.wrong(line, f"`build` has no key `{key}`.", next_step="it has registry, directory.")
        elif value is not None and not (isinstance(value, str) and allowed[key][0].fullmatch(value)):
            yield file.source.wrong(line, f"`{key}` is not {allowed[key][1]}.")


def _pasted(name: object, kind: str, loaded: object) -> str:
    return f"locations:\n  - location_name: {name or 'hello'}\n    code_source:\n      {kind}: {loaded}"
