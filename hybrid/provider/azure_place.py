"""Where a resource about Azure looks: its inputs, and the doors to Azure that all resources of an update share."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from hybrid.provider.definition import Property, Text

if TYPE_CHECKING:
    from hybrid.azure.session import Azure

OF_AGENT: Final[Mapping[str, Property]] = {
    "subscription": Property(Text(), "the subscription's id", replaces=True),
    "tenant": Property(Text(), "the directory's id; default: that of the login", required=False),
    "resourceGroup": Property(Text(), "the name of the group with apps and jobs", replaces=True),
    "environmentId": Property(Text(), "the environment's id in Azure Resource Manager", replaces=True),
    "agentApp": Property(Text(), "the name of the agent's own app", replaces=True),
}
"""What ``AgentReady`` takes as ``place`` of the platform ``azure``."""


class AzureDoors:
    """The ways to Azure, one for each subscription, which all resources of an update share."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[tuple[str, str | None], Azure] = {}

    def to(self, inputs: Mapping[str, Any]) -> Azure:
        """The door for inputs with ``subscription`` and perhaps ``tenant``."""
        from hybrid.azure.session import Azure

        key = str(inputs["subscription"]), inputs.get("tenant")
        with self._lock:
            if key not in self._open:
                self._open[key] = Azure(*key)
            return self._open[key]
