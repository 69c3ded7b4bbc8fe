"""The GraphQL documents against Dagster+'s public schema, as introspected in July 2025, and against Dagster's own.

What this proves: every document, every variable that the client's tests see sent, and every answer that those tests
give is possible in that schema. What it cannot prove: that Dagster+ of today still has that schema, and that a token
may call an operation.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from graphql import (
    GraphQLSchema,
    OperationDefinitionNode,
    build_ast_schema,
    build_client_schema,
    graphql_sync,
    parse,
    validate,
)

from hybrid.emulator.api.schema import combined, public_sdl, sdl

pytestmark = pytest.mark.contracts

ROOT = Path(__file__).resolve().parents[2]
OPERATIONS = ROOT / "hybrid" / "plus" / "operations"
EXCHANGES = ROOT / "tests" / "unit" / "plus" / "exchanges"
DOCUMENTS = sorted(OPERATIONS.glob("*.graphql"))
NEWER = set(re.findall(r"^(\w+): \S", (OPERATIONS / "NEWER.md").read_text(), re.MULTILINE))
# What the embedded Dagster+ answers with Dagster's own schema.
OF_DAGSTER_ITSELF = (
    "HybridAssetHistory",
    "HybridAssetKeys",
    "HybridAssetNodes",
    "HybridAssetsStored",
    "HybridAutomations",
    "HybridBackfills",
    "HybridCancelBackfill",
    "HybridAssetCounts",
    "HybridLatestOfPartitions",
    "HybridLaunchRun",
    "HybridPauseDeclarativeAutomation",
    "HybridPermissions",
    "HybridRepositories",
    "HybridResources",
    "HybridResetSchedule",
    "HybridResetSensor",
    "HybridRun",
    "HybridRunEvents",
    "HybridRunOutputs",
    "HybridRunsInProgress",
    "HybridRunsTagged",
    "HybridStartSchedule",
    "HybridStartSensor",
    "HybridStopSchedule",
    "HybridStopSensor",
    "HybridTerminateRun",
)


@pytest.fixture(scope="module")
def public_schema() -> GraphQLSchema:
    chosen = os.environ.get("HYBRID_PLUS_SCHEMA")
    path = Path(chosen) if chosen else ROOT.parent / "shared" / "data" / "dagster-plus-api.introspection.json"
    if not path.is_file():
        pytest.skip("no introspection of Dagster+'s API: set HYBRID_PLUS_SCHEMA to the file")
    return build_client_schema(json.loads(path.read_text()))


@pytest.fixture(scope="module")
def dagster_schema() -> GraphQLSchema:
    from dagster_graphql.schema import create_schema

    return create_schema().graphql_schema


@pytest.fixture(scope="module")
def newer_schema() -> GraphQLSchema:
    """What the embedded Dagster+ serves: of the public schema, and what installed clients send beyond it."""
    return build_ast_schema(combined([*public_sdl(), sdl("newer")]))


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.stem)
def test_a_file_holds_one_operation_of_its_own_name(path: Path) -> None:
    operations = [node for node in parse(path.read_text()).definitions if isinstance(node, OperationDefinitionNode)]
    names = [node.name.value if node.name else None for node in operations]
    assert names == [path.stem], "the client finds a document by its operation's name"


def test_the_client_sends_every_document_and_no_other() -> None:
    sources = "".join(path.read_text() for path in (ROOT / "hybrid" / "plus").glob("*.py"))
    assert set(re.findall(r'"(Hybrid[A-Z]\w+)"', sources)) == {path.stem for path in DOCUMENTS}


def test_only_operations_that_exist_are_listed_as_newer() -> None:
    assert {path.stem for path in DOCUMENTS} >= NEWER, "a name in NEWER.md without a document excuses nothing"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.stem)
def test_dagster_plus_would_accept_the_document(path: Path, public_schema: GraphQLSchema) -> None:
    if path.stem in NEWER:
        pytest.skip("newer than the schema; its source is in NEWER.md")
    assert validate(public_schema, parse(path.read_text())) == []


@pytest.mark.parametrize("name", sorted(NEWER))
def test_what_is_newer_is_as_an_installed_client_sends_it(name: str, newer_schema: GraphQLSchema) -> None:
    assert validate(newer_schema, parse((OPERATIONS / f"{name}.graphql").read_text())) == []


@pytest.mark.parametrize("name", OF_DAGSTER_ITSELF)
def test_dagster_itself_would_accept_the_document(name: str, dagster_schema: GraphQLSchema) -> None:
    assert validate(dagster_schema, parse((OPERATIONS / f"{name}.graphql").read_text())) == []


def test_every_document_has_an_exchange() -> None:
    assert {path.name.split(".")[0] for path in EXCHANGES.glob("*.json")} == {path.stem for path in DOCUMENTS}


@pytest.mark.parametrize("path", sorted(EXCHANGES.glob("*.json")), ids=lambda path: path.stem)
def test_dagster_plus_could_be_asked_and_could_answer_so(path: Path, request: pytest.FixtureRequest) -> None:
    is_newer = path.name.split(".")[0] in NEWER
    schema: GraphQLSchema = request.getfixturevalue("newer_schema" if is_newer else "public_schema")
    exchange: dict[str, Any] = json.loads(path.read_text())
    document = (OPERATIONS / f"{path.name.split('.')[0]}.graphql").read_text()
    result = graphql_sync(
        schema,
        document,
        root_value=exchange["data"],
        variable_values=exchange["variables"],
    )
    assert result.errors is None, "the exchange does not fit the schema"
    assert _without_typenames(result.data) == _without_typenames(exchange["data"]), (
        "the exchange has fields that the document does not ask for"
    )


def _without_typenames(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_typenames(item) for key, item in value.items() if key != "__typename"}
    return [_without_typenames(item) for item in value] if isinstance(value, list) else value
