"""A stack on ECS that serves: its location is told to Dagster+ and waited for.

The account is moto's, whose tasks hold no container; in the agent's place a real one runs on this machine, with the
token that the stack has put into Secrets Manager.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.aws.ecs_stack import LABEL, NAMES, EcsStack
from tests.emulated.checkout import REPOSITORY
from tests.emulated.served import RunningAgent

pytestmark = [pytest.mark.program, pytest.mark.slow, pytest.mark.timeout(900)]

CODE = """
import dagster as dg

@dg.asset
def answer() -> int:
    return 42

defs = dg.Definitions(assets=[answer])
"""


@pytest.fixture(scope="module")
def prepared(ecs_stack: EcsStack, tmp_path_factory: pytest.TempPathFactory) -> EcsStack:
    """It stands, and nobody serves."""
    file = tmp_path_factory.mktemp("code") / "ready.py"
    file.write_text(CODE, encoding="utf-8")
    ecs_stack.settings["locations"] = [_location(ecs_stack, file)]
    ecs_stack.settings.pop("pins")
    answer = ecs_stack.hybrid("up", "prod", "--yes")
    assert answer.code == 0, answer.err
    return ecs_stack


def _location(stack: EcsStack, file: Path) -> dict[str, str]:
    image = f"{stack.images.address}/ready:1"
    return {"name": "ready", "image": image, "pythonFile": str(file), "executablePath": sys.executable}


@pytest.fixture(scope="module")
def agent(prepared: EcsStack) -> Iterator[RunningAgent]:
    launcher = {"module": "tests.aws.processes_for_images", "class": "ProcessesForImages"}
    running = prepared.plus.start_agent(
        LABEL, token=prepared.token(), changes={"user_code_launcher": launcher}, PYTHONPATH=str(REPOSITORY)
    )
    yield running
    running.destroy()


@pytest.mark.usefixtures("agent")
def test_a_location_is_told_of_by_its_digest_and_waited_for(prepared: EcsStack) -> None:
    prepared.settings["phase"] = "serve"
    answer = prepared.hybrid("up", "prod", "--yes", "--json")
    assert answer.code == 0, answer.err
    assert [each["load_status"] for each in answer.document["locations"]] == ["LOADED"]
    with prepared.dagster_plus() as client:
        document = client.location_documents()["ready"]
    assert "@sha256:" in document["image"], "by digest"
    assert "task_role_arn" not in str(document), "its role is the launcher's, the one of all code"
    run = prepared.pulumi("up", "--expect-no-changes")
    assert run.code == 0, f"the same settings must change nothing:\n{run.said}"


@pytest.mark.usefixtures("agent")
def test_a_change_of_the_role_tells_the_location_anew(prepared: EcsStack) -> None:
    prepared.change("aws", locationRoles={"ready": {}})
    run = prepared.pulumi("preview", "--refresh=false")
    assert run.code == 0, run.said
    assert {"ready-location", "ready-launch", "ready"} <= set(run.changes), "it is checked, told and waited for"
    assert "agent-task" not in run.changes, "and the agent works on"
    answer = prepared.hybrid("up", "prod", "--yes")
    assert answer.code == 0, answer.err
    with prepared.dagster_plus() as client:
        role = client.location_documents()["ready"]["container_context"]["ecs"]["task_role_arn"]
    assert role.endswith(f"role/{NAMES.role('location-ready')}")


@pytest.mark.usefixtures("agent")
def test_a_location_that_cannot_be_launched_is_not_told_of(prepared: EcsStack) -> None:
    """The agent would delete the old, working code server; here the new image is for another architecture."""
    with prepared.dagster_plus() as client:
        before = client.location_documents()["ready"]
    (location,) = prepared.settings["locations"]
    prepared.settings["locations"] = [{**location, "containerContext": {"ecs": {
        "runtime_platform": {"cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX"}}}}]  # fmt: skip
    answer = prepared.hybrid("up", "prod", "--yes")
    prepared.settings["locations"] = [location]
    assert answer.code == 5, answer.err
    assert "is for linux/amd64, the task is linux/arm64" in answer.err, answer.err
    with prepared.dagster_plus() as client:
        assert client.location_documents()["ready"] == before, "the old one works on"
    answer = prepared.hybrid("up", "prod", "--yes")
    assert answer.code == 0, answer.err


@pytest.mark.usefixtures("agent")
def test_down_takes_the_location_from_dagster_plus_and_revokes_the_token(prepared: EcsStack) -> None:
    answer = prepared.hybrid("down", "prod", "--yes")
    assert answer.code == 0, answer.err
    with prepared.dagster_plus() as client:
        assert client.location_documents() == {}
    assert prepared.good_tokens() == []
