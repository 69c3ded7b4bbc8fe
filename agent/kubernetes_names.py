"""What a stack calls its things in a cluster: pure functions of the settings, so that commands find them without asking
the state."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

from hybrid.kubernetes.labels import STACK_LABEL
from infra.names import shortened

__all__ = ["STACK_LABEL", "KubernetesNames"]

_LONGEST = 40  # so that each name below stays within 63, which Services and labels allow


@dataclass(frozen=True)
class KubernetesNames:
    """``base`` is ``hybrid-<stack>`` unless the settings name another: a DNS label of at most 40 characters."""

    base: str
    namespace: str

    @classmethod
    def of(cls, stack: str, *, base: str | None = None, namespace: str | None = None) -> KubernetesNames:
        """Names for a stack; ``base`` and ``namespace`` are the settings' own, if they have them. The namespace is
        otherwise called like the rest."""
        made = base or shortened(f"hybrid-{stack}", _LONGEST)
        return cls(made, namespace or made)

    @property
    def agent(self) -> str:
        """The agent's Deployment, service account, Role, ConfigMap and PodDisruptionBudget."""
        return f"{self.base}-agent"

    @property
    def code(self) -> str:
        """The service account of code servers and runs, and its Role where it has one."""
        return f"{self.base}-code"

    def location_account(self, location: str) -> str:
        """The service account of a single location's own."""
        made = re.sub(r"[^a-z0-9-]+", "-", location.lower()).strip("-")
        if made != location:  # `a.b` and `a_b` are two locations
            made = f"{made}-{hashlib.sha256(location.encode()).hexdigest()[:6]}".strip("-")
        return shortened(f"{self.base}-location-{made}", 63)

    @property
    def token_secret(self) -> str:
        return f"{self.base}-agent-token"

    @property
    def registry_secret(self) -> str:
        """The login by which nodes pull images."""
        return f"{self.base}-registry"

    def labels(self, others: Mapping[str, str] | None = None) -> dict[str, str]:
        """What everything bears, with ``others``, the settings' own."""
        return {**(others or {}), "app.kubernetes.io/managed-by": "hybrid", STACK_LABEL: self.base}

    @property
    def agent_selector(self) -> dict[str, str]:
        """The labels by which the agent's pods, and nothing else, are found. A Deployment's cannot be changed."""
        return {STACK_LABEL: self.base, "app.kubernetes.io/component": "agent"}
