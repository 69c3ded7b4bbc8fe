"""What changed between two sets of inputs, by path, as the engine's diff wants it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from hybrid.provider.definition import Definition, Property, Record
from hybrid.provider.properties import Properties, Secret, has_unknown, reveal

_PLAIN_KEY: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True)
class Change:
    """One property path that differs. It never carries a value: values may be secret."""

    path: str
    how: Literal["add", "delete", "update"]
    replaces: bool


def changes(definition: Definition, old: Properties, new: Properties) -> list[Change]:
    """The inputs that differ; what is not known yet counts as different."""
    found = []
    for name, spec in definition.inputs.items():
        before, after = old.get(name), new.get(name)
        found += [Change(path, how, _replaces(spec, path)) for path, how in _compared(name, before, after)]
    return found


def _replaces(spec: Property, path: str) -> bool:
    if spec.replaces or not isinstance(spec.kind, Record):
        return spec.replaces
    _, _, part = path.partition(".")
    known = spec.kind.properties.get(part)
    return known is None or known.replaces


def _compared(path: str, before: Any, after: Any) -> Iterator[tuple[str, Literal["add", "delete", "update"]]]:
    if isinstance(before, Secret) or isinstance(after, Secret):
        # below a secret no keys are named: they may be telling
        if has_unknown(after) or reveal(before) != reveal(after):
            yield path, "add" if before is None else "delete" if after is None else "update"
    elif before is None and after is not None:
        yield path, "add"
    elif after is None and before is not None:
        yield path, "delete"
    elif isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in sorted(before.keys() | after.keys()):
            yield from _compared(_joined(path, key), before.get(key), after.get(key))
    elif has_unknown(after) or before != after:
        yield path, "update"


def _joined(path: str, key: str) -> str:
    if _PLAIN_KEY.fullmatch(key):
        return f"{path}.{key}"
    escaped = key.replace("\\", "\\\\").replace('"', '\\"')
    return f'{path}["{escaped}"]'
