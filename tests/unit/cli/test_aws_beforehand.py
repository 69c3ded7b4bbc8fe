"""What commands find out about AWS before anything starts, and which log `hybrid logs` means there. AWS is moto."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from hybrid.platforms.ecs_logs import server_family
from tests.unit.cli.ecs_checkout import ACCOUNT, STACK, Call, Cluster, FakePlus, Updates

pytestmark = pytest.mark.unit

ASKING = (("up", "prod", "--yes"), ("preview", "prod"), ("refresh", "prod"), ("down", "prod", "--yes"))


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine without AWS credentials."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))


@pytest.mark.parametrize("command", ASKING, ids=lambda command: command[0])
def test_without_credentials_nothing_is_begun_and_that_is_said_once(
    command: tuple[str, ...], call: Call, updates: Updates, plus: FakePlus, nobody: None
) -> None:
    answer = call(*command)
    assert answer.code == 1, answer.err
    assert answer.err.count("There are no AWS credentials.") == 1
    assert "AWS_PROFILE" in answer.err, "and what to do"
    assert updates.commands == [], "Pulumi would say it once for each resource"
    assert plus.asked == []


@pytest.mark.parametrize("command", ASKING, ids=lambda command: command[0])
def test_credentials_of_another_account_are_refused(
    command: tuple[str, ...], call: Call, file: Path, updates: Updates, plus: FakePlus, aws: Cluster
) -> None:
    file.write_text(STACK.replace(ACCOUNT, "999999999999"))
    answer = call(*command)
    assert answer.code == 1, answer.err
    assert f"are of account {ACCOUNT}, the stack's account is 999999999999" in answer.err
    assert updates.commands == []


@pytest.mark.parametrize("command", ASKING[1:], ids=lambda command: command[0])
def test_with_the_right_ones_the_update_begins(
    command: tuple[str, ...], call: Call, updates: Updates, plus: FakePlus, aws: Cluster
) -> None:
    answer = call(*command)
    assert answer.code == 0, answer.err
    assert len(updates.commands) == 1


def test_the_doctor_asks_aws_too(call: Call, aws: Cluster) -> None:
    answer = call("doctor", "prod", "--json")
    found = {each["name"]: each for each in json.loads(answer.out)["findings"]}
    assert found["aws credentials"]["status"] == "ok", answer.out
    assert ACCOUNT in found["aws credentials"]["detail"]
    assert found["aws region"]["detail"] == "eu-central-1 answers"
    assert "aws plugin" in found
    assert "docker engine" in found, "images are built here"
    assert "registry" not in found, "the stack makes its own"
    assert "aws exec" not in found, "nobody opened it"


def test_the_doctor_tells_credentials_that_are_missing(call: Call, nobody: None) -> None:
    answer = call("doctor", "prod", "--json")
    found = {each["name"]: each for each in json.loads(answer.out)["findings"]}
    assert answer.code == 4
    assert found["aws credentials"]["status"] == "missing"
    assert "no AWS credentials" in found["aws credentials"]["detail"]


def test_the_log_of_an_agent_on_ecs_is_in_cloudwatch(call: Call, plus: FakePlus, aws: Cluster) -> None:
    now = int(time.time() * 1000)
    aws.say("/hybrid-prod/agent", "agent/agent/aaaaaaaa11", {now - 2000: "one", now - 1000: "two"})
    stream = f"{server_family('hybrid-prod-s', 'acme', 'prod', 'alpha')}/dagster/bbbbbbbb22"
    aws.say("/hybrid-prod/code", stream, {now - 900: "of alpha"})
    assert call("logs", "prod", "-n", "1").out.split()[-1:] == ["two"]
    assert call("logs", "prod", "alpha").out.rstrip().endswith("of alpha")
    unknown = call("logs", "prod", "nosuch")
    assert (unknown.code, "nosuch" in unknown.err) == (2, True), unknown.err
