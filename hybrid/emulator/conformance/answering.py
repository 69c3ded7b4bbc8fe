"""Who answers a document in the embedded Dagster+: found by validating it, in the order in which ``api.service`` asks.

Agents' documents go to the agents' API if they are valid there; every other document to the public API, to Dagster's
own schema, or, a query only, to both. A field that takes arguments has to have a resolver too: the schema alone would
take the arguments and forget them.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final, cast

from graphql import (
    FieldNode,
    GraphQLError,
    GraphQLSchema,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    validate,
    visit,
)

from hybrid.emulator.api.agent import agent_api
from hybrid.emulator.api.parsing import Operation, parsed
from hybrid.emulator.api.public import public_api
from hybrid.emulator.api.schema import Api
from hybrid.emulator.api.splitting import part
from hybrid.emulator.loading import RuntimeLoader
from hybrid.emulator.organization import Organization
from hybrid.emulator.seam import Runtime

AGENTS: Final = "agents' API"
PUBLIC: Final = "public API"
DAGSTER: Final = "Dagster"
BOTH: Final = "public API and Dagster"


@dataclass(frozen=True)
class Verdict:
    """``by``: who answers, None for nobody. ``problems``: why nobody does, in the words of GraphQL."""

    by: str | None
    problems: tuple[str, ...] = ()


class Answering:
    """The emulator's schemas, without an organization or Dagster's storages behind them."""

    def __init__(self, agents: Api, public: Api, dagster: GraphQLSchema) -> None:
        self._agents = agents
        self._public = public
        self._dagster = dagster

    def verdict(self, text: str, *, of_agent: bool) -> Verdict:
        """Who answers the document ``text``. ``of_agent``: it is sent with an agent's token."""
        operation = parsed(text, None)
        if of_agent:
            problems = _problems_in(self._agents, operation)
            if not problems or operation.fields <= self._agents.root_fields(operation.kind):
                return _verdict(AGENTS, problems)
        ours = operation.fields & self._public.root_fields(operation.kind)
        if ours == operation.fields:
            return _verdict(PUBLIC, _problems_in(self._public, operation))
        if not ours:
            return _verdict(DAGSTER, _messages(validate(self._dagster, operation.document)))
        if operation.is_mutation:
            return Verdict(None, ("mixes mutations of Dagster+ and of Dagster",))
        return self._verdict_on_both(operation, ours)

    def _verdict_on_both(self, operation: Operation, ours: frozenset[str]) -> Verdict:
        try:
            of_public, of_dagster = part(operation, ours), part(operation, operation.fields - ours)
        except GraphQLError as error:
            return Verdict(None, (error.message,))
        problems = _problems_in(self._public, of_public) + _messages(validate(self._dagster, of_dagster.document))
        return _verdict(BOTH, problems)


@contextlib.contextmanager
def emulators_own() -> Iterator[Answering]:
    """The schemas as this emulator has them. Needs Dagster's own, so it takes two seconds."""
    # Loaded here only: the control plane, which shares this room, has to answer before Dagster is there.
    from dagster_graphql.schema import create_schema

    from hybrid.emulator.runtime import storage_sdl
    from hybrid.emulator.runtime.bridge import storage_resolvers

    def absent(*_arguments: Any) -> Any:
        raise LookupError("there is nothing behind these schemas; they are for validating only")

    storages = cast(Runtime, SimpleNamespace(sdl=storage_sdl(), resolvers=storage_resolvers(absent)))
    with tempfile.TemporaryDirectory(prefix="conformance-") as folder:
        organization = Organization(Path(folder))
        try:
            yield Answering(
                agent_api(organization, absent, storages),
                public_api(organization, RuntimeLoader(absent, absent)),
                create_schema().graphql_schema,
            )
        finally:
            organization.close()


def _verdict(by: str, problems: tuple[str, ...]) -> Verdict:
    return Verdict(None if problems else by, problems)


def _problems_in(api: Api, operation: Operation) -> tuple[str, ...]:
    return _messages(api.problems(operation)) or _unresolved(api.schema, operation)


def _messages(errors: Any) -> tuple[str, ...]:
    return tuple(error.message for error in errors)


def _unresolved(schema: GraphQLSchema, operation: Operation) -> tuple[str, ...]:
    """The fields of a valid document that nobody resolves though they are at the root or take arguments."""
    types, missing = TypeInfo(schema), list[str]()

    class Fields(Visitor):
        def enter_field(self, node: FieldNode, *_: Any) -> None:
            parent, field = types.get_parent_type(), types.get_field_def()
            if parent is None or field is None or node.name.value.startswith("__"):
                return
            is_root = parent in (schema.query_type, schema.mutation_type)
            if (is_root or field.args) and field.resolve is None:
                missing.append(f"nobody resolves {parent.name}.{node.name.value}")

    visit(operation.document, TypeInfoVisitor(types, Fields()))
    return tuple(missing)
