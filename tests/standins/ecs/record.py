"""The record of a lab: one JSON line for each call and each thing that happened, for tests and for people."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

_LONGEST = 4000
_HIDDEN = frozenset({"SecretString", "SecretBinary"})


@dataclass(frozen=True)
class RecordedCall:
    """A call that reached the lab."""

    at: float
    """Seconds since the epoch."""
    role: str | None
    """The ARN of the role whose credentials were used; None for the administrator's."""
    session: str | None
    """The task's id, for calls of a task and for those that ECS makes with its execution role."""
    service: str
    operation: str
    params: Mapping[str, Any]
    allowed: bool
    """What IAM says, also where it is not enforced."""
    unknown: bool = False
    """IAM's table of calls lacks this one."""
    reason: str = ""
    status: int = 0
    """HTTP's."""
    error: str = ""
    """The beginning of an answer that is one."""
    needed: tuple[str, ...] = ()
    """``action resource`` of what was asked of IAM."""

    @property
    def name(self) -> str:
        return f"{self.service}:{self.operation}"

    def line(self) -> str:
        return json.dumps({**asdict(self), "params": _shown(self.params)}, default=str) + "\n"

    @classmethod
    def read(cls, line: str) -> RecordedCall:
        said = json.loads(line)
        return cls(**{**said, "needed": tuple(said["needed"])})


@dataclass
class Lines:
    """A file to which several threads add lines."""

    path: Path
    _one: threading.Lock = field(default_factory=threading.Lock)

    def add(self, line: str) -> None:
        with self._one, self.path.open("a", encoding="utf-8") as file:
            file.write(line)

    def event(self, what: str, **more: Any) -> None:
        self.add(json.dumps({"at": time.time(), "what": what, **more}, default=str) + "\n")


def _shown(value: Any, name: str = "") -> Any:
    """``value`` without secrets and without what is too long to read."""
    if name in _HIDDEN:
        return "…"
    if isinstance(value, Mapping):
        return {key: _shown(one, str(key)) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_shown(one) for one in value]
    if isinstance(value, bytes):
        return f"<{len(value)} bytes>"
    if isinstance(value, str) and len(value) > _LONGEST:
        return f"{value[:_LONGEST]}…"
    return value
