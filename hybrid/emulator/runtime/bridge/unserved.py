"""Storage operations that the emulator does not serve: each is answered with an error that names it.

By the field that the document asks for, with the reason.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from hybrid.emulator.runtime.bridge.operation import Operation, Operations

UNSERVED: Final = {
    "WipeAssetPartitions": "Dagster's SQLite event log cannot forget single partitions of an asset.",
}


def refuse_in(mutations: Operations) -> None:
    """Serve each of the unserved fields by its refusal."""
    for field, reason in UNSERVED.items():
        mutations.serves(field)(_refusal(field, reason))


def _refusal(field: str, reason: str) -> Operation:
    def refuse(_bridge: Any, **_arguments: Any) -> Any:
        raise NotImplementedError(f"The embedded Dagster+ does not serve the storage operation {field}: {reason}")

    refusal: Callable[..., Any] = refuse
    return refusal
