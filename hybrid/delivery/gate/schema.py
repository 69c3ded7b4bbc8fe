"""A location's document against the agent's own schema (``dagster_cloud.workspace.config_schema``), in words that name
the file, the line and the key that was meant.

Every key and type comes from the schema's objects as they are installed; nothing of them is written down here but the
fact that a container context has one shape for each platform.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from hybrid.delivery.document import CONTEXTS
from hybrid.delivery.gate.context import context_findings
from hybrid.delivery.gate.findings import Finding, Severity
from hybrid.delivery.gate.given import GivenByStack
from hybrid.delivery.gate.places import CONTEXT, KeyPath, Places
from hybrid.redaction import redact

_ALIKE: Final = 0.6
_NEARLY: Final = 0.8
"""How alike two keys must be where any key is allowed: there a key of one's own is no fault."""
_SHOWN: Final = 80


def check_document(
    document: Mapping[str, Any],
    platform: str | None,
    places: Places,
    *,
    networks: Sequence[str] | None = None,
    given: GivenByStack | None = None,
) -> list[Finding]:
    """What is wrong with ``document``, as ``location_document`` makes it.

    ``platform`` is the stack's, as ``kubernetes``; None or ``local``: it has no container context. What another
    platform's context says is a warning: a folder's files serve several stacks. ``networks`` are the stack's own,
    ``given`` is what it gives to all code.
    """
    from dagster._config import validate_config
    from dagster_cloud.workspace.config_schema import LOCATION_CONFIG_SCHEMA

    key = CONTEXTS.get(platform or "")
    judge = _Judge(document, key, places, LOCATION_CONFIG_SCHEMA)
    found = [
        finding for error in validate_config(LOCATION_CONFIG_SCHEMA, document).errors or () for finding in judge(error)
    ]
    found += judge.nearly()
    context = document.get(CONTEXT)
    if isinstance(context, Mapping):
        found += context_findings(judge.location, context, key, places, networks=networks, given=given)
    return sorted(found, key=lambda finding: (finding.severity, finding.where or "", finding.what))


@dataclass(frozen=True)
class _Judge:
    """Turns the schema's errors about one document into findings."""

    document: Mapping[str, Any]
    platform: str | None
    """By its key in a container context."""
    places: Places
    schema: Any

    @property
    def location(self) -> str:
        return str(self.document.get("location_name", ""))

    def __call__(self, error: Any) -> Iterator[Finding]:
        path = _path(error.stack)
        names = _names(error)
        match error.reason.name:
            case "FIELD_NOT_DEFINED" | "FIELDS_NOT_DEFINED":
                for name in names:
                    yield self._unknown(path, name)
            case "MISSING_REQUIRED_FIELD" | "MISSING_REQUIRED_FIELDS":
                lacking = " and ".join(f"`{name}`" for name in names)
                yield self._found(path, f"{_shown(path)} lacks {lacking}.", f"add {lacking} there.")
            case "RUNTIME_TYPE_MISMATCH":
                yield self._mistyped(path)
            case _:
                said = redact(str(error.message)).splitlines()[0][:300]
                yield self._found(path, f"{_shown(path)}: {said}", "mend that value.")

    def nearly(self) -> list[Finding]:
        """Keys that are allowed because any key is, and that are one letter away from a key with a meaning."""
        found = []
        for path, name, known in _free_keys(self.document, self.schema, ()):
            if close := difflib.get_close_matches(name, known, n=1, cutoff=_NEARLY):
                what = f"`{name}` of {_shown(path)} means nothing; `{close[0]}` does."
                step = f"write `{close[0]}`, or leave it if it is meant."
                found.append(self._found((*path, name), what, step, severity="warning"))
        return found

    def _unknown(self, path: KeyPath, name: str) -> Finding:
        known = sorted(_keys(_at(self.schema, path)))
        elsewhere = self._platforms_with(name) if path[:1] == (CONTEXT,) and len(path) == 2 else []
        close = difflib.get_close_matches(name, known, n=1, cutoff=_ALIKE)
        what = f"{_shown(path)} has no key `{_short(name)}`."
        if elsewhere:
            what = f"{what[:-1]}; it belongs to {' and '.join(elsewhere)}."
            step = f"move it below `{elsewhere[0]}:`, or remove it."
        elif close:
            step = f"write `{close[0]}`."
        else:
            step = f"it has: {', '.join(known)}." if known else "remove it."
        return self._found((*path, name), what, step)

    def _platforms_with(self, name: str) -> list[str]:
        contexts = _fields(_at(self.schema, (CONTEXT,)))
        return sorted(platform for platform, kept in contexts.items() if name in _keys(kept))

    def _mistyped(self, path: KeyPath) -> Finding:
        value, wanted = _value(self.document, path), _at(self.schema, path)
        kind = _kind(wanted)
        if isinstance(value, bool | int | float) and kind == "text":
            said = str(value).lower() if isinstance(value, bool) else str(value)
            what = f"{_shown(path)} is {'true or false' if isinstance(value, bool) else 'a number'}, and must be text."
            return self._found(path, what, f'put quotes around it: "{said}"', value)
        what = f"{_shown(path)} must be {kind}, not {_named(value)}."
        step = "remove the key, or give it a value." if value is None else f"write {kind} there."
        return self._found(path, what, step, value)

    def _found(
        self, path: KeyPath, what: str, step: str, value: Any = None, *, severity: Severity = "error"
    ) -> Finding:
        foreign = path[:1] == (CONTEXT,) and len(path) > 1 and path[1] != self.platform
        known = len(path) > 1 and path[1] in _fields(_at(self.schema, (CONTEXT,)))
        return Finding(
            location=self.location,
            severity="warning" if foreign and known else severity,
            where=self.places.where(path, value),
            what=what,
            next_step=step,
        )


def _path(stack: Any) -> KeyPath:
    """The keys that lead to the place of an error, from the entries of Dagster's evaluation stack."""
    keys: list[str | int] = []
    for entry in stack.entries:
        for name in ("field_name", "list_index", "map_key"):
            if hasattr(entry, name):
                keys.append(getattr(entry, name))
    return tuple(keys)


def _names(error: Any) -> list[str]:
    data = error.error_data
    listed = getattr(data, "field_names", None) or [getattr(data, "field_name", None)]
    return sorted(str(name) for name in listed if name is not None)


def _at(schema: Any, path: KeyPath) -> Any:
    """The config type at ``path``; None where the schema says nothing about it."""
    here = schema
    for key in path:
        here = _plain(here)
        here = getattr(here, "inner_type", None) if isinstance(key, int) else _fields(here).get(key)
    return _plain(here)


def _plain(kind: Any) -> Any:
    """``kind`` without what makes it optional."""
    while type(kind).__name__ == "Noneable":
        kind = kind.inner_type
    return kind


def _fields(kind: Any) -> Mapping[str, Any]:
    fields = getattr(_plain(kind), "fields", None) or {}
    return {name: field.config_type for name, field in fields.items()}


def _keys(kind: Any) -> frozenset[str]:
    return frozenset(_fields(kind))


def _free_keys(value: Any, kind: Any, path: KeyPath) -> Iterator[tuple[KeyPath, str, list[str]]]:
    kind = _plain(kind)
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _free_keys(item, getattr(kind, "inner_type", None), (*path, index))
    elif isinstance(value, Mapping):
        fields = _fields(kind)
        for name, item in value.items():
            if name in fields:
                yield from _free_keys(item, fields[name], (*path, name))
            elif type(kind).__name__ == "Permissive" and fields:
                yield path, str(name), sorted(fields.keys() - value.keys())


def _kind(kind: Any) -> str:
    """A config type in words."""
    if kind is None:
        return "what the schema says"
    values = getattr(kind, "enum_values", None)
    if values:
        return " or ".join(str(value.config_value) for value in values)
    name = getattr(kind, "given_name", None) or ""
    words = {"String": "text", "StringSourceType": "text", "Int": "a whole number", "IntSourceType": "a whole number"}
    words |= {"Bool": "true or false", "BoolSourceType": "true or false", "Float": "a number"}
    if name in words:
        return words[name]
    return "a list" if hasattr(kind, "inner_type") and not hasattr(kind, "fields") else "a mapping"


def _value(document: Any, path: KeyPath) -> Any:
    for key in path:
        try:
            document = document[key]
        except (KeyError, IndexError, TypeError):
            return None
    return document


def _named(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "text"
    return "a list" if isinstance(value, list) else "a mapping"


def _shown(path: KeyPath) -> str:
    """``container_context.ecs.env_vars[0]`` as a person writes it, without what the file leaves out."""
    keys = path[1:] if path[:1] == (CONTEXT,) and len(path) > 1 else path
    text = "".join(f"[{key}]" if isinstance(key, int) else f".{_short(key)}" for key in keys).lstrip(".")
    return f"`{text}`" if text else "the document"


def _short(name: str) -> str:
    return redact(name)[:_SHOWN]
