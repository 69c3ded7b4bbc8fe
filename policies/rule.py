"""A rule: its name, how much weighs on it, why it is there, what to do, and the check itself. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from policies.subjects import Subject

Level = Literal["mandatory", "advisory"]
"""``mandatory`` where data or rights are at stake: the engine refuses the resource. ``advisory``: it only says so."""


@dataclass(frozen=True)
class Rule:
    """What every rule says of itself."""

    name: str
    level: Level
    reason: str
    """One sentence: why the rule is there."""
    todo: str
    """One sentence: what whoever breaks it does next."""
    looks_at: str
    """What it looks at and what it lets pass, for docs/policies.md."""


@dataclass(frozen=True)
class ResourceRule(Rule):
    """A rule about single resources, asked before each is made or changed."""

    judges: Mapping[str, tuple[str, ...]]
    """The types that it looks at, and of each the properties whose values decide. ``*``: every type."""
    check: Callable[[Subject], Iterable[str]]
    """What is wrong with a resource of these types, a sentence each; nothing for values that are not known yet."""

    def applies_to(self, subject: Subject) -> bool:
        return subject.kind in self.judges or "*" in self.judges


@dataclass(frozen=True)
class StackRule(Rule):
    """A rule about what belongs together, asked once all resources are known. In an update that is after they were
    made: the preview before it is what refuses."""

    check: Callable[[Sequence[Subject]], Iterable[tuple[Subject, str]]]
    """What is wrong, and with which resource."""
