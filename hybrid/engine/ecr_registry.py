"""The registry of a stack, whatever its platform, when it is one of ECR: by the stack's file alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hybrid.aws.registry import EcrAddress
from hybrid.errors import SettingsError
from stacks.images import registry_address

if TYPE_CHECKING:
    from stacks.identity import StackIdentity


@dataclass(frozen=True)
class EcrRegistry:
    """A stack's registry that is one of ECR, and what the stack's repositories there begin with."""

    account: str
    region: str
    host: str
    prefix: str
    """Without the slash that follows; empty when repositories have the names of locations alone."""

    def repository(self, location: str) -> str:
        """The name of the location's repository."""
        return f"{self.prefix}/{location.lower()}" if self.prefix else location.lower()


def ecr_registry(who: StackIdentity) -> EcrRegistry | None:
    """The stack's registry, None when it has none or it is another's than AWS's."""
    try:
        host, _, prefix = registry_address(who).partition("/")
    except SettingsError:
        return None
    address = EcrAddress.parse(host)
    return None if address is None else EcrRegistry(address.account, address.region, host, prefix.strip("/"))
