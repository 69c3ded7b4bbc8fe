"""What a resource takes and gives: its properties with types, defaults and limits.

One definition serves three readers: ``validate`` (messages that name the input and say what is allowed), the schema
that the engine and code generators read, and the contract test of the classes that programs use.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Protocol

from hybrid.provider.properties import UNKNOWN, Properties, Secret

PACKAGE: Final = "dagsterhybrid"


@dataclass(frozen=True)
class Failure:
    """Why an input cannot be: ``path`` as people write it (``environment.HOME``), ``reason`` with what is allowed."""

    path: str
    reason: str


class Kind(Protocol):
    """The type of a property."""

    def failures(self, path: str, value: Any) -> Iterator[Failure]:
        """What is wrong with ``value``; nothing for what is not known yet."""
        ...

    def schema(self) -> dict[str, Any]:
        """The type in Pulumi's package schema."""
        ...


@dataclass(frozen=True)
class Text:
    """A string; ``absolute`` wants an absolute path, ``empty`` allows none of its characters."""

    absolute: bool = False
    empty: bool = False

    def failures(self, path: str, value: Any) -> Iterator[Failure]:
        if not isinstance(value, str):
            yield Failure(path, f"must be text, not {_named(value)}")
        elif "\0" in value:
            yield Failure(path, "must not hold a NUL character")
        elif not value and not self.empty:
            yield Failure(path, "must not be empty")
        elif self.absolute and not Path(value).is_absolute():
            yield Failure(path, f"must be an absolute path, not '{value}'")

    def schema(self) -> dict[str, Any]:
        return {"type": "string"}


@dataclass(frozen=True)
class Number:
    """A number of seconds, bytes and the like between ``least`` and ``most``; ``whole`` refuses fractions."""

    least: float
    most: float
    whole: bool = True

    def failures(self, path: str, value: Any) -> Iterator[Failure]:
        wanted = "a whole number" if self.whole else "a number"
        if isinstance(value, bool) or not isinstance(value, int if self.whole else int | float):
            yield Failure(path, f"must be {wanted} from {self.least:g} to {self.most:g}, not {_named(value)}")
        elif not self.least <= value <= self.most:
            yield Failure(path, f"must be {wanted} from {self.least:g} to {self.most:g}, not {value}")

    def schema(self) -> dict[str, Any]:
        return {"type": "integer" if self.whole else "number"}


@dataclass(frozen=True)
class Flag:
    """True or false."""

    def failures(self, path: str, value: Any) -> Iterator[Failure]:
        if not isinstance(value, bool):
            yield Failure(path, f"must be true or false, not {_named(value)}")

    def schema(self) -> dict[str, Any]:
        return {"type": "boolean"}


@dataclass(frozen=True)
class Choice:
    """One of some texts; ``values`` explains each. The schema knows it by ``name``, such as ``AgentType``."""

    name: str
    description: str
    values: Mapping[str, str]

    def failures(self, path: str, value: Any) -> Iterator[Failure]:
        if value not in tuple(self.values):
            said = f"'{value}'" if isinstance(value, str) else _named(value)
            yield Failure(path, f"must be one of {', '.join(self.values)}, not {said}")

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "$ref": f"#/types/{PACKAGE}:index:{self.name}"}


@dataclass(frozen=True)
class Anything:
    """Any JSON value; its meaning belongs to somebody else."""

    def failures(self, path: str, value: Any) -> Iterator[Failure]:
        return iter(())

    def schema(self) -> dict[str, Any]:
        return {"$ref": "pulumi.json#/Any"}


@dataclass(frozen=True)
class ListOf:
    """A list of one kind."""

    item: Kind
    empty: bool = True

    def failures(self, path: str, value: Any) -> Iterator[Failure]:
        if not isinstance(value, list):
            yield Failure(path, f"must be a list, not {_named(value)}")
            return
        if not value and not self.empty:
            yield Failure(path, "must have at least one item")
        for index, item in enumerate(value):
            yield from known_failures(self.item, f"{path}[{index}]", item)

    def schema(self) -> dict[str, Any]:
        return {"type": "array", "items": self.item.schema()}


@dataclass(frozen=True)
class MapOf:
    """A mapping from text to one kind."""

    item: Kind

    def failures(self, path: str, value: Any) -> Iterator[Failure]:
        if not isinstance(value, Mapping):
            yield Failure(path, f"must be a mapping of names to values, not {_named(value)}")
            return
        for key, item in value.items():
            yield from known_failures(self.item, f"{path}.{key}", item)

    def schema(self) -> dict[str, Any]:
        return {"type": "object", "additionalProperties": self.item.schema()}


@dataclass(frozen=True)
class Property:
    """One input or output. ``replaces``: another value means another thing, so the old one is deleted."""

    kind: Kind
    description: str
    required: bool = True
    default: Any = None
    secret: bool = False
    replaces: bool = False

    def replacing(self) -> Property:
        """The same property, of which another value means another thing."""
        return replace(self, replaces=True)


@dataclass(frozen=True)
class Record:
    """An object type of its own name, such as ``Connection``."""

    name: str
    description: str
    properties: Mapping[str, Property]

    def failures(self, path: str, value: Any) -> Iterator[Failure]:
        if not isinstance(value, Mapping):
            yield Failure(path, f"must be an object with {', '.join(self.properties)}, not {_named(value)}")
            return
        yield from record_failures(self.properties, value, f"{path}.")

    def schema(self) -> dict[str, Any]:
        return {"$ref": f"#/types/{PACKAGE}:index:{self.name}"}


@dataclass(frozen=True)
class Definition:
    """A resource type: its inputs, and the outputs it has beyond them."""

    name: str
    description: str
    inputs: Mapping[str, Property]
    outputs: Mapping[str, Property] = field(default_factory=dict)
    delete_before_replace: bool = True

    @property
    def token(self) -> str:
        return f"{PACKAGE}:index:{self.name}"

    def secrets(self) -> frozenset[str]:
        """Names of the properties that are secret whatever the program says."""
        return frozenset(name for name, spec in {**self.inputs, **self.outputs}.items() if spec.secret)

    def complete(self, inputs: Properties) -> Properties:
        """``inputs`` without null ones, with defaults, and with secret ones marked as such."""
        given = {name: value for name, value in inputs.items() if value is not None}
        for name, spec in self.inputs.items():
            if name not in given and spec.default is not None:
                given[name] = spec.default
            if spec.secret and name in given and not isinstance(given[name], Secret):
                given[name] = Secret(given[name])
        return given


def record_failures(
    properties: Mapping[str, Property], value: Mapping[str, Any], prefix: str = ""
) -> Iterator[Failure]:
    """What is wrong with an object of these properties."""
    for name, spec in properties.items():
        if value.get(name) is None:
            if spec.required and spec.default is None:
                yield Failure(f"{prefix}{name}", f"is missing: {spec.description}")
        else:
            yield from known_failures(spec.kind, f"{prefix}{name}", value[name])
    for name in value.keys() - properties.keys():
        yield Failure(f"{prefix}{name}", f"is not known; known are {', '.join(sorted(properties))}")


def known_failures(kind: Kind, path: str, value: Any) -> Iterator[Failure]:
    """Like ``kind.failures``, but lets pass what is not known before the update; looks into secrets without quoting
    them."""
    if isinstance(value, Secret):
        yield from (Failure(found.path, _unquoted(found.reason)) for found in known_failures(kind, path, value.value))
    elif value is not UNKNOWN:
        yield from kind.failures(path, value)


def _unquoted(reason: str) -> str:
    return reason.partition(", not ")[0]


def _named(value: Any) -> str:
    match value:
        case None:
            return "nothing"
        case bool():
            return "a boolean"
        case str():
            return "text"
        case int() | float():
            return "a number" if not isinstance(value, float) else f"{value:g}"
        case list():
            return "a list"
        case Mapping():
            return "an object"
        case _:
            return "this"
