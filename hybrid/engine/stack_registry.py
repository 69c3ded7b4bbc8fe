"""The registry of a stack, whatever its platform: by the stack's file alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hybrid.errors import SettingsError
from stacks.images import registry_address

if TYPE_CHECKING:
    from stacks.identity import StackIdentity


@dataclass(frozen=True)
class StackRegistry:
    """A stack's registry, and what the stack's repositories there begin with."""

    host: str
    prefix: str
    """Without the slash that follows; empty when repositories have the names of locations alone."""

    def repository(self, location: str) -> str:
        """The name of the location's repository."""
        return f"{self.prefix}/{location.lower()}" if self.prefix else location.lower()

    def owned(self, listed: list[str], named: set[str]) -> list[str]:
        """Of the repositories ``listed`` those of ``named`` and, where all of the stack begin with a prefix of its own,
        also those of locations that the stack does not serve any more."""
        own = f"{self.prefix}/" if self.prefix else None
        return sorted(name for name in listed if name in named or (own is not None and name.startswith(own)))


def stack_registry(who: StackIdentity) -> StackRegistry | None:
    """None when the stack has none."""
    try:
        host, _, prefix = registry_address(who).partition("/")
    except SettingsError:
        return None
    return StackRegistry(host, prefix.strip("/"))
