"""What a property takes, and whether a value is that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from hybrid.provider.properties import UNKNOWN, Secret, reveal

EACH: Final = "*"
"""The one key of a shape for a map with any keys."""

Shape = Any
"""``str``, ``int``, ``bool``; a list of one shape; a dict: ``{EACH: shape}`` for a map, else a record's names, the
required ones ending in ``!``."""

_WORDS: Final = {str: "a string", int: "a whole number", bool: "true or false"}


@dataclass(frozen=True)
class Property:
    """An input.

    Args:
        shape: what it takes.
        in_place: whether a change of it leaves the resource standing.
        unordered: a list whose order means nothing.
        default: what the plugin takes when it is not given.
    """

    shape: Shape
    in_place: bool = False
    unordered: bool = False
    default: Any = None
    required: bool = False


def faults(properties: Mapping[str, Property], inputs: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Each property that is not mapped, missing or of another shape, with the reason."""
    for name, given in properties.items():
        if given.required and inputs.get(name) is None:
            yield name, f"'{name}' is required."
    for name, value in inputs.items():
        if name not in properties:
            yield name, f"The stand-in for Pulumi's docker plugin does not map '{name}' (tests/standins/docker)."
        else:
            yield from _faults(properties[name].shape, value, name)


def _faults(shape: Shape, value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Secret):
        value = value.value
    if value is None or value is UNKNOWN:
        return
    match shape:
        case type():
            if not isinstance(value, shape) or (shape is int and isinstance(value, bool)):
                yield path, f"'{path}' takes {_WORDS[shape]}, not {type(value).__name__}."
        case [inner]:
            if not isinstance(value, list):
                yield path, f"'{path}' takes a list, not {type(value).__name__}."
                return
            for index, item in enumerate(value):
                yield from _faults(inner, item, f"{path}[{index}]")
        case dict():
            if not isinstance(value, dict):
                yield path, f"'{path}' takes an object, not {type(value).__name__}."
                return
            yield from _faults_inside(shape, value, path)


def _faults_inside(shape: dict[str, Shape], value: dict[str, Any], path: str) -> Iterator[tuple[str, str]]:
    if EACH in shape:
        for key, item in value.items():
            yield from _faults(shape[EACH], item, f"{path}.{key}")
        return
    names = {name.rstrip("!"): inner for name, inner in shape.items()}
    for key, item in value.items():
        if key not in names:
            yield path, f"The stand-in for Pulumi's docker plugin does not map '{path}.{key}' (tests/standins/docker)."
        else:
            yield from _faults(names[key], item, f"{path}.{key}")
    for name in shape:
        if name.endswith("!") and value.get(name[:-1]) is None:
            yield path, f"'{path}.{name[:-1]}' is required."


def settled(given: Property, value: Any) -> Any:
    """``value`` as it is compared: without secrets and empty parts, its default put in, order taken out."""
    plain = reveal(value)
    if plain is None:
        plain = given.default
    if isinstance(plain, list) and given.unordered:
        return sorted((_bare(item) for item in plain), key=repr) or None
    return _bare(plain)


def _bare(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _bare(item) for key, item in sorted(value.items()) if item is not None} or None
    if isinstance(value, list):
        return [_bare(item) for item in value] or None
    return value
