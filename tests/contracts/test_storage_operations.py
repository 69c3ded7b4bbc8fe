"""The installed Dagster+ client's storage operations, held against the schema and resolvers that serve them.

Proves that every document which the pinned client can send is valid here and has a resolver, and that nothing is
served which no document asks for. Cannot prove what Dagster+ itself would answer.
"""

from __future__ import annotations

import importlib
from types import SimpleNamespace
from typing import Any, cast

import graphql
import pytest

from hybrid.emulator.runtime import storage_sdl
from hybrid.emulator.runtime.bridge import Bridge, storage_resolvers

pytestmark = pytest.mark.contracts

NO_BRIDGE = cast(Bridge, SimpleNamespace())
SCHEMA = graphql.build_schema("type Query { _: Boolean }\ntype Mutation { _: Boolean }\n" + storage_sdl())


def client_documents() -> list[tuple[str, str]]:
    """Every document of the client's three storages, by where it stands."""
    found = []
    for storage in ("runs", "event_logs", "schedules"):
        module = importlib.import_module(f"dagster_cloud.storage.{storage}.queries")
        for name, value in vars(module).items():
            if isinstance(value, str) and any(word in value for word in ("query ", "mutation ")):
                found.append((f"{storage}.{name}", value))
    return found


DOCUMENTS = client_documents()


def operation_fields(document: str) -> set[tuple[str, str]]:
    """What the document asks of a storage: the namespace's type and the field below it."""
    operation = next(
        node for node in graphql.parse(document).definitions if isinstance(node, graphql.OperationDefinitionNode)
    )
    root = SCHEMA.query_type if operation.operation.value == "query" else SCHEMA.mutation_type
    assert root is not None
    asked = set()
    for namespace in operation.selection_set.selections:
        assert isinstance(namespace, graphql.FieldNode)
        assert namespace.selection_set is not None
        kind = graphql.get_named_type(root.fields[namespace.name.value].type)
        asked |= {(kind.name, cast(Any, field).name.value) for field in namespace.selection_set.selections}
    return asked


def test_the_client_has_as_many_documents_as_were_looked_at() -> None:
    assert len(DOCUMENTS) == 89, "another client release: look at what it added, then change this number"


@pytest.mark.parametrize(("name", "document"), DOCUMENTS, ids=[name for name, _ in DOCUMENTS])
def test_a_client_document_is_valid_here(name: str, document: str) -> None:
    problems = graphql.validate(SCHEMA, graphql.parse(document))
    assert not problems, f"{name} would be refused: {problems}"


def test_every_operation_of_the_schema_has_a_resolver_and_is_asked_by_some_document() -> None:
    served = {
        (kind, field)
        for kind, fields in storage_resolvers(lambda _context: NO_BRIDGE).items()
        if kind not in {"Query", "Mutation"}
        for field in fields
    }
    asked = {pair for _, document in DOCUMENTS for pair in operation_fields(document)}
    assert served == asked, "resolvers and the client's documents have to be the same set"
