"""The emulator's schemas against what is published and against what the installed clients send.

The public schema is Dagster Labs' own, of July 2025; agents' operations are published nowhere, so the documents in the
installed package are the only truth about them. That a document validates does not prove that the answer is right.
"""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from unittest.mock import Mock

import pytest
from graphql import ObjectTypeExtensionNode, OperationDefinitionNode, build_ast_schema, parse, print_schema

from hybrid.emulator.api.agent import agent_api
from hybrid.emulator.api.parsing import parsed
from hybrid.emulator.api.public import public_api
from hybrid.emulator.api.schema import Api, combined, public_sdl, sdl

pytestmark = pytest.mark.contracts

ROOT = Path(__file__).resolve().parents[2]
CHECKER = Path(os.environ.get("HYBRID_PLUS_SCHEMA") or ROOT.parent / "shared" / "tools" / "plus_schema.py")

AGENT_DOCUMENTS = [
    ("dagster_cloud.agent.queries", "GET_USER_CLOUD_REQUESTS_QUERY"),
    ("dagster_cloud.agent.queries", "DEPLOYMENTS_QUERY"),
    ("dagster_cloud.agent.queries", "WORKSPACE_ENTRIES_QUERY"),
    ("dagster_cloud.agent.queries", "ADD_AGENT_HEARTBEATS_MUTATION"),
    ("dagster_cloud.agent.queries", "GET_AGENTS_QUERY"),
    ("dagster_cloud.agent.dagster_cloud_agent", "DEPLOYMENT_INFO_QUERY"),
    ("dagster_cloud.workspace.user_code_launcher.user_code_launcher", "DEPLOYMENT_INFO_QUERY"),
    ("dagster_cloud.workspace.user_code_launcher.user_code_launcher", "INIT_UPLOAD_LOCATIONS_QUERY"),
    ("dagster_cloud.secrets.loader", "SECRETS_QUERY"),
    ("dagster_cloud.storage.defs_state.queries", "GET_LATEST_DEFS_STATE_INFO_QUERY"),
]
COMMAND_LINE_DOCUMENTS = [
    "FULL_DEPLOYMENTS_QUERY",
    "AGENT_STATUS_QUERY",
    "AGENT_TYPE_QUERY",
    "DEPLOYMENT_NAME_QUERY",
    "WORKSPACE_ENTRIES_QUERY",
    "ADD_OR_UPDATE_LOCATION_FROM_DOCUMENT_MUTATION",
    "DELETE_LOCATION_MUTATION",
    "RECONCILE_LOCATIONS_FROM_DOCUMENT_MUTATION",
    "DEPLOY_LOCATIONS_FROM_DOCUMENT_MUTATION",
    "GET_LOCATIONS_AS_DOCUMENT_QUERY",
    "DEPLOYMENT_SETTINGS_QUERY",
    "ORGANIZATION_SETTINGS_QUERY",
    "MARK_CLI_EVENT_MUTATION",
    "GET_DEPLOYMENT_BY_NAME_QUERY",
]
OURS = sorted((files("hybrid.plus") / "operations").iterdir(), key=lambda file: file.name)
DAGSTERS_OWN = {  # root fields that Dagster's own schema serves
    "assetNodes",
    "assetOrError",
    "assetsOrError",
    "cancelPartitionBackfill",
    "instance",
    "launchRun",
    "logsForRun",
    "partitionBackfillsOrError",
    "permissions",
    "repositoriesOrError",
    "resetSchedule",
    "resetSensor",
    "runOrError",
    "runsOrError",
    "setAutoMaterializePaused",
    "startSchedule",
    "startSensor",
    "stopRunningSchedule",
    "stopSensor",
    "terminateRun",
    "workspaceOrError",
}


@pytest.fixture(scope="module")
def agents() -> Api:
    return agent_api(Mock(), Mock(), None)


@pytest.fixture(scope="module")
def public() -> Api:
    return public_api(Mock(), Mock())


def test_the_public_schema_is_a_subset_of_the_published_one(tmp_path: Path) -> None:
    if not CHECKER.exists():
        pytest.skip("no copy of the published schema here: set HYBRID_PLUS_SCHEMA to its checker, plus_schema.py")
    whole = tmp_path / "public.graphql"
    whole.write_text(print_schema(build_ast_schema(combined(public_sdl()))))
    result = subprocess.run(
        [sys.executable, str(CHECKER), "sdl", str(whole)], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, f"differs from what Dagster+ publishes:\n{result.stdout}{result.stderr}"


def test_what_is_newer_than_the_published_schema_names_its_source() -> None:
    """Each part of the file says which installed file it comes from, and that file has every root field of the part."""
    head, *parts = sdl("newer").split("# Source: ")
    assert "extend" not in head, "what is newer stands below its source"
    assert parts
    for part in parts:
        source = re.findall(r"[\w/]+\.(?:py|graphql)", part.partition("\n\n")[0])
        sent = "".join((files(name.split("/")[0]) / name.partition("/")[2]).read_text() for name in source)
        for node in parse(part.partition("\n\n")[2]).definitions:
            if isinstance(node, ObjectTypeExtensionNode) and node.name.value in ("CloudQuery", "CloudMutation"):
                missing = [field.name.value for field in node.fields if field.name.value not in sent]
                assert not missing, f"{source} do not send {missing}"


@pytest.mark.parametrize(("module", "name"), AGENT_DOCUMENTS)
def test_every_document_of_the_installed_agent_is_valid(agents: Api, module: str, name: str) -> None:
    text = getattr(importlib.import_module(module), name)
    problems = agents.problems(parsed(text, None))
    assert not problems, f"the agent would be refused: {[problem.message for problem in problems]}"


def test_no_document_of_the_agent_is_forgotten() -> None:
    """The list above against all documents in the modules where agents' own operations are."""
    known = set(AGENT_DOCUMENTS)
    for module in {module for module, _ in AGENT_DOCUMENTS}:
        for name, value in vars(importlib.import_module(module)).items():
            if not (name.endswith(("_QUERY", "_MUTATION")) and isinstance(value, str)):
                continue
            homes = {home for home, known_name in known if known_name == name}
            imported = any(getattr(importlib.import_module(home), name) == value for home in homes)
            stored = name == "SET_LATEST_VERSION_MUTATION"  # definitions state is not kept
            assert imported or stored, f"{module}.{name} is sent by the agent and checked by no test"


@pytest.mark.parametrize("name", COMMAND_LINE_DOCUMENTS)
def test_every_document_of_the_command_line_that_is_served_is_valid(public: Api, name: str) -> None:
    text = getattr(importlib.import_module("dagster_cloud_cli.gql"), name)
    problems = public.problems(parsed(text, None))
    assert not problems, f"the command line would be refused: {[problem.message for problem in problems]}"


@pytest.mark.parametrize("file", [file for file in OURS if file.name.endswith(".graphql")], ids=lambda file: file.name)
def test_every_document_of_hybrid_plus_is_served_here_or_by_dagster(public: Api, file: Path) -> None:
    operation = parsed(file.read_text(), None)
    served = public.root_fields(operation.kind)
    assert operation.fields <= served | DAGSTERS_OWN, f"nobody serves {sorted(operation.fields - served)}"
    if operation.fields <= served:
        assert not public.problems(operation)


@pytest.mark.parametrize("text", [*public_sdl(), sdl("newer"), sdl("agent")])
def test_each_schema_file_is_sdl_without_operations(text: str) -> None:
    assert not any(isinstance(node, OperationDefinitionNode) for node in parse(text).definitions)
