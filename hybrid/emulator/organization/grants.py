"""Grants: which role somebody has where, and which of several counts.

Rests on: ``schema`` for the roles and scopes; ``docs`` for their order, for the most permissive one counting, and for a
grant for a full deployment saying nothing about its branch deployments; ``invented``: a grant over the organization
may carry any role, not ADMIN alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from hybrid.emulator.organization.deployments import Deployment

Role = Literal["VIEWER", "LAUNCHER", "EDITOR", "ADMIN"]
Scope = Literal["ORGANIZATION", "ALL_BRANCH_DEPLOYMENTS", "DEPLOYMENT"]
Place = Deployment | Literal["ORGANIZATION", "ALL_BRANCH_DEPLOYMENTS"]
"""One deployment, the organization itself, or branch deployments whichever (one that is yet to be made, too)."""

ROLES: Final[tuple[Role, ...]] = ("VIEWER", "LAUNCHER", "EDITOR", "ADMIN")  # each may do what those before it may


@dataclass(frozen=True)
class Grant:
    """A role within a scope; agent tokens have AGENT. ``deployment_id`` is set in the scope DEPLOYMENT only."""

    id: int
    scope: Scope
    deployment_id: int | None
    role: Role | Literal["AGENT"] = "AGENT"

    def applies_in(self, place: Place) -> bool:
        if self.scope == "ORGANIZATION":
            return True
        if isinstance(place, str):
            return self.scope == place
        return place.is_branch if self.scope == "ALL_BRANCH_DEPLOYMENTS" else place.id == self.deployment_id


def reaches(role: Role | None, needed: Role) -> bool:
    """Whether ``role`` may do what ``needed`` may."""
    return role is not None and ROLES.index(role) >= ROLES.index(needed)


def highest(grants: Iterable[Grant], place: Place | None = None) -> Role | None:
    """The most permissive role that ``grants`` give in ``place``; for None, anywhere."""
    roles = [grant.role for grant in grants if grant.role != "AGENT" and (place is None or grant.applies_in(place))]
    return max(roles, key=ROLES.index, default=None)
