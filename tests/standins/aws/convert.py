"""Values from one side to the other, along a shape."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from hybrid.provider.properties import UNKNOWN, Properties, Secret, has_unknown
from tests.standins.aws.shapes import Field, Shape

HIDDEN: Final = frozenset({"timeouts"})
"""Terraform's attributes that are no property of Pulumi's: they come from ``customTimeouts``."""

_TAKES: Final = {
    "string": "a string",
    "number": "a number",
    "bool": "true or false",
    "list": "a list",
    "set": "a list",
    "map": "an object",
    "object": "an object",
}


_DOCUMENTS: Final = frozenset({"policy", "assume_role_policy"})
"""Text that may be given as an object (TransformJSONDocument in pulumi-aws's resource_overrides.go)."""


class RefusedError(Exception):
    """What the stand-in does not have."""


class ShapeError(Exception):
    """A value of another kind than the property takes."""

    def __init__(self, path: str, kind: str, value: Any) -> None:
        super().__init__(f"'{path}' takes {_TAKES[kind]}, not {type(value).__name__}.")
        self.path = path


def to_terraform(shape: Shape, value: Any, *, given: bool, path: str = "") -> Any:
    """``value``, which has Pulumi's names, as Terraform has it.

    ``given``: as configuration, where only what a program may set is said; else as state. Raises ``ShapeError``.
    """
    if value is UNKNOWN:
        return UNKNOWN
    match shape.kind:
        case "list" | "set":
            return _items(shape, value, given, path)
        case "map":
            return _mapping(shape, value, given, path)
        case "object":
            if value is None:
                return None
            if not isinstance(value, Mapping):
                raise ShapeError(path, "object", value)
            return {field.terraform: _attribute(field, value, given, path) for field in shape.fields}
        case _:
            return None if value is None else _scalar(shape.kind, value, path)


def _attribute(field: Field, values: Mapping[str, Any], given: bool, path: str) -> Any:
    said = not given or field.given
    value = values.get(field.pulumi) if said else None
    if field.terraform in _DOCUMENTS and field.shape.kind == "string" and isinstance(value, dict):
        return UNKNOWN if has_unknown(value) else json.dumps(value)
    return to_terraform(field.shape, value, given=given, path=_join(path, field.pulumi))


def _items(shape: Shape, value: Any, given: bool, path: str) -> Any:
    if value is None:
        return [] if shape.block else None
    if shape.flat:
        return [to_terraform(shape.inner(), value, given=given, path=path)]
    if not isinstance(value, list):
        raise ShapeError(path, shape.kind, value)
    return [to_terraform(shape.inner(), item, given=given, path=f"{path}[{index}]") for index, item in enumerate(value)]


def _mapping(shape: Shape, value: Any, given: bool, path: str) -> Any:
    if value is None:
        return {} if shape.block else None
    if not isinstance(value, Mapping):
        raise ShapeError(path, "map", value)
    return {key: to_terraform(shape.inner(), item, given=given, path=_join(path, key)) for key, item in value.items()}


def _scalar(kind: str, value: Any, path: str) -> Any:
    """Kinds are changed into each other where the plugin changes them (tfbridge's schema.go): numbers and truths to
    and from text."""
    match kind:
        case "string" if isinstance(value, str):
            return value
        case "string" if isinstance(value, bool):
            return "true" if value else "false"
        case "string" if isinstance(value, (int, float)):
            return str(value)
        case "number" if isinstance(value, (int, float)) and not isinstance(value, bool):
            return value
        case "number" if isinstance(value, str):
            return _number(value, path)
        case "bool" if isinstance(value, bool):
            return value
        case "bool" if value in ("true", "false"):
            return value == "true"
        case "dynamic":
            return value
    raise ShapeError(path, kind, value)


def _number(value: str, path: str) -> float:
    try:
        number = float(value)
    except ValueError:
        raise ShapeError(path, "number", value) from None
    return int(number) if number.is_integer() else number


def from_terraform(shape: Shape, value: Any) -> Any:
    """``value`` with Pulumi's names: what is not there is left out, what is sensitive is a secret."""
    if value is UNKNOWN or value is None:
        return value
    match shape.kind:
        case "list" | "set" if shape.flat:
            return from_terraform(shape.inner(), value[0]) if value else None
        case "list" | "set":
            return [from_terraform(shape.inner(), item) for item in value]
        case "map":
            return {key: from_terraform(shape.inner(), item) for key, item in value.items()}
        case "object":
            return _properties(shape, value)
        case _:
            return value


def _properties(shape: Shape, value: Mapping[str, Any]) -> Properties:
    found: Properties = {}
    for field in shape.fields:
        item = from_terraform(field.shape, value.get(field.terraform))
        if item is None or field.terraform in HIDDEN or (field.shape.block and item in ([], {})):
            continue
        found[field.pulumi] = Secret(item) if field.sensitive and item is not UNKNOWN else item
    return found


def unmapped(shape: Shape, value: Any, path: str = "") -> Iterator[str]:
    """The paths in ``value``, as a program gives it, that nothing of Terraform's is paired with."""
    if value is UNKNOWN or value is None:
        return
    match shape.kind:
        case "list" | "set" if shape.flat:
            yield from unmapped(shape.inner(), value, path)
        case "list" | "set" if isinstance(value, list):
            for index, item in enumerate(value):
                yield from unmapped(shape.inner(), item, f"{path}[{index}]")
        case "map" if isinstance(value, Mapping):
            for key, item in value.items():
                yield from unmapped(shape.inner(), item, _join(path, key))
        case "object" if isinstance(value, Mapping):
            known = {field.pulumi: field for field in shape.fields if field.given}
            for key, item in value.items():
                if key not in known:
                    yield _join(path, key)
                else:
                    yield from unmapped(known[key].shape, item, _join(path, key))


def pulumi_path(shape: Shape, steps: tuple[str | int, ...]) -> str:
    """Pulumi's path for Terraform's: ``("ingress", 0, "from_port")`` → ``ingress[0].fromPort``; as far as it goes."""
    path, here = "", shape
    for step in steps:
        if here.kind == "object":
            field = next((each for each in here.fields if each.terraform == step), None)
            if field is None:
                return path
            path, here = _join(path, field.pulumi), field.shape
        elif here.element is not None:
            path = path if here.flat else f"{path}[{step}]" if isinstance(step, int) else _join(path, str(step))
            here = here.inner()
    return path


def _join(path: str, name: str) -> str:
    if not name.replace("_", "").isalnum():
        return f'{path}["{name}"]'
    return f"{path}.{name}" if path else name
