"""What an Azure stack calls its things: pure functions of the settings, so that commands find them without asking the
state.

Limits: https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules; a container app's 32
characters are also those of dagster_cloud/workspace/aca/utils.py.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from dataclasses import dataclass
from typing import Final

from infra.names import shortened

STACK_TAG: Final = "dagster-hybrid-stack"
"""The stack's tag; Azure takes no slash in the names of tags."""

LONGEST_BASE: Final = 20
"""Characters of a base name, so that `<base>-agent` is a container app's (32) with room to spare."""

_SPACE: Final = uuid.UUID("5f9a3a54-8c9f-5d2e-9a3b-6a1f0c2d7e41")


@dataclass(frozen=True)
class AzureNames:
    """``base`` is ``hybrid-<stack>`` unless the settings name another; lower case, digits and single hyphens."""

    base: str
    subscription: str
    location: str
    resource_group: str
    """The stack's own, or one that was there."""

    @classmethod
    def of(
        cls,
        stack: str,
        subscription: str,
        location: str,
        *,
        base: str | None = None,
        resource_group: str | None = None,
    ) -> AzureNames:
        """Names for a stack. ``base`` and ``resource_group``: the settings' own, if they have them."""
        wanted = f"hybrid-{stack}"
        made = re.sub(r"[^a-z0-9]+", "-", wanted.lower()).strip("-")
        if made != wanted:  # `a.b` and `a_b` are two stacks
            made = f"{made}-{_digits(wanted, 6)}"
        chosen = base or shortened(made, LONGEST_BASE)
        return cls(chosen, subscription.lower(), location, resource_group or chosen)

    @property
    def environment(self) -> str:
        """The Container Apps environment."""
        return self.base

    @property
    def agent_app(self) -> str:
        return f"{self.base}-agent"

    @property
    def network(self) -> str:
        return self.base

    @property
    def workspace(self) -> str:
        """The Log Analytics workspace."""
        return f"{self.base}-logs"

    def identity(self, what: str) -> str:
        """``what``: agent or code."""
        return f"{self.base}-{what}"

    @property
    def registry(self) -> str:
        """Letters and digits, one of all in Azure."""
        return self._of_all_azure(50)

    @property
    def storage_account(self) -> str:
        """24 lower-case letters and digits, one of all in Azure."""
        return self._of_all_azure(24)

    @property
    def group_id(self) -> str:
        """The resource group's id in Azure Resource Manager."""
        return f"/subscriptions/{self.subscription}/resourceGroups/{self.resource_group}"

    @property
    def environment_id(self) -> str:
        return f"{self.group_id}/providers/Microsoft.App/managedEnvironments/{self.environment}"

    @property
    def agent_app_id(self) -> str:
        return f"{self.group_id}/providers/Microsoft.App/containerApps/{self.agent_app}"

    def identity_id(self, what: str) -> str:
        """``what``: agent or code."""
        kind = "Microsoft.ManagedIdentity/userAssignedIdentities"
        return f"{self.group_id}/providers/{kind}/{self.identity(what)}"

    def role(self, what: str) -> str:
        """A custom role's name, which no other of the tenant may have."""
        return f"Dagster Hybrid {what} ({self.base}, {_digits(self.group_id.lower(), 8)})"

    def guid(self, *parts: str) -> str:
        """The name of a role, or of who has it, in Azure: the same for the same parts."""
        return str(uuid.uuid5(_SPACE, "\n".join((self.group_id.lower(), self.base, *parts))))

    def _of_all_azure(self, limit: int) -> str:
        digits = _digits(f"{self.subscription}\n{self.resource_group.lower()}\n{self.base}", 8)
        return self.base.replace("-", "")[: limit - len(digits)] + digits


def _digits(text: str, count: int) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:count]
