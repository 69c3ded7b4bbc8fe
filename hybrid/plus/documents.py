"""The GraphQL documents: one file each in ``operations/``, named as the operation in it, read when first used."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Final

# Applied twice they leave what applying them once leaves. They carry an Idempotency-Key, and an answer that got lost
# is no reason not to send them again. Creating a token, a deployment or a variable and launching a run are not
# among them.
_REPEATABLE_MUTATIONS: Final = frozenset(
    {
        "HybridPutBranchDeployment",
        "HybridPutLocation",
        "HybridDeleteLocation",
        "HybridRevokeAgentToken",
        "HybridGrantAgent",
        "HybridWithdrawAgentGrant",
        "HybridTerminateRun",
        "HybridUpdateDeploymentSettings",
        "HybridSetAgentType",
        "HybridDeleteDeployment",
        "HybridUpdateEnvironmentVariable",
        "HybridDeleteEnvironmentVariable",
        "HybridPutAlertPolicy",
        "HybridDeleteAlertPolicy",
        "HybridPingLocation",
        "HybridStartSchedule",
        "HybridStopSchedule",
        "HybridResetSchedule",
        "HybridStartSensor",
        "HybridStopSensor",
        "HybridResetSensor",
        "HybridPauseDeclarativeAutomation",
        "HybridCancelBackfill",
    }
)


@dataclass(frozen=True)
class Document:
    """One operation as it is sent."""

    name: str
    text: str

    @property
    def is_mutation(self) -> bool:
        return self.text.startswith("mutation ")

    @property
    def is_repeatable(self) -> bool:
        """Whether it may be sent again although the first time may have had its effect."""
        return not self.is_mutation or self.name in _REPEATABLE_MUTATIONS


@functools.cache
def document(name: str) -> Document:
    """The document of that name."""
    from importlib.resources import files  # not at the top: importing this package must stay cheap

    return Document(name, (files("hybrid.plus") / "operations" / f"{name}.graphql").read_text(encoding="utf-8"))
