"""What a policy of IAM allows, statement by statement, each with its reason. Pure: values in, text out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Conditions = Mapping[str, Mapping[str, str | Sequence[str]]]
"""By operator (``StringEquals``), then by condition key (``ecs:cluster``)."""


@dataclass(frozen=True)
class Statement:
    """One statement. ``why`` is for people: docs/iam.md shows it; AWS never sees it."""

    sid: str
    """Letters and digits only, as IAM wants it; once in a policy."""
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    why: str
    conditions: Conditions = field(default_factory=dict)
    effect: Literal["Allow", "Deny"] = "Allow"
    principals: Mapping[str, Sequence[str]] | str | None = None
    """Only in policies of resources: ``{"AWS": [...]}``, ``{"Service": [...]}`` or ``"*"``."""

    def document(self) -> dict[str, Any]:
        """As IAM reads it."""
        said: dict[str, Any] = {"Sid": self.sid, "Effect": self.effect}
        if self.principals is not None:
            given = self.principals
            said["Principal"] = given if isinstance(given, str) else {kind: _one(who) for kind, who in given.items()}
        said["Action"] = _one(self.actions)
        if self.resources:
            said["Resource"] = _one(self.resources)
        if self.conditions:
            said["Condition"] = {
                operator: {key: value if isinstance(value, str) else _one(value) for key, value in keys.items()}
                for operator, keys in self.conditions.items()
            }
        return said


def policy_text(statements: Iterable[Statement]) -> str:
    """The policy as JSON, the same text for the same statements."""
    document = {"Version": "2012-10-17", "Statement": [statement.document() for statement in statements]}
    return json.dumps(document, separators=(",", ":"))


def _one(values: Sequence[str]) -> str | list[str]:
    """AWS itself shows a list of one as its only member: written so, nothing differs when it is read back."""
    return values[0] if len(values) == 1 else list(values)
