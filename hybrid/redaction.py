"""Tokens never reach a terminal, a log, an error or a file.

Two means, both always on: values known to be secret are registered and replaced wherever they occur; and shapes of
tokens are replaced even when nobody registered them. ``Token`` is the only type in which a token travels.
"""

from __future__ import annotations

import logging
import re
import threading
from typing import Final

MASK: Final = "[redacted]"

# Shapes: agent and user tokens as the agent reads them (dagster_cloud/agent/cli: "agent:{org}:{hex}", "user:…"), and
# bare tokens of 32 or more hex digits behind a word that says what they are.
_SHAPES: Final = (
    re.compile(r"\b(?:agent|user|service_user):[A-Za-z0-9_.-]+:[A-Za-z0-9_-]{8,}"),
    re.compile(r"(?i)((?:api[-_ ]?token|agent[-_ ]?token|authorization|password|secret)[\"']?\s*[:=]\s*[\"']?)(?!\[redacted)[A-Za-z0-9_\-.+/]{16,}"),
    re.compile(r"\bAKIA[0-9A-Z]{16}\b"),
)
_SHORTEST: Final = 6  # a shorter value would blank out ordinary words

_registered: set[str] = set()
_lock = threading.Lock()


def register(value: str) -> None:
    """Replace ``value`` from now on wherever this process prints, unless it is too short to be told from a word."""
    if len(value) >= _SHORTEST:
        with _lock:
            _registered.add(value)


def redact(text: str) -> str:
    """``text`` without registered secrets and without anything that has the shape of a token."""
    with _lock:
        known = sorted(_registered, key=len, reverse=True)
    for value in known:
        text = text.replace(value, MASK)
    text = _SHAPES[0].sub(MASK, text)
    text = _SHAPES[1].sub(lambda match: f"{match.group(1)}{MASK}", text)
    return _SHAPES[2].sub(MASK, text)


class Token:
    """A secret text that shows itself only when asked by name. ``str``, ``repr`` and formatting give the mask."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value
        register(value)

    def reveal(self) -> str:
        """The secret itself; for the header or the environment that needs it, nowhere else."""
        return self._value

    def __repr__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Token) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> str | tuple[object, ...]:
        raise TypeError("a token is not pickled")


class RedactingFilter(logging.Filter):
    """Redacts a log record's final text, its exception included."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = redact(record.getMessage()), None
        if record.exc_info:
            record.exc_text = redact(logging.Formatter().formatException(record.exc_info))
            record.exc_info = None
        return True
