"""A type as both sides see it: Terraform's schema beside the annotations of pulumi-aws's SDK.

Pulumi's name of an attribute is its camel case, or the plural of that, whichever the SDK has. A list or set that the
SDK does not annotate as a sequence holds one item at most and is given without the list around it.
"""

from __future__ import annotations

import collections.abc
import json
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

_LIST: Final = 2  # NestedBlock.NestingMode: 2 list, 3 set, 4 map, else a single one
_SEQUENCES: Final = (list, collections.abc.Sequence)
_MAPPINGS: Final = (dict, collections.abc.Mapping)

Annotations = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Shape:
    """``kind``: string, number, bool, dynamic; list, set, map of ``element``; object of ``fields``.

    ``flat``: given without the list around it. ``block``: an empty one means the same as none.
    """

    kind: str
    element: Shape | None = None
    fields: tuple[Field, ...] = ()
    flat: bool = False
    block: bool = False

    def as_json(self) -> list[Any]:
        element = self.element.as_json() if self.element else None
        return [self.kind, element, [field.as_json() for field in self.fields], self.flat, self.block]

    @classmethod
    def of_json(cls, given: list[Any]) -> Shape:
        kind, element, fields, flat, block = given
        inner = cls.of_json(element) if element else None
        return cls(kind, inner, tuple(Field.of_json(field) for field in fields), flat, block)

    def inner(self) -> Shape:
        if self.element is None:
            raise TypeError(f"a {self.kind} has no elements")
        return self.element


@dataclass(frozen=True, slots=True)
class Field:
    """One attribute or block.

    ``paired``: the SDK has it. ``given``: a program may set it. ``computed``: the provider fills it in.
    """

    terraform: str
    pulumi: str
    shape: Shape
    paired: bool
    given: bool
    computed: bool = False
    sensitive: bool = False

    def as_json(self) -> list[Any]:
        flags = [self.paired, self.given, self.computed, self.sensitive]
        return [self.terraform, self.pulumi, self.shape.as_json(), *flags]

    @classmethod
    def of_json(cls, given: list[Any]) -> Field:
        terraform, pulumi, shape, *flags = given
        return cls(terraform, pulumi, Shape.of_json(shape), *flags)


def paired(block: Any, annotations: Annotations | None, renames: Mapping[str, str]) -> Shape:
    """The shape of a schema's block. ``annotations``: the SDK's names and types; None where it has no class."""
    names = [each.name for each in block.attributes] + [each.type_name for each in block.block_types]
    known = annotations or {}
    pairs = _pairs(names, known, renames)
    fields = [
        Field(
            each.name,
            pairs.get(each.name) or _camel(each.name),
            _of_type(json.loads(each.type), known.get(pairs.get(each.name, ""))),
            paired=each.name in pairs,
            given=each.name in pairs and (each.optional or each.required),
            computed=each.computed,
            sensitive=each.sensitive,
        )
        for each in block.attributes
    ]
    fields += [
        Field(
            each.type_name,
            pairs.get(each.type_name) or _camel(each.type_name),
            _of_nested(each, known.get(pairs.get(each.type_name, ""))),
            paired=each.type_name in pairs,
            given=each.type_name in pairs,
        )
        for each in block.block_types
    ]
    return Shape("object", fields=tuple(fields), block=True)


def unpaired(shape: Shape, annotations: Annotations, prefix: str = "") -> Iterator[str]:
    """The SDK's properties, at any depth, that no attribute of Terraform is paired with."""
    known = {field.pulumi: field for field in shape.fields if field.paired}
    for name, annotation in annotations.items():
        if name not in known:
            yield prefix + name
            continue
        inner, kind = known[name].shape, _unwrapped(annotation)
        while inner.element is not None and inner.kind != "map":
            inner = inner.element
            if typing.get_origin(kind) in _SEQUENCES:
                kind = _unwrapped(typing.get_args(kind)[-1])
        if inner.kind == "object" and (deeper := annotations_of(kind)):
            yield from unpaired(inner, deeper, f"{prefix}{name}.")


def annotations_of(kind: Any) -> Annotations | None:
    """Pulumi's names and types of a class of an SDK: of a resource, an input or an output type."""
    from pulumi import _types

    if not isinstance(kind, type):
        return None
    if _types.is_output_type(kind):
        return dict(_types.output_type_types(kind))
    if _types.is_input_type(kind):
        return dict(_types.input_type_types(kind))
    return dict(_types.resource_types(kind))


def _pairs(names: Iterable[str], known: Annotations, renames: Mapping[str, str]) -> dict[str, str]:
    """Terraform's names to Pulumi's; exact ones first, so that `tag` does not take `tags` from `tags`."""
    found: dict[str, str] = {}
    for guesses in (lambda name: [renames.get(name) or _camel(name)], _plurals):
        for name in names:
            taken = set(found.values())
            hit = next((guess for guess in guesses(name) if guess in known and guess not in taken), None)
            if name not in found and hit is not None:
                found[name] = hit
    return found


def _plurals(name: str) -> list[str]:
    camel = _camel(name)
    return [camel + "s", camel + "es", *([camel[:-1] + "ies"] if camel.endswith("y") else [])]


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(part[:1].upper() + part[1:] for part in others)


def _of_type(kind: Any, annotation: Any) -> Shape:
    """Of an attribute, whose type is written as ``"string"`` or ``["list", "string"]``."""
    if isinstance(kind, str):
        return Shape(kind)
    if kind[0] in ("list", "set"):
        return _collection(kind[0], annotation, lambda inner: _of_type(kind[1], inner))
    if kind[0] == "map":
        return Shape("map", _of_type(kind[1], _element(annotation, _MAPPINGS)[1]))
    known = annotations_of(_unwrapped(annotation)) or {}
    pairs = _pairs(kind[1], known, {})
    fields = [
        Field(
            name,
            pairs.get(name) or _camel(name),
            _of_type(inner, known.get(pairs.get(name, ""))),
            paired=name in pairs,
            given=name in pairs,
        )
        for name, inner in kind[1].items()
    ]
    return Shape("object", fields=tuple(fields))


def _of_nested(nested: Any, annotation: Any) -> Shape:
    def block(inner: Any) -> Shape:
        return paired(nested.block, annotations_of(_unwrapped(inner)), {})

    match nested.nesting:
        case 2 | 3:
            return _collection("list" if nested.nesting == _LIST else "set", annotation, block, block=True)
        case 4:
            return Shape("map", block(_element(annotation, _MAPPINGS)[1]), block=True)
        case _:
            return block(annotation)


def _collection(kind: str, annotation: Any, element: Callable[[Any], Shape], *, block: bool = False) -> Shape:
    is_sequence, inner = _element(annotation, _SEQUENCES)
    return Shape(kind, element(inner), flat=annotation is not None and not is_sequence, block=block)


def _element(annotation: Any, origins: tuple[Any, ...]) -> tuple[bool, Any]:
    kind = _unwrapped(annotation)
    if typing.get_origin(kind) in origins:
        return True, _unwrapped(typing.get_args(kind)[-1])
    return False, kind


def _unwrapped(annotation: Any) -> Any:
    from pulumi import _types

    return _types.unwrap_type(annotation) if annotation is not None else None
