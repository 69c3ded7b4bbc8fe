"""What a stack gives to the code of all its locations, and asks of it, as far as the gate judges locations by it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class GivenByStack:
    """Names alone; no values."""

    packages: Mapping[str, str] = field(default_factory=dict)
    """Distributions that code must have, beside dagster and dagster-cloud, each with the reason in words."""
    tags: tuple[str, ...] = ()
    """Keys of tags on everything that the agent makes."""
    variables: tuple[str, ...] = ()
    """Plain variables of all code."""
    secrets: tuple[str, ...] = ()
    """Variables of all code that come from secrets."""

    @classmethod
    def parse(cls, document: Mapping[str, Any] | None) -> GivenByStack:
        """What ``document`` was made of; nothing for None."""
        said = document or {}
        return cls(
            packages=dict(said.get("packages") or {}),
            **{name: tuple(said.get(name) or ()) for name in ("tags", "variables", "secrets")},
        )

    def document(self) -> dict[str, Any] | None:
        """It as plain values; None when there is nothing."""
        said = {
            "packages": dict(self.packages),
            "tags": list(self.tags),
            "variables": list(self.variables),
            "secrets": list(self.secrets),
        }
        return {name: value for name, value in said.items() if value} or None
