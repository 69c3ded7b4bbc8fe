"""The errors that the public API returns as values.

Rests on: ``schema`` for their types; ``invented`` for their words.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Typed = dict[str, Any]


def unauthorized(message: str) -> Typed:
    return {"__typename": "UnauthorizedError", "message": message}


def invalid_location(errors: list[str]) -> Typed:
    return {"__typename": "InvalidLocationError", "message": "\n".join(errors), "errors": errors}


def python_error(error: Mapping[str, Any]) -> Typed:
    """Of an error with its causes (``message``, ``stack``, ``class_name``, ``cause``)."""
    cause = error.get("cause")
    inner = python_error(cause) if cause else None
    return {
        "__typename": "PythonError",
        "message": error["message"],
        "className": error.get("class_name"),
        "stack": list(error.get("stack") or ()),
        "cause": inner,
        "causes": [inner, *inner["causes"]] if inner else [],
        "errorChain": [_link(inner), *inner["errorChain"]] if inner else [],
    }


def plain_error(message: str) -> Typed:
    """A ``PythonError`` without a traceback: the request cannot be fulfilled, and nothing broke."""
    return python_error({"message": message})


def _link(error: Typed) -> Typed:
    return {"message": error["message"], "error": error, "isExplicitLink": True}
