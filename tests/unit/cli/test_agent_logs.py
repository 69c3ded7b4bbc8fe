"""``hybrid agent logs`` and ``exec``: which log or container is meant, and how it is shown. CloudWatch is moto; that
the agent names its streams so is held against its own function."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from dagster_cloud.workspace.ecs.utils import get_server_task_definition_family
from hypothesis import given
from hypothesis import strategies as st

from hybrid.aws.logs import LogLine
from hybrid.aws.tags import location_hash
from hybrid.cli.agent import shell
from hybrid.platforms.ecs_logs import server_family
from hybrid.plus import Run
from tests.unit.cli.ecs_checkout import STACK, Call, Cluster, FakePlus

pytestmark = pytest.mark.unit

NOW = int(time.time() * 1000)
AGENT_LOG, CODE_LOG = "/hybrid-prod/agent", "/hybrid-prod/code"
PLANTED = "agent:acme:" + "c" * 32
EXEC = STACK.replace("kind: ecs  # Fargate", "kind: ecs\n    exec: true")


def stream(location: str, task: str) -> str:
    return f"{server_family('hybrid-prod-s', 'acme', 'prod', location)}/dagster/{task}"


@pytest.fixture
def logged(aws: Cluster, plus: FakePlus) -> Cluster:
    lines = {NOW - 7_200_000: "of yesterday", NOW - 3000: "one", NOW - 2000: f"two {PLANTED}", NOW - 1000: "three"}
    aws.say(AGENT_LOG, "agent/agent/aaaaaaaa11", lines)
    aws.say(CODE_LOG, stream("alpha", "bbbbbbbb22"), {NOW - 900: "\x1b[32mof alpha\x1b[0m"})
    aws.say(CODE_LOG, stream("beta", "cccccccc33"), {NOW - 800: "of beta"})
    aws.say(CODE_LOG, "hybrid-prod-r_x/run/dddddddd44", {NOW - 700: "of the run"})
    aws.say(CODE_LOG, "hybrid-prod-r_x/run/eeeeeeee55", {NOW - 600: "of another run"})
    return aws


def messages(out: str) -> list[str]:
    return [line.split("  ", 1)[1] for line in out.splitlines()]


def test_the_agent_s_last_lines_without_tokens(call: Call, logged: Cluster) -> None:
    answer = call("agent", "logs", "prod", "-n", "2")
    assert answer.code == 0, answer.err
    assert [text.partition(" ")[0] for text in messages(answer.out)] == ["two", "three"]
    assert PLANTED not in answer.out, "what was logged with a token is shown without it"
    assert "aaaaaaaa" in answer.out, "several agents may write at once"


def test_how_far_back_is_asked_for(call: Call, logged: Cluster) -> None:
    assert len(messages(call("agent", "logs", "prod").out)) == 3, "an hour"
    assert messages(call("agent", "logs", "prod", "--since", "3h").out)[0] == "of yesterday"


def test_a_location_s_are_its_code_servers_without_colours(call: Call, logged: Cluster) -> None:
    assert messages(call("agent", "logs", "prod", "--location", "alpha").out) == ["of alpha"]


def test_a_run_s_are_those_of_its_task(call: Call, logged: Cluster, plus: FakePlus) -> None:
    arn = "arn:aws:ecs:eu-central-1:123456789012:task/hybrid-prod/dddddddd44"
    plus.found_runs["r1"] = Run("r1", "etl", "STARTED", NOW / 1000 - 1, None, {"ecs/task_arn": arn}, "alpha")
    plus.found_runs["r2"] = Run("r2", "etl", "QUEUED", None, None, {}, "alpha")
    assert messages(call("agent", "logs", "prod", "--run", "r1").out) == ["of the run"]
    answer = call("agent", "logs", "prod", "--run", "r2")
    assert answer.code == 2
    assert "QUEUED" in answer.err


def test_following_shows_each_line_once(call: Call, logged: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    def followed(aws: object, group: str, since: object, wait: object, *, prefix: str = "") -> Iterator[LogLine]:
        from hybrid.aws.logs import lines_since

        yield from lines_since(aws, group, since, prefix=prefix)  # type: ignore[arg-type]
        logged.say(AGENT_LOG, "agent/agent/ffffffff66", {NOW: "new"})
        yield from lines_since(aws, group, since, prefix=prefix)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    monkeypatch.setattr("hybrid.aws.logs.followed", followed)
    answer = call("agent", "logs", "prod", "-f", "-n", "1")
    assert messages(answer.out) == ["three", "new"], "what was shown is not shown again"
    assert answer.code == 130


def test_nothing_to_show_says_where_it_looked(call: Call, aws: Cluster, plus: FakePlus) -> None:
    answer = call("agent", "logs", "prod", "--location", "beta")
    assert (answer.code, answer.out) == (0, "")
    assert CODE_LOG in answer.err


@pytest.mark.parametrize(
    "wrong", [("--since", "soon"), ("--since", "0h"), ("--location", "a", "--run", "b"), ("--location", "nosuch")]
)
def test_a_wrong_option_is_a_wrong_call(wrong: tuple[str, ...], call: Call, aws: Cluster, plus: FakePlus) -> None:
    assert call("agent", "logs", "prod", *wrong).code == 2


def test_a_local_stack_s_are_its_processes(call: Call, root: Path) -> None:
    (root / "stacks" / "Pulumi.here.yaml").write_text("config: {}\n")
    log = root / ".hybrid/stacks/here/processes/agent/output.log"
    log.parent.mkdir(parents=True)
    log.write_text("one\ntwo\n")
    assert call("agent", "logs", "here", "-n", "1").out == "two\n"
    assert call("agent", "logs", "here", "--location", "alpha").code == 2, "they write into the agent's"
    assert call("agent", "logs", "here", "--run", "r1").code == 2


@given(st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}", fullmatch=True), st.sampled_from(["prod", "a-b_C"]))
def test_a_code_server_s_streams_are_named_as_the_agent_names_them(location: str, deployment: str) -> None:
    wanted = get_server_task_definition_family("hybrid-prod-s", "acme", deployment, location)
    assert server_family("hybrid-prod-s", "acme", deployment, location) == wanted


# exec


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The AWS CLI and its plugin on PATH; what is executed is kept."""
    folder, executed = tmp_path / "bin", []
    folder.mkdir()
    for name in ("aws", "session-manager-plugin"):
        (folder / name).write_text("#!/bin/sh\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(shell.os, "execvp", lambda program, arguments: executed.append(arguments))
    return executed


@pytest.fixture
def running(aws: Cluster, plus: FakePlus, file: Path, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """The agent's and alpha's tasks; moto starts none for a service, so the tasks are run and given to them."""
    from hybrid.aws import made

    file.write_text(EXEC)
    aws.agent("x:1")
    aws.server("alpha-1", "alpha", "x:1", "a1", **{"dagster/location_hash": location_hash("prod", "alpha")})
    groups = {"hybrid-prod-agent": "service:hybrid-prod-agent", "hybrid-prod-s_acme_prod_alpha": "service:alpha-1"}
    for family in groups:
        aws.task(family, {"dagster-hybrid/stack": "hybrid-prod"})
    look = made.unfinished_tasks

    def grouped(*arguments: object) -> list[object]:
        from dataclasses import replace

        return [replace(task, group=groups[task.family], status="RUNNING") for task in look(*arguments)]

    monkeypatch.setattr(made, "unfinished_tasks", grouped)
    return aws


def test_a_shell_in_the_agent_is_the_aws_cli_s(call: Call, running: Cluster, tools: list[list[str]]) -> None:
    answer = call("agent", "exec", "prod")
    assert answer.code == 0, answer.err
    (arguments,) = tools
    assert arguments[:3] == ["aws", "ecs", "execute-command"]
    assert arguments[arguments.index("--container") + 1] == "agent"
    assert arguments[arguments.index("--cluster") + 1] == "hybrid-prod"


def test_printing_it_needs_no_tools(call: Call, running: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    answer = call("agent", "exec", "prod", "--location", "alpha", "--print")
    assert answer.code == 0, answer.err
    assert "--container dagster --interactive --command /bin/sh" in answer.out


def test_missing_tools_are_named(call: Call, running: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    answer = call("agent", "exec", "prod")
    assert answer.code == 4
    assert "aws and session-manager-plugin" in answer.err


def test_a_stack_that_does_not_allow_it_says_how(call: Call, aws: Cluster, plus: FakePlus) -> None:
    answer = call("agent", "exec", "prod")
    assert answer.code == 2
    assert "hybrid:agent.exec" in answer.err


def test_nothing_that_runs_is_not_entered(
    call: Call, file: Path, aws: Cluster, plus: FakePlus, tools: list[list[str]]
) -> None:
    file.write_text(EXEC)
    aws.agent("x:1")
    assert call("agent", "exec", "prod").code == 7
    assert tools == []


def test_json_is_not_mixed_with_words(call: Call, aws: Cluster, plus: FakePlus) -> None:
    answer = call("agent", "upgrade", "prod", "--check", "--json")
    assert json.loads(answer.out)["stack"] == "prod"
