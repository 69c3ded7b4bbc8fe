"""What a document has to look like, in checks that name the key where it does not.

A check takes a value and the path of keys to it and returns what is wrong, in words; nothing when all is well. Only
the path and the kind of a value are ever told, and of values only those that a check lists itself: a document may hold
what nobody else should read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Check = Callable[[Any, str], list[str]]


def mapping(required: Mapping[str, Check], optional: Mapping[str, Check] | None = None) -> Check:
    """A map with exactly those keys; the optional ones may be missing."""
    known = {**required, **(optional or {})}

    def check(value: Any, path: str) -> list[str]:
        if not isinstance(value, dict):
            return [f"{_at(path)} must be a map, not {_kind(value)}."]
        faults = [f"{_at(_below(path, key))} is missing." for key in required if key not in value]
        for key, inner in value.items():
            if key in known:
                faults += known[key](inner, _below(path, key))
            else:
                faults.append(f"{_at(_below(path, key))} is not known here; known are {', '.join(sorted(known))}.")
        return faults

    return check


def choice(options: Mapping[str, Check]) -> Check:
    """A map with exactly one of those keys."""

    def check(value: Any, path: str) -> list[str]:
        if not isinstance(value, dict):
            return [f"{_at(path)} must be a map, not {_kind(value)}."]
        if len(value) != 1 or next(iter(value)) not in options:
            return [f"{_at(path)} must have exactly one key, one of {', '.join(sorted(options))}."]
        [(key, inner)] = value.items()
        return options[key](inner, _below(path, key))

    return check


def listing(item: Check, *, shortest: int = 0) -> Check:
    """A list of such items."""

    def check(value: Any, path: str) -> list[str]:
        if not isinstance(value, list):
            return [f"{_at(path)} must be a list, not {_kind(value)}."]
        if len(value) < shortest:
            return [f"{_at(path)} must have at least {shortest} in it."]
        return [fault for index, inner in enumerate(value) for fault in item(inner, f"{path}[{index}]")]

    return check


def one_of(*values: str) -> Check:
    """One of those words."""

    def check(value: Any, path: str) -> list[str]:
        if isinstance(value, str) and value in values:
            return []
        return [f"{_at(path)} must be one of {', '.join(values)}."]

    return check


def whole(least: int | None = None, most: int | None = None) -> Check:
    """A whole number between both, which count as allowed."""
    return _within("a whole number", lambda value: isinstance(value, int), least, most)


def number(least: float | None = None, most: float | None = None) -> Check:
    """A number between both, which count as allowed."""
    return _within("a number", lambda value: isinstance(value, int | float), least, most)


def text(value: Any, path: str) -> list[str]:
    """A text that is not empty."""
    return [] if isinstance(value, str) and value else [f"{_at(path)} must be a text that is not empty."]


def any_text(value: Any, path: str) -> list[str]:
    """A text, empty or not."""
    return [] if isinstance(value, str) else [f"{_at(path)} must be a text, not {_kind(value)}."]


def flag(value: Any, path: str) -> list[str]:
    """True or false."""
    return [] if isinstance(value, bool) else [f"{_at(path)} must be true or false, not {_kind(value)}."]


def texts_by_name(value: Any, path: str) -> list[str]:
    """A map from any name to a text."""
    if not isinstance(value, dict):
        return [f"{_at(path)} must be a map, not {_kind(value)}."]
    return [fault for key, inner in value.items() for fault in any_text(inner, _below(path, key))]


def nullable(check: Check) -> Check:
    """What the check takes, or null."""
    return lambda value, path: [] if value is None else check(value, path)


def _within(what: str, fits: Callable[[Any], bool], least: float | None, most: float | None) -> Check:
    bounds = " and ".join(
        words
        for words in (
            f"at least {least}" if least is not None else "",
            f"at most {most}" if most is not None else "",
        )
        if words
    )

    def check(value: Any, path: str) -> list[str]:
        # A bool is an int to Python, and `max_retries: true` is not a number to anybody else. NaN is in no bounds.
        if isinstance(value, bool) or not fits(value):
            return [f"{_at(path)} must be {what}, not {_kind(value)}."]
        if not ((least is None or value >= least) and (most is None or value <= most)):
            return [f"{_at(path)} must be {bounds}."]
        return []

    return check


def _below(path: str, key: Any) -> str:
    shown = str(key)[:80]
    return f"{path}.{shown}" if path else shown


def _at(path: str) -> str:
    return path or "The document"


def _kind(value: Any) -> str:
    kinds: dict[type, str] = {dict: "a map", list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return kinds.get(type(value), "a number")
