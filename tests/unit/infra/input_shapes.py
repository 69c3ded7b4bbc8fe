"""What inputs a resource's class knows, read from the class: names, nested names and kinds of values."""

from __future__ import annotations

import functools
import sys
import typing
from collections.abc import Awaitable, Iterator, Mapping, Sequence
from enum import Enum
from types import UnionType
from typing import Any, Union

import pulumi
from pulumi import _types

from hybrid.provider import catalog


def complaints(token: str, inputs: Mapping[str, Any], *, read: bool = False) -> list[str]:
    """What is wrong with the inputs of a resource; empty when all is well. ``read``: it is looked up, not made."""
    if token.startswith(("pulumi:providers:", "pulumi:pulumi:")):
        return []
    if token.startswith("dagsterhybrid:"):
        return _of_ours(token, inputs)
    cls = _class_of(token)
    if cls is None:
        return ["there is no class of this type"]
    return list(_wrong_members(inputs, _types.resource_types(cls) if read else _input_types(cls), ""))


def _of_ours(token: str, inputs: Mapping[str, Any]) -> list[str]:
    """Our own provider says what its resources take."""
    known = catalog.resources()
    if token not in set(known):
        return ["our provider has no such type"]
    taken = known[token].definition.inputs
    missing = [name for name, spec in taken.items() if spec.required and spec.default is None and name not in inputs]
    return [
        *(f"it takes no `{name}`" for name in inputs if name not in taken),
        *(f"`{name}` is missing" for name in missing),
    ]


@functools.cache
def _class_of(token: str) -> type[pulumi.CustomResource] | None:
    waiting = list(pulumi.CustomResource.__subclasses__())
    while waiting:
        cls = waiting.pop()
        if getattr(cls, "pulumi_type", None) == token:
            return cls
        waiting.extend(cls.__subclasses__())
    return None


def _input_types(cls: type[pulumi.CustomResource]) -> Mapping[str, Any]:
    """By the names of the wire, from the class of arguments that stands beside the resource's. It is called InitArgs
    where a nested type has the shorter name."""
    beside = vars(sys.modules[cls.__module__])
    return _types.input_type_types(beside.get(f"{cls.__name__}InitArgs") or beside[f"{cls.__name__}Args"])


def _wrong_members(given: Mapping[str, Any], types: Mapping[str, Any], path: str) -> Iterator[str]:
    for name, value in given.items():
        if name not in types:
            yield f"it takes no `{path}{name}`"
        else:
            yield from _wrong(value, types[name], f"{path}{name}")


def _wrong(value: Any, hint: Any, path: str) -> list[str]:
    if value is None or isinstance(value, pulumi.output.Unknown | pulumi.Asset | pulumi.Archive | pulumi.Resource):
        return []
    tried = [_wrong_of(value, candidate, path) for candidate in _candidates(hint)]
    return min(tried, key=len, default=[])


def _candidates(hint: Any) -> list[Any]:
    """The members of a union that can be on the wire."""
    if typing.get_origin(hint) not in (Union, UnionType):
        return [hint]
    return [
        candidate
        for member in typing.get_args(hint)
        if member is not type(None)
        and not typing.is_typeddict(member)
        and typing.get_origin(member) not in (Awaitable, pulumi.Output)
        for candidate in _candidates(member)
    ]


def _wrong_of(value: Any, hint: Any, path: str) -> list[str]:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if isinstance(hint, type) and _types.is_input_type(hint):
        if not isinstance(value, Mapping):
            return [f"`{path}` is no object: {value!r}"]
        return list(_wrong_members(value, _types.input_type_types(hint), f"{path}."))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        if not isinstance(value, Mapping):
            return [f"`{path}` is no map: {value!r}"]
        return [found for key, part in value.items() for found in _wrong(part, arguments[1], f"{path}.{key}")]
    if isinstance(origin, type) and issubclass(origin, Sequence):
        if not isinstance(value, list):
            return [f"`{path}` is no list: {value!r}"]
        return [found for at, part in enumerate(value) for found in _wrong(part, arguments[0], f"{path}[{at}]")]
    return [] if _is_scalar(value, hint) else [f"`{path}` is no {getattr(hint, '__name__', hint)}: {value!r}"]


def _is_scalar(value: Any, hint: Any) -> bool:
    if hint is bool:
        return isinstance(value, bool)
    if hint in (int, float):
        return isinstance(value, int | float) and not isinstance(value, bool)
    if hint is str or (isinstance(hint, type) and issubclass(hint, Enum)):
        return isinstance(value, str)
    return True
