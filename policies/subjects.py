"""What rules look at: resources with their properties as plain values, and a mark where only the update will know."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final


class Unknown:
    """Stands for a value that only the update itself will know. It is false, and equal to nothing else."""

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "(known after the update)"


UNKNOWN: Final = Unknown()

_AZURE: Final = re.compile(r"azure-native(?:_\w+)?:(?P<module>\w+)(?:/v\w+)?:(?P<name>\w+)")


@dataclass(frozen=True)
class Subject:
    """One resource, as the program wants it."""

    type: str
    """Pulumi's token, such as ``aws:s3/bucket:Bucket``."""
    name: str
    """Its name in the program."""
    urn: str = ""
    properties: Mapping[str, Any] = field(default_factory=dict)
    """The inputs as the provider has checked them; ``UNKNOWN`` where a preview cannot know."""
    provider: Mapping[str, Any] = field(default_factory=dict)
    """The inputs of its provider."""
    refers_to: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """URNs of the resources that a property comes from, by property; only rules of a whole stack are given them."""
    asked: Mapping[str, Any] = field(default_factory=dict)
    """``hybrid:aws`` of the stack file; empty for a stack without it."""

    @property
    def address(self) -> str:
        """How exceptions name it."""
        return f"{self.type}::{self.name}"

    @property
    def kind(self) -> str:
        """Its type without what several types of one thing are told apart by: the V2 that types of S3 bear beside their
        plain name, and the version of Azure's API."""
        if (azure := _AZURE.fullmatch(self.type)) is not None:
            return f"azure-native:{azure['module']}:{azure['name']}"
        return self.type.replace("V2", "") if self.type.startswith("aws:s3/") else self.type

    def __str__(self) -> str:
        return f"{self.type.rpartition(':')[2]} {self.name}"


def mapping(value: Any) -> Mapping[str, Any]:
    """``value`` if it is a mapping, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def listed(value: Any) -> Sequence[Any]:
    """The items of a list; a single thing as a list of one; nothing of nothing, or of what is not known yet."""
    if value is None or isinstance(value, Unknown):
        return ()
    return value if isinstance(value, list | tuple) else (value,)


def texts(value: Any) -> tuple[str, ...]:
    """The texts among ``listed``."""
    return tuple(each for each in listed(value) if isinstance(each, str))
