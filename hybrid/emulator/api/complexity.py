"""How much a GraphQL document may ask for, known before it is validated or executed.

Clients' largest documents have some thousand tokens, twenty levels and, with their fragments written out, some thousand
fields. Executors call themselves once a level, fragments that use each other can ask for more fields than there are
atoms, and validation compares every two fields that would be answered under one name; so all of it is bounded.

Rests on: ``client`` for the size of real documents; ``invented`` for the numbers.
"""

from __future__ import annotations

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
    SelectionNode,
    SelectionSetNode,
    parse,
)

MAX_TOKENS: Final = 20_000
MAX_DEPTH: Final = 60
MAX_FIELDS: Final = 20_000
MAX_REPEATS: Final = 500
MAX_FRAGMENTS: Final = 200


@dataclass(frozen=True)
class _Size:
    """Of a selection with its fragments written out. ``names`` are those of its first level, ``repeats`` how many
    fields are selected that the same place selects already."""

    fields: int = 0
    depth: int = 0
    names: frozenset[str] = frozenset()
    repeats: int = 0

    def beside(self, other: _Size) -> _Size:
        return _Size(
            self.fields + other.fields,
            max(self.depth, other.depth),
            self.names | other.names,
            self.repeats + other.repeats + len(self.names & other.names),
        )


def bounded(text: str) -> DocumentNode:
    """The document in ``text``. Raises ``GraphQLError`` when it is not one or asks for too much."""
    document = parse(text, max_tokens=MAX_TOKENS)
    fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
    if len(fragments) > MAX_FRAGMENTS:
        raise _too("large", f"{MAX_FRAGMENTS} fragments")
    measure = _Measure(fragments)
    try:
        for node in document.definitions:
            if isinstance(node, OperationDefinitionNode):
                measure.of(node.selection_set, 1)
    except RecursionError:  # fragments in fragments, in inline fragments, which are no levels of their own
        raise _too("deep", f"{MAX_DEPTH} levels") from None
    return document


class _Measure:
    """Sizes of selections; each fragment is measured once."""

    def __init__(self, fragments: dict[str, FragmentDefinitionNode]) -> None:
        self._fragments = fragments
        self._known: dict[str, _Size] = {}

    def of(self, selections: SelectionSetNode, level: int) -> _Size:
        """``level`` is how deep the selections lie, from 1. Raises ``GraphQLError``."""
        whole = _Size()
        for selection in selections.selections:
            whole = whole.beside(self._of_selection(selection, level))
            if whole.fields > MAX_FIELDS:
                raise _too("large", f"{MAX_FIELDS} fields with its fragments written out")
            if whole.repeats > MAX_REPEATS:
                raise _too("repetitive", f"{MAX_REPEATS} fields that the same place selects already")
            if level - 1 + whole.depth > MAX_DEPTH:
                raise _too("deep", f"{MAX_DEPTH} levels")
        return whole

    def _of_selection(self, selection: SelectionNode, level: int) -> _Size:
        if isinstance(selection, FragmentSpreadNode):
            return self._of_fragment(selection.name.value, level)
        if isinstance(selection, InlineFragmentNode):
            return self.of(selection.selection_set, level)
        if not isinstance(selection, FieldNode):
            raise TypeError("a selection is a field or a fragment")
        inner = self.of(selection.selection_set, level + 1) if selection.selection_set else _Size()
        name = (selection.alias or selection.name).value
        return _Size(inner.fields + 1, inner.depth + 1, frozenset([name]), inner.repeats)

    def _of_fragment(self, name: str, level: int) -> _Size:
        if name not in self._known:
            fragment = self._fragments.get(name)
            self._known[name] = _Size()  # also while it is measured: a circle is what validation refuses
            if fragment is not None:
                self._known[name] = self.of(fragment.selection_set, level)
        return self._known[name]


def _too(what: str, most: str) -> GraphQLError:
    return GraphQLError(f"The document is too {what}: at most {most} are taken. Ask in several requests.")
