"""What differs between what locations were told to run and what they would be told: by key path, old and new."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from hybrid.redaction import MASK

Document = Mapping[str, Any]
Standing = Literal["added", "changed", "same", "untouched"]

_PLAIN_KEY: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_NAMED_LISTS: Final = frozenset({"env_vars"})  # texts KEY=VALUE or KEY: their order says nothing
_TELLING: Final = re.compile(r"pass(word|phrase)|secret|token|credential|private|api_?key|access_?key|dsn", re.I)


@dataclass(frozen=True)
class KeyChange:
    """One key path and its values; None: it is not there."""

    path: str
    old: Any
    new: Any


@dataclass(frozen=True)
class LocationDifference:
    """One location. ``untouched``: Dagster+ has it and the stack does not declare it; nothing is done to it."""

    name: str
    standing: Standing
    changes: tuple[KeyChange, ...] = ()


def compared(wanted: Mapping[str, Document], present: Mapping[str, Document]) -> tuple[LocationDifference, ...]:
    """Each location of ``wanted`` (by name, in its order) and of ``present`` (the others, by name)."""
    found = []
    for name, document in wanted.items():
        if name not in present:
            found.append(LocationDifference(name, "added", key_changes({}, document)))
            continue
        changes = key_changes(present[name], document)
        found.append(LocationDifference(name, "changed" if changes else "same", changes))
    return (*found, *(LocationDifference(name, "untouched") for name in sorted(present.keys() - wanted.keys())))


def key_changes(old: Document, new: Document) -> tuple[KeyChange, ...]:
    """What differs, without the location's name and without what is null or empty: neither says anything. Values of
    variables whose names tell of a secret are masked."""
    return tuple(_changes("", _without_name(old), _without_name(new)))


def _without_name(document: Document) -> Any:
    return _said({key: value for key, value in document.items() if key != "location_name"}) or {}


def _said(value: Any, key: str = "") -> Any:
    """``value`` without what is null or empty, and a list of variables as a mapping."""
    if isinstance(value, Mapping):
        items = {str(name): _said(item, str(name)) for name, item in value.items()}
        return {name: item for name, item in items.items() if item is not None} or None
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        if key in _NAMED_LISTS and all(isinstance(item, str) for item in value):
            return dict(_variable(item) for item in value) or None
        return [_said(item) for item in value] or None
    return value


def _variable(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    return name, value if equals else "(from the agent's environment)"


def _changes(path: str, old: Any, new: Any) -> Iterator[KeyChange]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted(old.keys() | new.keys()):
            yield from _changes(_joined(path, key), old.get(key), new.get(key))
    elif (old is None and isinstance(new, Mapping)) or (new is None and isinstance(old, Mapping)):
        yield from _changes(path, old or {}, new or {})
    elif json.dumps(old, sort_keys=True) != json.dumps(new, sort_keys=True):  # to Python, 1 is True
        telling = path.rpartition("env_vars")[2] if "env_vars" in path else ""
        masked = telling and _TELLING.search(telling)
        yield KeyChange(path, *(MASK if masked and value is not None else value for value in (old, new)))


def _joined(path: str, key: str) -> str:
    if not _PLAIN_KEY.fullmatch(key):
        escaped = key.replace("\\", "\\\\").replace('"', '\\"')
        return f'{path}["{escaped}"]'
    return f"{path}.{key}" if path else key
