"""Who may do what in the stand-in: roles by action and scope, as Azure Resource Manager decides."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Final


@dataclass(frozen=True)
class Grant:
    """An action, `*` for any characters, on everything at or below a scope; ``excluded`` is what a role leaves out."""

    action: str
    scope: str
    excluded: tuple[str, ...] = ()

    def covers(self, action: str, on: str) -> bool:
        """Azure takes no account of the case of actions and ids."""
        return _hit(self.action, action) and not any(_hit(one, action) for one in self.excluded) and self._holds(on)

    def _holds(self, on: str) -> bool:
        on, scope = on.lower().rstrip("/"), self.scope.lower().rstrip("/")
        return on == scope or on.startswith(f"{scope}/")


@dataclass(frozen=True)
class Decision:
    """One question that was asked, and its answer."""

    who: str
    action: str
    on: str
    allowed: bool


@dataclass(frozen=True)
class Role:
    """What a role allows; data actions (``…/secrets/getSecret/action``) are actions like any other here."""

    actions: tuple[str, ...]
    excluded: tuple[str, ...] = ()

    def at(self, scope: str) -> list[Grant]:
        return [Grant(action, scope, self.excluded) for action in self.actions]


BUILT_IN: Final[Mapping[str, Role]] = {
    # https://learn.microsoft.com/azure/role-based-access-control/built-in-roles, as far as somebody here has one
    "7f951dda-4ed3-4680-a7ca-43fe172d538d": Role(("Microsoft.ContainerRegistry/registries/pull/read",)),
    "4633458b-17de-408a-b874-0445c86b69e6": Role(
        ("Microsoft.KeyVault/vaults/secrets/getSecret/action", "Microsoft.KeyVault/vaults/secrets/readMetadata/action")
    ),
    "ba92f5b4-2d11-453d-a403-e96b0029c9fe": Role(
        (
            "Microsoft.Storage/storageAccounts/blobServices/containers/read",
            "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/*",
        )
    ),
}
CONTRIBUTOR: Final = Role(
    ("*",),
    ("Microsoft.Authorization/*/Delete", "Microsoft.Authorization/*/Write", "Microsoft.KeyVault/*/getSecret/action"),
)
ACCESS_ADMINISTRATOR: Final = Role(("*/read", "Microsoft.Authorization/*"))


@dataclass
class Rights:
    """Grants by client id; whoever is in ``owners`` may do all. Remembers every decision."""

    grants: dict[str, list[Grant]]
    owners: Iterable[str] = ()
    decisions: list[Decision] = field(default_factory=list)
    assigned: dict[str, tuple[str, list[Grant]]] = field(default_factory=dict)
    """Client id and what it may, by the id of the role assignment that says so."""

    def allows(self, who: str, action: str, on: str) -> bool:
        found = who in self.owners or any(grant.covers(action, on) for grant in self._of(who))
        self.decisions.append(Decision(who, action, on, found))
        return found

    def permissions(self, who: str, scope: str) -> list[dict[str, list[str]]]:
        """As Azure lists them for a login."""
        if who in self.owners:
            return [{"actions": ["*"], "notActions": []}]
        held = [grant for grant in self._of(who) if grant.covers(grant.action, scope)]
        return [{"actions": [grant.action], "notActions": list(grant.excluded)} for grant in held]

    @property
    def denied(self) -> list[Decision]:
        return [each for each in self.decisions if not each.allowed]

    def used_by(self, who: str) -> set[str]:
        """The actions that ``who`` has needed."""
        return {each.action for each in self.decisions if each.who == who and each.allowed}

    def _of(self, who: str) -> list[Grant]:
        found = [grant for client, grants in self.assigned.values() if client == who for grant in grants]
        return [*self.grants.get(who, ()), *found]


def _hit(pattern: str, action: str) -> bool:
    return fnmatchcase(action.lower(), pattern.lower())
