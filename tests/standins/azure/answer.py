"""What the stand-in answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Answer:
    """What Azure answers."""

    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


def error(status: int, code: str, message: str) -> Answer:
    return Answer(status, {"error": {"code": code, "message": message}})


def absent(what: str) -> Answer:
    return error(404, "ResourceNotFound", f"The Resource '{what}' was not found.")
