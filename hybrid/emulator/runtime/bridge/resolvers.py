"""All storage operations as GraphQL resolvers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hybrid.emulator.runtime.bridge import assets, concurrency, events, partitions, runs, schedules
from hybrid.emulator.runtime.bridge.operation import BridgeOf, Resolver

_NAMESPACES = {
    "runs": (runs.QUERY, runs.MUTATION),
    "eventLogs": (events.QUERY, events.MUTATION),
    "schedules": (schedules.QUERY, schedules.MUTATION),
}
# These add their operations to the event log's when they are imported.
_EVENT_LOG_PARTS = (assets, concurrency, partitions)


def storage_resolvers(bridge_of: BridgeOf) -> Mapping[str, Mapping[str, Resolver]]:
    """Resolvers by type and field, the namespaces under ``Query`` and ``Mutation`` included."""
    found: dict[str, dict[str, Resolver]] = {
        "Query": dict.fromkeys(_NAMESPACES, _namespace),
        "Mutation": dict.fromkeys(_NAMESPACES, _namespace),
    }
    for operations in _NAMESPACES.values():
        for part in operations:
            found[part.type_name] = dict(part.resolvers(bridge_of))
    return found


def _namespace(_parent: Any, _info: Any) -> Mapping[str, Any]:
    return {}
