"""How a storage operation is written down: a function by its field's name, its arguments in snake case."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from dagster import DagsterInstance
    from dagster._core.workspace.context import WorkspaceRequestContext

    from hybrid.emulator.runtime.storage import Storages

OK: Final = {"ok": True}


@dataclass(frozen=True)
class Bridge:
    """What operations work on. ``workspace`` gives the locations as they are loaded now."""

    instance: DagsterInstance
    storages: Storages
    workspace: Callable[[], WorkspaceRequestContext]


Operation = Callable[..., Any]
Resolver = Callable[..., Any]
BridgeOf = Callable[[Mapping[str, Any]], Bridge]
"""The bridge of a request, by its context: each deployment has storages of its own."""


class Operations:
    """The operations that are fields of one GraphQL type."""

    def __init__(self, type_name: str) -> None:
        self.type_name = type_name
        self._by_field: dict[str, Operation] = {}

    def serves(self, field: str) -> Callable[[Operation], Operation]:
        """The decorated function ``(bridge, **arguments)`` serves ``field``."""

        def register(operation: Operation) -> Operation:
            self._by_field[field] = operation
            return operation

        return register

    def resolvers(self, bridge_of: BridgeOf) -> Mapping[str, Resolver]:
        return {field: _resolver(operation, bridge_of) for field, operation in self._by_field.items()}


def _resolver(operation: Operation, bridge_of: BridgeOf) -> Resolver:
    def resolve(_parent: Any, info: Any, **arguments: Any) -> Any:
        given = {_snake(name): value for name, value in arguments.items()}
        if getattr(operation, "wants_headers", False):
            given["headers"] = info.context["headers"]
        return operation(bridge_of(info.context), **given)

    return resolve


def with_headers(operation: Operation) -> Operation:
    """Give the operation the request's headers as its argument ``headers``."""
    operation.wants_headers = True  # type: ignore[attr-defined]  # a mark on the function, read above
    return operation


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()
