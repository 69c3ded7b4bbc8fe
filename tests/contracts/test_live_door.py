"""The live tests' own safety, without an organization: nothing but questions goes out, and nothing without a token."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from dagster_cloud_cli import gql
from graphql import build_client_schema, parse, validate

from hybrid.errors import SettingsError
from hybrid.plus.endpoint import Endpoint
from hybrid.redaction import Token
from tests.contracts.served import Served
from tests.live.azure.conftest import missing_for_azure
from tests.live.kubernetes import conftest as kubernetes_live
from tests.live.plus.organization import NotAQuestionError, Reader, settings

pytestmark = pytest.mark.contracts

ROOT = Path(__file__).resolve().parents[2]
TOKEN = Token("user:acme:0123456789abcdef")


class Wire:
    """Counts what goes out; answers nothing of interest."""

    def __init__(self) -> None:
        self.sent: list[httpx.Request] = []

    def reader(self) -> Reader:
        def answer(request: httpx.Request) -> httpx.Response:
            self.sent.append(request)
            return httpx.Response(200, json={"data": {"fine": True}})

        endpoint = Endpoint("http://127.0.0.1:1", "acme", "prod")
        return Reader(endpoint, TOKEN, httpx.MockTransport(answer))


@pytest.mark.parametrize(
    "text",
    [
        "mutation { updateDeploymentAgentType(deploymentId: 1, deploymentAgentType: HYBRID) { __typename } }",
        "query Harmless { agents { id } } mutation Harmful { revokeAgentToken(tokenId: 1) { __typename } }",
        "subscription { pipelineRunLogs(runId: 1) { __typename } }",
        "fragment f on Agent { id }",
        "query { agents { id }",
        "",
    ],
)
def test_what_is_not_a_query_is_not_sent(text: str) -> None:
    wire = Wire()
    with pytest.raises(NotAQuestionError):
        wire.reader().ask(text)
    assert wire.sent == [], "it must be refused before it is sent"


@pytest.mark.parametrize(
    ("path", "arguments"),
    [
        ("/gen_io_storage_url", {"key": "k", "method": "PUT"}),
        ("/gen_io_storage_url", {"key": "k", "method": "DELETE"}),
        ("/gen_io_storage_url", {"key": "k"}),
        ("/store_events", {"method": "GET"}),
    ],
)
def test_a_rest_path_that_may_change_something_is_not_asked(path: str, arguments: dict[str, str]) -> None:
    wire = Wire()
    with pytest.raises(NotAQuestionError):
        wire.reader().get(path, arguments)
    assert wire.sent == [], "it must be refused before it is sent"


def test_a_query_goes_out_once() -> None:
    wire = Wire()
    assert wire.reader().ask("query { fine }") == {"fine": True}
    assert [request.url.path for request in wire.sent] == ["/graphql"]


def test_a_redirect_is_not_followed_with_the_token() -> None:
    moved = httpx.MockTransport(lambda _request: httpx.Response(307, headers={"Location": "http://elsewhere.test/"}))
    reader = Reader(Endpoint("http://127.0.0.1:1", "acme", "prod"), TOKEN, moved)
    assert reader.answer("query { fine }").status_code == 307, "elsewhere must not learn the token"


@pytest.mark.parametrize(
    "given", [{}, {"HYBRID_LIVE_ORGANIZATION": "acme"}, {"DAGSTER_CLOUD_API_TOKEN": "user:acme:1"}]
)
def test_what_is_missing_is_said(given: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match=r"HYBRID_LIVE_ORGANIZATION|DAGSTER_CLOUD_API_TOKEN"):
        settings(given)


def test_live_tests_are_refused_at_collection_without_a_token() -> None:
    said = _pytest_live()
    assert said.returncode == pytest.ExitCode.USAGE_ERROR, said.stdout + said.stderr
    assert "HYBRID_LIVE_ORGANIZATION is not set" in said.stderr, "the message has to say what to set"
    assert " passed" not in said.stdout, "nothing may have run"


def test_the_questions_can_be_asked_of_the_embedded_dagster_plus(served: Served, tmp_path: Path) -> None:
    """What is assumed is what the emulator does, so that none fails; with an agent and a location few are skipped."""
    served.heartbeat("8a2ee5d0-9d4c-4f0f-a8c3-6a0c9d7b8f11")
    location = {"location_name": "hello", "code_source": {"module_name": "hello"}}
    served.data_of(gql.ADD_OR_UPDATE_LOCATION_FROM_DOCUMENT_MUTATION, {"document": location})
    branch = {"repoName": "code", "branchName": "main"}
    commit = {"commitHash": "a" * 40, "timestamp": 1.0, "commitMessage": "Try"}
    served.data_of(gql.CREATE_OR_UPDATE_BRANCH_DEPLOYMENT, {"branchData": branch, "commit": commit})
    agent_token = tmp_path / "agent-token"
    agent_token.touch(mode=0o600)
    agent_token.write_text(served.agent_token)
    said = _pytest_live(
        HYBRID_LIVE_URL=served.url,
        HYBRID_LIVE_ORGANIZATION="local",
        HYBRID_LIVE_TOKEN_FILE=str(served.data / "api-token"),
        HYBRID_LIVE_AGENT_TOKEN_FILE=str(agent_token),
    )
    assert said.returncode == pytest.ExitCode.OK, said.stdout + said.stderr
    skipped = set(re.findall(r"SKIPPED \[\d+\] \S+: (.*)", said.stdout))
    assert skipped == {
        "the deployment is not SERVERLESS: this is for the hour before a switch",
        "the embedded Dagster+ describes its own part only; Dagster answers this document",
    }


def _pytest_live(**environ: str) -> subprocess.CompletedProcess[str]:
    own = ("DAGSTER_CLOUD_", "HYBRID_LIVE_", "PYTEST_")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(own)}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "live", "tests/live/plus"],
        cwd=ROOT,
        env={**inherited, **environ},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


PAGE = (ROOT / "docs" / "unknowns.md").read_text(encoding="utf-8")
QUESTIONS = [" ".join(text.split()) for text in re.findall(r"`ask '([^']+)'`", PAGE)]
INTROSPECTION = ROOT.parent / "shared" / "data" / "dagster-plus-api.introspection.json"


@pytest.mark.parametrize("question", QUESTIONS)
def test_what_the_page_asks_is_a_query_that_dagster_plus_takes(question: str) -> None:
    wire = Wire()
    assert wire.reader().ask(question) == {"fine": True}, "the page's commands have to pass the same door"
    chosen = os.environ.get("HYBRID_PLUS_SCHEMA")
    file = Path(chosen) if chosen else INTROSPECTION
    if not file.is_file():
        pytest.skip("no introspection of Dagster+'s API: set HYBRID_PLUS_SCHEMA to the file")
    schema = build_client_schema(json.loads(file.read_text()))
    assert validate(schema, parse(question)) == []


def test_every_unknown_says_what_is_assumed_and_where() -> None:
    sections = re.split(r"^### ", PAGE, flags=re.MULTILINE)[1:]
    assert len(sections) > 20, "the page has a section an unknown"
    for section in sections:
        title = section.splitlines()[0]
        assert "- Assumed: " in section, f"{title}: nobody knows what is assumed meanwhile"
        files = re.findall(r"`((?:hybrid|tests|docs)/[\w/.]+?)`", section)
        missing = [file for file in files if not (ROOT / file).exists()]
        assert not missing, f"{title}: {missing} does not exist"


def test_live_tests_of_aws_are_refused_without_an_account(tmp_path: Path) -> None:
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "HYBRID_LIVE"))}
    command = [sys.executable, "-m", "pytest", "-m", "live", "--collect-only", "-q", "tests/live/aws"]
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True)
    assert done.returncode == 4, "a wrong use, before anything is asked"
    assert "HYBRID_LIVE_AWS_ACCOUNT" in done.stdout + done.stderr, "it says what is missing"


def test_no_cluster_is_asked_that_is_not_named(tmp_path: Path) -> None:
    settings = tmp_path / "settings.yaml"
    given = {kubernetes_live.CONTEXT: "mine", kubernetes_live.SETTINGS: str(settings), kubernetes_live.TOKEN: "user:x"}
    for lacking in given:
        without = {name: value for name, value in given.items() if name != lacking}
        assert lacking in kubernetes_live.missing_for_kubernetes(without), "it is said what is missing"
    assert "no such file" in kubernetes_live.missing_for_kubernetes(given)


def test_a_stack_of_a_live_test_is_in_the_named_cluster_under_names_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = tmp_path / "settings.yaml"
    settings.write_text(
        "config: {hybrid:organization: acme, hybrid:kubernetes: {context: prod, name: hybrid-prod, "
        "namespace: {name: prod, adopt: true}, registryLogin: true}}"
    )
    monkeypatch.setenv(kubernetes_live.CONTEXT, "mine")
    monkeypatch.setenv(kubernetes_live.SETTINGS, str(settings))
    found = kubernetes_live._settings("hybrid-live-1")
    wanted = {"context": "mine", "name": "hybrid-live-1", "namespace": {"name": "hybrid-live-1"}, "registryLogin": True}
    assert found["kubernetes"] == wanted, "the file of a stack that stands must not lead the test to that one"
    assert found["organization"] == "acme"


def test_no_subscription_is_asked_that_is_not_named() -> None:
    assert "HYBRID_LIVE_AZURE_SUBSCRIPTION" in missing_for_azure({})
