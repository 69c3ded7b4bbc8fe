"""What Terraform's core does around a provider's plan: the proposed state before it, the differences after it.

Source: internal/plans/objchange/objchange.go (ProposedNew) of Terraform 1.5. All values have Terraform's names.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from hybrid.provider.properties import UNKNOWN
from tests.standins.aws.shapes import Field, Shape

Values = dict[str, Any]


def proposed(shape: Shape, prior: Values | None, configured: Values) -> Values:
    """``configured``, with what the provider had filled in where the program says nothing."""
    before = prior or {}
    return {
        field.terraform: _proposed(field, before.get(field.terraform), configured.get(field.terraform))
        for field in shape.fields
    }


def _proposed(field: Field, prior: Any, configured: Any) -> Any:
    if not field.shape.block:
        return prior if configured is None and field.computed else configured
    return _nested(field.shape, prior, configured)


def _nested(shape: Shape, prior: Any, configured: Any) -> Any:
    match shape.kind:
        case "object" if isinstance(configured, dict):
            return proposed(shape, prior, configured)
        case "list" if isinstance(configured, list):
            before = prior if isinstance(prior, list) else []
            padded = [*before, *[None] * len(configured)]
            return [_nested(shape.inner(), old, new) for old, new in zip(padded, configured, strict=False)]
        case "set" if isinstance(configured, list):
            rest = list(prior) if isinstance(prior, list) else []
            return [_nested(shape.inner(), _taken(shape.inner(), rest, new), new) for new in configured]
        case "map" if isinstance(configured, dict):
            before = prior if isinstance(prior, dict) else {}
            return {key: _nested(shape.inner(), before.get(key), new) for key, new in configured.items()}
        case _:
            return configured


def _taken(shape: Shape, rest: list[Any], new: Any) -> Any:
    """The member of ``rest`` that ``new`` describes, taken out of it; None when there is none."""
    for index, old in enumerate(rest):
        if isinstance(old, dict) and isinstance(new, dict) and _describes(shape, new, old):
            return rest.pop(index)
    return None


def _describes(shape: Shape, new: Values, old: Values) -> bool:
    return all(
        (field.computed and new.get(field.terraform) is None)
        or settled(field.shape, old.get(field.terraform)) == settled(field.shape, new.get(field.terraform))
        for field in shape.fields
    )


def settled(shape: Shape, value: Any) -> Any:
    """``value`` as it is compared: the order of sets and the kind of emptiness do not count."""
    if value is UNKNOWN:
        return "\0unknown"
    if value is None:
        return None
    match shape.kind:
        case "list":
            return [settled(shape.inner(), item) for item in value] or None
        case "set":
            return sorted((settled(shape.inner(), item) for item in value), key=_key) or None
        case "map":
            return {key: settled(shape.inner(), item) for key, item in value.items()} or None
        case "object":
            return {field.terraform: settled(field.shape, value.get(field.terraform)) for field in shape.fields}
        case _:
            return value


def _key(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def changed(shape: Shape, prior: Values, planned: Values) -> Iterator[Field]:
    """The fields that the plan changes. Nothing is let pass: what moto does not give back is to be mended there."""
    for field in shape.fields:
        before, after = prior.get(field.terraform), planned.get(field.terraform)
        if settled(field.shape, before) != settled(field.shape, after):
            yield field


def differences(shape: Shape, before: Any, after: Any, path: str) -> Iterator[tuple[str, str]]:
    """Where two values differ, as Pulumi's paths, each with add, delete or update."""
    old, new = settled(shape, before), settled(shape, after)
    if old == new:
        return
    if shape.flat and shape.element is not None and before and after and UNKNOWN not in (before, after):
        yield from differences(shape.element, before[0], after[0], path)
    elif shape.kind == "map" and isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in sorted({*before, *after}):
            yield from differences(shape.inner(), before.get(key), after.get(key), f'{path}["{key}"]')
    elif shape.kind == "object" and isinstance(before, Mapping) and isinstance(after, Mapping):
        for field in shape.fields:
            there = before.get(field.terraform), after.get(field.terraform)
            yield from differences(field.shape, *there, f"{path}.{field.pulumi}")
    else:
        yield path, "ADD" if old in (None, "") else "DELETE" if new is None else "UPDATE"
