"""A GraphQL schema written in SDL, with the functions that resolve it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from typing import Any, Final

from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLError,
    GraphQLObjectType,
    GraphQLSchema,
    ScalarTypeDefinitionNode,
    build_ast_schema,
    execute_sync,
    parse,
    validate,
)

from hybrid.emulator.api.parsing import Operation

Resolvers = Mapping[str, Mapping[str, Callable[..., Any]]]
_DOCUMENTS_KEPT: Final = 512


def sdl(name: str) -> str:
    """The text of ``sdl/<name>.graphql``."""
    return (files("hybrid.emulator.api") / "sdl" / f"{name}.graphql").read_text(encoding="utf-8")


def public_sdl() -> list[str]:
    """The texts of Dagster+'s public schema as far as it is served, one a subject (``sdl/public/*.graphql``)."""
    folder = files("hybrid.emulator.api") / "sdl" / "public"
    return [file.read_text(encoding="utf-8") for file in sorted(folder.iterdir(), key=lambda file: file.name)]


class Api:
    """A schema that can be asked. What a document violates is found out once for each document."""

    def __init__(self, parts: Sequence[str], resolvers: Sequence[Resolvers]) -> None:
        self.schema = build_ast_schema(combined(parts))
        for more in resolvers:
            _bind(self.schema, more)
        self.problems = functools.lru_cache(maxsize=_DOCUMENTS_KEPT)(self._problems)

    def root_fields(self, kind: str) -> frozenset[str]:
        """The fields of ``query`` or ``mutation``; introspection is part of every schema's queries."""
        root = self.schema.query_type if kind == "query" else self.schema.mutation_type
        introspection = {"__schema", "__type", "__typename"} if kind == "query" else {"__typename"}
        return frozenset(root.fields) | introspection if root and kind != "subscription" else frozenset()

    def execute(self, operation: Operation, variables: Mapping[str, Any] | None, context: Any) -> ExecutionResult:
        """The answer to a document that has no problems."""
        result = execute_sync(
            self.schema,
            operation.document,
            context_value=context,
            variable_values=dict(variables or {}),
            operation_name=operation.requested_name,
        )
        if not isinstance(result, ExecutionResult):
            raise TypeError("a resolver is asynchronous")
        return result

    def _problems(self, operation: Operation) -> tuple[GraphQLError, ...]:
        return tuple(validate(self.schema, operation.document))


def combined(parts: Sequence[str]) -> DocumentNode:
    """One document of several; each part names the scalars that it uses, so the same scalar may come twice."""
    definitions = []
    scalars: set[str] = set()
    for part in parts:
        for node in parse(part, no_location=True).definitions:
            if isinstance(node, ScalarTypeDefinitionNode):
                if node.name.value in scalars:
                    continue
                scalars.add(node.name.value)
            definitions.append(node)
    return DocumentNode(definitions=tuple(definitions))


def _bind(schema: GraphQLSchema, resolvers: Resolvers) -> None:
    """Attach ``resolvers``. ``Query`` and ``Mutation`` stand for the root types, whatever they are called."""
    roots = {"Query": schema.query_type, "Mutation": schema.mutation_type}
    for type_name, by_field in resolvers.items():
        kind = roots.get(type_name) or schema.type_map.get(type_name)
        if not isinstance(kind, GraphQLObjectType):
            raise LookupError(f"resolvers for {type_name}, which the schema does not have as an object")
        for field, resolver in by_field.items():
            kind.fields[field].resolve = resolver
