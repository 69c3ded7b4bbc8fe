"""`hybrid adopt` as it is typed: what it shows, writes and refuses. Dagster+ is in memory, AWS is moto; what is found
in them is tests/unit/adopt's subject."""

from __future__ import annotations

import json

import pytest

from hybrid.engine.stack import Stack
from hybrid.plus import PlusForbidden
from hybrid.workspace import Workspace
from tests.unit.adopt.conftest import estate  # noqa: F401 - a fixture
from tests.unit.adopt.estate import (
    ACCOUNT,
    CLUSTER,
    REGION,
    REGISTRY,
    STACK,
    TOKEN,
    VALUE,
    FakeOrganization,
    dagster_yaml,
    running,
)

pytestmark = pytest.mark.unit

FROM_CLOUDFORMATION = ("adopt", "found", "--organization", "acme", "--aws-region", REGION, "--cloudformation", STACK)
ALONE = ("adopt", "found", "--organization", "acme", "--account", ACCOUNT, "--aws-region", REGION, "--no-agent")


@pytest.fixture
def plus(monkeypatch):
    """An organization with a location of a folder, one of an image alone, and one with a secret in it."""
    made = FakeOrganization(listed=[running()])
    context = {"ecs": {"run_resources": {"cpu": "512", "memory": "1024"}}}
    for name in ("alpha", "gamma"):
        made.documents[name] = {
            "location_name": name,
            "image": f"{REGISTRY}/{name}@sha256:{'cd' * 32}",
            "code_source": {"module_name": f"{name}.definitions"},
            "container_context": context,
            "git": {"commit_hash": "abc"},  # of which a stack does not tell
        }
    secret = {"ecs": {"env_vars": [f"DB_PASSWORD={VALUE}"]}}
    made.documents["secretive"] = {**made.documents["gamma"], "location_name": "secretive", "container_context": secret}
    monkeypatch.setattr("hybrid.cli.adopt._client", lambda endpoint: made)
    return made


@pytest.fixture(autouse=True)
def environment(monkeypatch, estate):  # noqa: F811 - the fixture
    return estate


def test_without_write_it_shows_what_it_would_write_and_writes_nothing(call, root, plus):
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    answer = call(*FROM_CLOUDFORMATION)
    assert answer.code == 0, answer.err
    assert "+  hybrid:phase: prepare" in answer.out
    assert "+++ locations/alpha/container_context.found.yaml" in answer.out
    assert "+++ stacks/found.import.json" in answer.out
    assert "before it is deleted, its template has to say `DeletionPolicy: Retain` for" in answer.out
    assert "In the phase `serve`, alpha is told to Dagster+ with:" in answer.out
    assert "Nothing is written without --write." in answer.err
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == before


def test_what_is_written_is_a_stack_that_the_program_takes(call, root, plus, environment):
    answer = call(*FROM_CLOUDFORMATION, "--write")
    assert answer.code == 0, answer.err
    stack = Stack.read(Workspace(root), "found")
    assert [folder.name for folder in stack.folders] == ["alpha", "gamma"]
    settings = stack.who.settings
    assert (settings.agent.cluster, settings.agent.namespace.id) == (CLUSTER, environment.namespace)
    assert (settings.aws.account, settings.aws.region) == (ACCOUNT, REGION), "of the credentials, when none is given"
    assert settings.aws.network.vpc_id == environment.network
    again = call(*FROM_CLOUDFORMATION, "--write")
    assert (again.code, "nothing; all is there" in again.err) == (0, True), "a second time there is nothing to write"


def test_a_file_that_is_there_is_never_replaced(call, root, plus):
    file = root / "locations" / "alpha" / "container_context.found.yaml"
    file.write_text("ecs: {env_vars: [A=1]}  # mine\n")
    answer = call(*FROM_CLOUDFORMATION, "--write")
    assert answer.code == 3
    assert "locations/alpha/container_context.found.yaml is there already" in answer.err
    assert "+  run_resources:" in answer.err, "what would be there is printed"
    assert file.read_text() == "ecs: {env_vars: [A=1]}  # mine\n"
    assert not (root / "stacks" / "Pulumi.found.yaml").exists(), "all of it is written, or nothing"


def test_a_token_in_the_task_definition_is_warned_of_and_never_shown(call, root, plus):
    for answer in (
        call(*FROM_CLOUDFORMATION),
        call(*FROM_CLOUDFORMATION, "--json"),
        call(*FROM_CLOUDFORMATION, "--write"),
    ):
        assert TOKEN not in answer.out + answer.err
        assert TOKEN.rpartition(":")[2] not in answer.out + answer.err
    assert "it stands in plain text in the task definition of 'agent'" in call(*FROM_CLOUDFORMATION).out
    assert not any(TOKEN in path.read_text() for path in root.rglob("*") if path.is_file())


def test_a_variable_that_looks_like_a_secret_is_named_and_not_shown(call, root, plus):
    answer = call(*FROM_CLOUDFORMATION, "--write")
    assert "secretive: DB_PASSWORD looks like a secret" in answer.out
    assert VALUE not in answer.out + answer.err
    assert not any(VALUE in path.read_text() for path in root.rglob("*") if path.is_file())


def test_locations_are_adopted_without_an_agent(call, root, plus):
    answer = call(*ALONE, "--write")
    assert answer.code == 0, answer.err
    settings = Stack.read(Workspace(root), "found").who.settings
    assert (settings.aws.network.kind, settings.agent.cluster) == ("create", None)
    assert "all in AWS" in answer.out


def test_one_json_document_says_all(call, root, plus):
    told = json.loads(call(*ALONE, "--json").out)
    assert told["files"].keys() == {
        "stacks/Pulumi.found.yaml", "locations/alpha/container_context.found.yaml", "stacks/found.import.json",
    }  # fmt: skip
    assert (told["written"], told["differing"], told["wrong"]) == ([], [], None)
    assert {"kind", "subject", "text"} == told["remarks"][0].keys()
    assert told["changes"]["gamma"][0]["path"] == "git.commit_hash"


def test_values_that_the_program_does_not_take_are_told_at_once(call, root, plus, environment):
    api = {"timeout": 99_999}
    environment.agent("slow", document=dagster_yaml(launcher=environment.launcher, api=api))
    which = ("--cluster", CLUSTER, "--service", "slow")
    answer = call("adopt", "found", "--organization", "acme", "--aws-region", REGION, *which, "--write")
    assert answer.code == 3
    assert "hybrid:agent.apiTimeoutSeconds" in answer.err
    assert (root / "stacks" / "Pulumi.found.yaml").exists(), "it is there to be mended by hand"


def test_branch_deployments_that_the_token_may_not_see_are_no_obstacle(call, root, plus):
    plus.faults = {"branch_deployments": PlusForbidden("no")}
    answer = call(*ALONE)
    assert answer.code == 0, answer.err
    assert "branch deployments: the token may not see them" in answer.out


def test_what_is_not_well_is_told(call, root, plus):
    plus.listed, plus.failing, plus.agent_type = [], ("alpha",), "SERVERLESS"
    answer = call(*FROM_CLOUDFORMATION)
    assert "Dagster+ hears of no agent that is RUNNING" in answer.out
    assert "alpha: it does not load now" in answer.out
    assert "Serverless runs it" in answer.out


@pytest.mark.parametrize(
    ("which", "code", "told"),
    [
        ((), 2, "in one way"),
        (("--no-agent", "--cluster", "x"), 2, "in one way"),
        (("--service", "x"), 2, "in one way"),
        (("--no-agent", "--account", "12"), 2, "no AWS account"),
        (("--cloudformation", "none"), 2, "no CloudFormation stack 'none'"),
        (("--cluster", "none"), 2, "no cluster 'none'"),
        (("--cluster", CLUSTER, "--service", "none"), 2, "no service 'none'"),
        (("--cluster", CLUSTER, "--account", "999999999999"), 1, "are of account 123456789012"),
    ],
)
def test_what_cannot_be_is_refused_with_the_next_step(call, root, plus, which, code, told):
    answer = call("adopt", "found", "--organization", "acme", "--aws-region", REGION, *which)
    assert (answer.code, told in answer.err) == (code, True), answer.err
    assert "→" in answer.err


def test_a_region_is_asked_for_when_none_is_known(call, root, plus, monkeypatch, tmp_path):
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    answer = call("adopt", "found", "--organization", "acme", "--no-agent")
    assert (answer.code, "No AWS region is known" in answer.err) == (2, True)


def test_a_location_that_the_agent_may_not_serve_is_left(call, root, plus, environment):
    document = dagster_yaml(launcher=environment.launcher, allowed_full_deployment_locations={"prod": ["alpha"]})
    environment.agent("fenced", document=document)
    which = ("--cluster", CLUSTER, "--service", "fenced")
    answer = call("adopt", "found", "--organization", "acme", "--aws-region", REGION, *which, "--write")
    assert "gamma: this agent may not serve it" in answer.out
    assert [folder.name for folder in Stack.read(Workspace(root), "found").folders] == ["alpha"]
