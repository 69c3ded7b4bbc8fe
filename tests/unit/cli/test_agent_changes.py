"""``hybrid agent scale``, ``restart`` and ``rotate-token``: what they write into the stack's file, when they run the
update and with which variables, and what they refuse. The engine only records; that an update then does it is shown by
the provider's tests and by the tiers with a real engine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from hybrid.cli.agent import restart, scale
from hybrid.cli.agent.rotation import sorted_out
from hybrid.errors import EngineError, StoppedError
from hybrid.plus import AgentToken
from hybrid.provider import token_rotation
from tests.unit.cli.ecs_checkout import STACK, Call, Cluster, FakePlus, Updates, agent, status

pytestmark = pytest.mark.unit

IMAGE = "public.ecr.aws/dagster/dagster-cloud-agent:1.13.27"
TOKEN = "hybrid-prod (made by the stack prod)"


def says(file: Path, key: str) -> object:
    return yaml.safe_load(file.read_text())["config"]["hybrid:agent"].get(key)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scale, "_POLL_SECONDS", 0.001)


@pytest.fixture
def standing(aws: Cluster, plus: FakePlus) -> FakePlus:
    """One agent that runs, and both locations loaded."""
    aws.agent(IMAGE)
    plus.listed = [agent()]
    plus.documents["prod"] = {"alpha": "x/alpha:1", "beta": "x/beta:1"}
    return plus


# scale


def test_scaling_writes_the_file_updates_and_waits_for_all(
    call: Call, file: Path, updates: Updates, standing: FakePlus, aws: Cluster
) -> None:
    def rolled() -> None:
        aws.ecs.update_service(cluster=aws.name, service="hybrid-prod-agent", desiredCount=2)
        standing.listed = [agent("a1"), agent("a2")]

    updates.meanwhile = rolled
    answer = call("agent", "scale", "prod", "2", "--yes", "--json")
    assert answer.code == 0, answer.err
    assert json.loads(answer.out)["running"] == {"service": 2, "dagster_plus": 2}
    assert says(file, "replicas") == 2
    assert "kind: ecs  # Fargate" in file.read_text(), "the rest of the file is a person's"
    assert yaml.safe_load(updates.files[0])["config"]["hybrid:agent"]["replicas"] == 2, "written before the update"


def test_too_few_running_agents_are_no_success(
    call: Call, file: Path, updates: Updates, standing: FakePlus, aws: Cluster
) -> None:
    file.write_text(STACK + "  hybrid:readiness: {timeoutSeconds: 5}\n")
    clock = iter(range(0, 1000, 2))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(scale.time, "monotonic", lambda: next(clock))
        patched.setattr(scale.time, "sleep", lambda seconds: None)
        answer = call("agent", "scale", "prod", "3", "--yes")
    assert answer.code == 7
    assert "1 of 3 agents run" in answer.err
    assert "hybrid agent logs prod" in answer.err, "what to look at next"


@pytest.mark.parametrize("count", ["0", "6", "two"])
def test_one_to_five_agents(count: str, call: Call, file: Path, updates: Updates) -> None:
    assert call("agent", "scale", "prod", count, "--yes").code == 2
    assert file.read_text() == STACK
    assert updates.commands == []


def test_a_file_that_would_be_wrong_stays_as_it_was(
    call: Call, file: Path, updates: Updates, plus: FakePlus, aws: Cluster
) -> None:
    before = STACK.replace("kind: ecs  # Fargate", "kind: ecs\n    isolated: false\n    zeroDowntime: false")
    file.write_text(before)
    answer = call("agent", "scale", "prod", "2", "--yes")
    assert answer.code == 3
    assert "hybrid:agent" in answer.err, "what is wrong with it is said"
    assert file.read_text() == before
    assert updates.commands == []


def test_without_agreement_nothing_is_written(call: Call, file: Path, updates: Updates, plus: FakePlus) -> None:
    for command in (["scale", "prod", "2"], ["restart", "prod"], ["rotate-token", "prod"]):
        answer = call("agent", *command)
        assert answer.code == 2, command
        assert "--yes" in answer.err
    assert file.read_text() == STACK
    assert updates.commands == []


@pytest.mark.parametrize("kind", ["local", "docker"])
def test_elsewhere_scaling_is_refused_with_the_reason(call: Call, root: Path, updates: Updates, kind: str) -> None:
    registry = '  hybrid:registry: {address: "127.0.0.1:5000/x"}\n' if kind == "docker" else ""
    (root / "stacks" / "Pulumi.here.yaml").write_text(f"config:\n  hybrid:agent: {{kind: {kind}}}\n{registry}")
    answer = call("agent", "scale", "here", "2", "--yes")
    assert answer.code == 2
    assert "would go down with the first" in answer.err


def test_a_failed_update_says_that_the_file_keeps_it(
    call: Call, file: Path, updates: Updates, standing: FakePlus
) -> None:
    updates.fault = EngineError("`up` failed.")
    answer = call("agent", "scale", "prod", "2", "--yes")
    assert answer.code == 5
    assert "hybrid:agent.replicas in stacks/Pulumi.prod.yaml says 2 all the same" in answer.err
    assert says(file, "replicas") == 2


# restart


def test_a_restart_is_counted_in_the_file(call: Call, file: Path, updates: Updates, standing: FakePlus) -> None:
    for count in (1, 2):
        answer = call("agent", "restart", "prod", "--yes", "--json")
        assert answer.code == 0, answer.err
        assert says(file, restart.KEY) == count
    assert "every code location" in answer.err, "what it costs is said"
    assert json.loads(answer.out)["stack"] == "prod", "it answers as `status` does"


def test_an_update_that_restarted_nothing_is_no_success(
    call: Call, updates: Updates, standing: FakePlus, file: Path
) -> None:
    updates.changes = 0
    answer = call("agent", "restart", "prod", "--yes")
    assert answer.code == 7
    assert "not started anew" in answer.err


def test_a_docker_agent_is_stopped_and_brought_up(
    call: Call, root: Path, updates: Updates, plus: FakePlus, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder, asked = tmp_path / "bin", tmp_path / "asked"
    folder.mkdir()
    version = json.dumps({"Client": {"Version": "27.0.0"}, "Server": {"Version": "27.0.0"}})
    (folder / "docker").write_text(
        f"#!/bin/sh\nif [ \"$1\" = version ]; then echo '{version}'; else echo \"$*\" >> '{asked}'; fi\n"
    )
    (folder / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    text = (
        'config:\n  hybrid:organization: acme\n  hybrid:agent: {kind: docker}\n  hybrid:registry: {address: "x.io/a"}\n'
    )
    file = root / "stacks" / "Pulumi.here.yaml"
    file.write_text(text)
    plus.listed, plus.documents["prod"] = [agent(label="hybrid-here")], {"alpha": "x/a:1", "beta": "x/b:1"}
    answer = call("agent", "restart", "here", "--yes")
    assert answer.code == 0, answer.err
    assert asked.read_text() == "stop hybrid-here-agent\n"
    assert updates.commands == ["up"], "the update finds it stopped and starts it"
    assert file.read_text() == text


# rotate-token


@pytest.fixture
def tokens(standing: FakePlus, updates: Updates) -> Updates:
    """The stack's token is 1 and becomes 2 with the update, which revokes 1."""
    standing.tokens = [AgentToken(1, TOKEN, revoked=False), AgentToken(9, "another's", revoked=False)]
    updates.outputs = {"agent-token": {"tokenId": "1"}}

    def rotated() -> None:
        updates.outputs = {"agent-token": {"tokenId": "2"}}
        standing.tokens = [
            AgentToken(1, TOKEN, revoked=True),
            AgentToken(2, f"{TOKEN}, rotation 1", revoked=False),
            AgentToken(9, "another's", revoked=False),
        ]

    updates.meanwhile = rotated
    return updates


def test_a_rotation_is_counted_in_the_file_and_says_what_is_revoked(call: Call, file: Path, tokens: Updates) -> None:
    answer = call("agent", "rotate-token", "prod", "--yes", "--json", "--runs", "terminate", "--wait-seconds", "60")
    assert answer.code == 0, answer.err
    assert says(file, "tokenRotation") == 1
    assert json.loads(answer.out) == {"stack": "prod", "token_id": 2, "revoked": [1], "still_good": []}
    wanted = {token_rotation.RUNS_VARIABLE: "terminate", token_rotation.SECONDS_VARIABLE: "60"}
    assert tokens.variables == [wanted], "the provider reads them in a process of the engine's"


def test_the_choices_are_the_provider_s(call: Call) -> None:
    from hybrid.cli.agent.rotation import RunsOnRotation

    assert {each.value for each in RunsOnRotation} == set(token_rotation.RUNS.values)


def test_a_second_rotation_before_the_first_is_finished_is_refused(
    call: Call, file: Path, tokens: Updates, standing: FakePlus
) -> None:
    standing.tokens.append(AgentToken(2, f"{TOKEN}, rotation 1", revoked=False))
    answer = call("agent", "rotate-token", "prod", "--yes")
    assert answer.code == 1
    assert "--finish" in answer.err
    assert file.read_text() == STACK
    assert tokens.commands == []


def test_finishing_makes_no_other_token(call: Call, file: Path, tokens: Updates) -> None:
    answer = call("agent", "rotate-token", "prod", "--finish", "--runs", "leave", "--yes")
    assert answer.code == 0, answer.err
    assert file.read_text() == STACK, "the file has the rotation already"
    assert tokens.commands == ["up"]
    assert tokens.variables[0][token_rotation.RUNS_VARIABLE] == "leave"


def test_ctrl_c_keeps_its_exit_code(call: Call, file: Path, tokens: Updates) -> None:
    tokens.fault = StoppedError("`up` was stopped.", next_step="`hybrid up prod` goes on from here.")
    answer = call("agent", "rotate-token", "prod", "--yes")
    assert answer.code == 130
    assert "goes on from here" in answer.err


def test_tokens_of_other_stacks_are_not_taken_for_the_former_one() -> None:
    names = [TOKEN, f"{TOKEN}, rotation 1", f"{TOKEN}, rotation x", "hybrid-prod2 (made by the stack prod2)", None]
    listed = [AgentToken(number, name, revoked=number == 0) for number, name in enumerate(names)]
    found = sorted_out(1, listed)
    assert (found.current, found.former, found.revoked) == (1, [], [0])
    assert status("a", "b").is_loaded, "the fixture's locations count as loaded"
