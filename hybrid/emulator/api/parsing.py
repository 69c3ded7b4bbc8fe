"""GraphQL requests as they come: parsed once for each text, because clients send the same few again and again.

Rests on: ``client``: agents send no ``operationName``, so the name is the one in the text.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Final

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
)

from hybrid.emulator.api.complexity import bounded

_TEXTS_KEPT: Final = 512
ANONYMOUS: Final = "(no name)"


@dataclass(frozen=True, eq=False)
class Operation:
    """One operation of a document. ``fields`` are the root fields that it selects, through fragments too."""

    text: str
    document: DocumentNode
    definition: OperationDefinitionNode
    requested_name: str | None
    fields: frozenset[str]

    @property
    def name(self) -> str:
        return self.definition.name.value if self.definition.name else ANONYMOUS

    @property
    def kind(self) -> str:
        """``query``, ``mutation`` or ``subscription``."""
        return self.definition.operation.value

    @property
    def is_mutation(self) -> bool:
        return self.definition.operation is OperationType.MUTATION


@functools.lru_cache(maxsize=_TEXTS_KEPT)
def parsed(text: str, operation_name: str | None) -> Operation:
    """The operation of that name, or the only one. Raises ``GraphQLError``."""
    document = bounded(text)
    operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    chosen = [
        node for node in operations if operation_name is None or (node.name and node.name.value == operation_name)
    ]
    if len(chosen) != 1:
        wanted = f"the operation '{operation_name}'" if operation_name else "one operation, or operationName"
        raise GraphQLError(f"The document must have {wanted}; it has {len(operations)} operations.")
    fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
    fields = frozenset(_fields(chosen[0].selection_set, fragments, frozenset()))
    return Operation(text, document, chosen[0], operation_name, fields)


def _fields(
    selections: SelectionSetNode, fragments: dict[str, FragmentDefinitionNode], passed: frozenset[str]
) -> set[str]:
    found: set[str] = set()
    for selection in selections.selections:
        if isinstance(selection, FieldNode):
            found.add(selection.name.value)
        elif isinstance(selection, InlineFragmentNode):
            found |= _fields(selection.selection_set, fragments, passed)
        elif isinstance(selection, FragmentSpreadNode):
            name = selection.name.value
            if name in fragments and name not in passed:
                found |= _fields(fragments[name].selection_set, fragments, passed | {name})
    return found
