"""What the doctor says of a stack on ECS. AWS's answers are the test's; `tests/unit/cli` asks moto."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from hybrid.errors import HybridError
from hybrid.toolchain import aws_doctor
from hybrid.toolchain.aws_doctor import AwsNeeds, check_aws
from hybrid.toolchain.pulumi import Pulumi

pytestmark = pytest.mark.unit

BUILT = Pulumi(Path("/tools/pulumi"), "3.259.0", "build", Path("/tools"))
NEEDS = AwsNeeds("eu-central-1", "123456789012", False, lambda: "arn:aws:iam::123456789012:user/me", lambda: None)


def check(tmp_path: Path, needs: AwsNeeds, seconds: float = 5) -> dict[str, aws_doctor.Finding]:
    environ = {"PATH": str(tmp_path), "PULUMI_HOME": str(tmp_path)}
    return {found.name: found for found in check_aws(needs, environ, BUILT, seconds)}


def program(folder: Path, name: str) -> None:
    (folder / name).write_text("#!/bin/sh\n")
    (folder / name).chmod(0o755)


def test_a_machine_that_has_all_is_well(tmp_path: Path) -> None:
    (tmp_path / "plugins" / "resource-aws-v7.51.0").mkdir(parents=True)
    found = check(tmp_path, NEEDS)
    assert {name: each.status for name, each in found.items()} == {
        aws_doctor.PLUGIN: "ok",
        aws_doctor.CREDENTIALS: "ok",
        aws_doctor.REGION: "ok",
    }, "of ECS Exec nothing is said while it is off"
    assert found[aws_doctor.PLUGIN].detail == "7.51.0"
    assert "user/me" in found[aws_doctor.CREDENTIALS].detail, "people have several identities"


def test_a_pulumi_that_was_built_here_needs_to_be_given_the_plugin(tmp_path: Path) -> None:
    (tmp_path / "plugins" / "resource-docker-v5.0.0").mkdir(parents=True)
    found = check(tmp_path, NEEDS)[aws_doctor.PLUGIN]
    assert found.status == "missing", "the docker plugin is none for AWS"
    assert "pulumi plugin install resource aws 7." in (found.next_step or "")


def test_credentials_that_are_refused_are_told_once(tmp_path: Path) -> None:
    def refuse() -> str:
        raise HybridError("There are no AWS credentials.", why="None were found.", next_step="aws sso login")

    found = check(tmp_path, replace(NEEDS, ask_caller=refuse, ask_region=refuse))
    assert (found[aws_doctor.CREDENTIALS].status, found[aws_doctor.CREDENTIALS].next_step) == (
        "missing",
        "aws sso login",
    )
    assert found[aws_doctor.CREDENTIALS].detail == "There are no AWS credentials. None were found."
    assert aws_doctor.REGION not in found, "the same words twice help nobody"


def test_a_region_out_of_reach_is_told_apart_from_the_credentials(tmp_path: Path) -> None:
    def out_of_reach() -> None:
        raise HybridError("AWS could not be asked.", next_step="look at the network.")

    found = check(tmp_path, replace(NEEDS, ask_region=out_of_reach))
    assert (found[aws_doctor.CREDENTIALS].status, found[aws_doctor.REGION].status) == ("ok", "missing")


def test_what_does_not_answer_is_not_waited_for(tmp_path: Path) -> None:
    end = threading.Event()
    try:
        found = check(tmp_path, replace(NEEDS, ask_region=end.wait), seconds=0.05)
    finally:
        end.set()
    assert found[aws_doctor.CREDENTIALS].status == "ok"
    assert found[aws_doctor.REGION].status == "missing"
    assert "within" in found[aws_doctor.REGION].detail


def test_both_questions_are_asked_at_the_same_time(tmp_path: Path) -> None:
    together = threading.Barrier(2, timeout=5)  # broken unless both come
    asked = replace(NEEDS, ask_caller=lambda: str(together.wait()), ask_region=together.wait)
    assert {each.status for name, each in check(tmp_path, asked).items() if name != aws_doctor.PLUGIN} == {"ok"}


def test_a_shell_needs_two_programs_and_nothing_else_does(tmp_path: Path) -> None:
    program(tmp_path, "aws")
    found = check(tmp_path, replace(NEEDS, exec=True))[aws_doctor.EXEC]
    assert found.status == "warning", "the stack comes up without"
    assert "session-manager-plugin" in found.detail
    assert "aws," not in found.detail
    program(tmp_path, "session-manager-plugin")
    assert check(tmp_path, replace(NEEDS, exec=True))[aws_doctor.EXEC].status == "ok"
