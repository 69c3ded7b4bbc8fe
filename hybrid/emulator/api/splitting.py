"""Taking a query apart that asks Dagster+'s fields and Dagster's own at once.

Dagster+ serves both from one schema; here two programs answer. Rests on: ``schema`` (one root type holds both).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    Node,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
    Visitor,
    print_ast,
    visit,
)

from hybrid.emulator.api.parsing import Operation, parsed


def part(operation: Operation, fields: Collection[str]) -> Operation:
    """The query with those root fields only, and with no fragment or variable that they do not use.

    Raises ``GraphQLError`` when root fields come through a fragment: which part it belongs to is not decidable by
    name alone.
    """
    root = operation.definition.selection_set.selections
    if not all(isinstance(selection, FieldNode) for selection in root):
        raise GraphQLError(
            f"Operation {operation.name} asks fields of Dagster+ and of Dagster through a fragment on the root type; "
            "the embedded Dagster+ takes them as plain fields only."
        )
    kept = tuple(node for node in root if isinstance(node, FieldNode) and node.name.value in fields)
    fragments = {
        node.name.value: node for node in operation.document.definitions if isinstance(node, FragmentDefinitionNode)
    }
    uses = _Uses(fragments)
    for node in kept:
        uses.follow(node)
    definition = OperationDefinitionNode(
        operation=operation.definition.operation,
        name=operation.definition.name,
        directives=operation.definition.directives,
        variable_definitions=tuple(
            variable
            for variable in operation.definition.variable_definitions
            if variable.variable.name.value in uses.variables
        ),
        selection_set=SelectionSetNode(selections=kept),
    )
    document = DocumentNode(definitions=(definition, *(fragments[name] for name in uses.fragments)))
    return parsed(print_ast(document), None)


def joined(operation: Operation, answers: Collection[Mapping[str, Any]]) -> dict[str, Any]:
    """The answers of the parts as the answer of the whole, its fields in the order in which they were asked."""
    errors = [error for answer in answers for error in answer.get("errors") or ()]
    data: dict[str, Any] | None = None
    if all(answer.get("data") is not None for answer in answers):
        found = {name: value for answer in answers for name, value in answer["data"].items()}
        asked = [node for node in operation.definition.selection_set.selections if isinstance(node, FieldNode)]
        names = [(node.alias or node.name).value for node in asked]
        data = {name: found[name] for name in dict.fromkeys(names) if name in found}
    return {"errors": errors, "data": data} if errors else {"data": data}


class _Uses(Visitor):
    """Collects the variables and fragments that nodes use, fragments in fragments too."""

    def __init__(self, fragments: Mapping[str, FragmentDefinitionNode]) -> None:
        super().__init__()
        self._known = fragments
        self.variables: set[str] = set()
        self.fragments: dict[str, None] = {}

    def follow(self, node: Node) -> None:
        visit(node, self)

    def enter_variable(self, node: VariableNode, *_: Any) -> None:
        self.variables.add(node.name.value)

    def enter_fragment_spread(self, node: FragmentSpreadNode, *_: Any) -> None:
        name = node.name.value
        if name in self._known and name not in self.fragments:
            self.fragments[name] = None
            self.follow(self._known[name])
