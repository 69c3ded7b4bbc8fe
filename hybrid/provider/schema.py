"""The package schema that the engine and code generators read, made from the resources' definitions.

Source of the shape: https://www.pulumi.com/docs/iac/guides/building-extending/packages/schema/
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from hybrid import __version__
from hybrid.provider.definition import PACKAGE, Choice, Definition, Kind, ListOf, MapOf, Property, Record


def package(definitions: Iterable[Definition]) -> dict[str, Any]:
    """The schema of these resource types and of the object types that they use."""
    listed = list(definitions)
    return {
        "name": PACKAGE,
        "version": __version__,
        "description": "Dagster+ Hybrid: processes, tokens, code locations, settings, alerts and readiness.",
        "license": "Apache-2.0",
        # code that `pulumi import` writes imports the classes of this checkout: no package of its own is generated
        "language": {"python": {"packageName": "hybrid.provider.resources"}},
        "config": {},
        "types": {
            f"{PACKAGE}:index:{named.name}": _type(named)
            for definition in listed
            for spec in (*definition.inputs.values(), *definition.outputs.values())
            for named in _named_types(spec.kind)
        },
        "provider": {"description": "Takes no configuration: each resource carries its own connection."},
        "resources": {definition.token: _resource(definition) for definition in listed},
    }


def _type(named: Record | Choice) -> dict[str, Any]:
    if isinstance(named, Choice):
        values = [{"value": value, "description": description} for value, description in named.values.items()]
        return {"type": "string", "description": named.description, "enum": values}
    return {
        "type": "object",
        "description": named.description,
        "properties": _properties(named.properties),
        "required": _required(named.properties),
    }


def _resource(definition: Definition) -> dict[str, Any]:
    outputs = {**definition.inputs, **definition.outputs}
    return {
        "description": definition.description,
        "inputProperties": _properties(definition.inputs),
        "requiredInputs": _required(definition.inputs),
        "properties": _properties(outputs),
        "required": sorted([*_required(definition.inputs), *definition.outputs]),
    }


def _properties(properties: Mapping[str, Property]) -> dict[str, Any]:
    return {name: _property(spec) for name, spec in properties.items()}


def _property(spec: Property) -> dict[str, Any]:
    described: dict[str, Any] = {**spec.kind.schema(), "description": spec.description}
    if isinstance(spec.default, bool | int | float | str):
        described["default"] = spec.default
    if spec.secret:
        described["secret"] = True
    if spec.replaces:
        described["replaceOnChanges"] = True
    return described


def _required(properties: Mapping[str, Property]) -> list[str]:
    return sorted(name for name, spec in properties.items() if spec.required and spec.default is None)


def _named_types(kind: Kind) -> Iterable[Record | Choice]:
    match kind:
        case Choice():
            yield kind
        case Record():
            yield kind
            for spec in kind.properties.values():
                yield from _named_types(spec.kind)
        case ListOf(item=item) | MapOf(item=item):
            yield from _named_types(item)
        case _:
            return
