"""Who may do what in the stand-in: roles by action and scope, as Azure Resource Manager decides."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Grant:
    """One action on everything at or below a scope."""

    action: str
    scope: str


@dataclass(frozen=True)
class Decision:
    """One question that was asked, and its answer."""

    who: str
    action: str
    on: str
    allowed: bool


class Rights:
    """Grants by client id; whoever is in ``owners`` may do all. Remembers every decision."""

    def __init__(self, grants: dict[str, list[Grant]], owners: Iterable[str] = ()) -> None:
        self._grants = grants
        self._owners = frozenset(owners)
        self.decisions: list[Decision] = []

    def allows(self, who: str, action: str, on: str) -> bool:
        """Azure takes no account of the case of actions and ids."""
        found = who in self._owners or any(
            grant.action.lower() == action.lower() and _within(on, grant.scope) for grant in self._grants.get(who, ())
        )
        self.decisions.append(Decision(who, action, on, found))
        return found

    @property
    def denied(self) -> list[Decision]:
        return [each for each in self.decisions if not each.allowed]

    def used_by(self, who: str) -> set[str]:
        """The actions that ``who`` has needed."""
        return {each.action for each in self.decisions if each.who == who and each.allowed}


def _within(resource: str, scope: str) -> bool:
    resource, scope = resource.lower().rstrip("/"), scope.lower().rstrip("/")
    return resource == scope or resource.startswith(f"{scope}/")
