"""A mapping that is read key by key, so that what nobody read can be listed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any


class Taken:
    """Takes values out of a copy of ``values``; ``left`` names what nobody took."""

    def __init__(self, values: Any) -> None:
        self._values: dict[str, Any] = deepcopy(dict(values)) if isinstance(values, Mapping) else {}

    def has(self, key: str) -> bool:
        return key in self._values

    def take(self, key: str) -> Any:
        """The value, None when there is none; a second time there is none."""
        return self._values.pop(key, None)

    def text(self, key: str) -> str | None:
        """A text; another value stays, so that it is listed."""
        return self._values.pop(key) if isinstance(self._values.get(key), str) and self._values[key] else None

    def number(self, key: str) -> int | None:
        """A whole number, also one that is written as text; another value stays."""
        value = self._values.get(key)
        if isinstance(value, str) and value.isascii() and value.isdigit():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            return None
        del self._values[key]
        return value

    def flag(self, key: str) -> bool | None:
        """True or false; another value stays."""
        return self._values.pop(key) if isinstance(self._values.get(key), bool) else None

    def below(self, key: str) -> Taken:
        """The mapping at ``key``, to be taken in its turn; another value stays."""
        if isinstance(self._values.get(key), Mapping):
            return Taken(self._values.pop(key))
        return Taken({})

    def items(self, key: str) -> list[Any]:
        """A list; another value stays."""
        return self._values.pop(key) if isinstance(self._values.get(key), list) else []

    def left(self, above: str = "") -> Iterator[tuple[str, Any]]:
        """Key paths and values that nobody took and that say something."""
        for key, value in self._values.items():
            if value not in (None, {}, [], ""):
                yield f"{above}{key}", value
