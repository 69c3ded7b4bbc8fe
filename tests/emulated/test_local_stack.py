"""The main job: `hybrid up` from nothing to a RUNNING agent with loaded locations, used, repeated and taken away.

Real: the Pulumi engine, our provider, the unmodified agent, its code servers and run workers. Dagster+ is the emulator.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.emulated.checkout import GOOD_LOCATION, REPOSITORY, Checkout, until
from tests.processes import arguments

pytestmark = pytest.mark.emulated


def test_status_says_that_the_agent_runs_and_the_location_is_loaded(standing: Checkout) -> None:
    answer = standing.status()
    assert answer.code == 0, answer.err
    document = answer.document
    assert set(document) == {"stack", "organization", "deployment", "agents", "locations", "url"}, "a promised shape"
    assert [agent["status"] for agent in document["agents"]] == ["RUNNING"], "one agent, and it works"
    assert document["locations"] == [{"name": "alpha", "load_status": "LOADED", "image": None, "error": None}]


def test_a_second_up_changes_nothing(standing: Checkout) -> None:
    before = {process.pid for process in standing.processes()}
    answer = standing.up()
    assert "Nothing had to change." in answer.err
    assert {process.pid for process in standing.processes()} == before, "no process was started or stopped for nothing"


def test_preview_of_a_standing_stack_says_nothing_would_change(standing: Checkout) -> None:
    answer = standing.hybrid("preview", "local", "--json")
    assert answer.code == 0, answer.err
    assert answer.document["changes"] == {}, answer.document


@pytest.mark.parametrize(("job", "status", "code"), [("answers", "SUCCESS", 0), ("failing", "FAILURE", 9)])
def test_a_job_launched_through_dagster_plus_ends_with_its_result(
    standing: Checkout, job: str, status: str, code: int
) -> None:
    answer = standing.hybrid("run", "local", "alpha", job, "--json")
    assert answer.code == code, answer.err
    assert answer.document["status"] == status


def test_the_events_of_a_run_are_streamed(standing: Checkout) -> None:
    answer = standing.hybrid("run", "local", "alpha", "failing")
    assert "STEP_FAILURE" in answer.out, "a person watches the run"
    assert "this op fails by design" in answer.out, "with the user code's own error"


def test_an_unknown_job_is_told_with_what_to_do(standing: Checkout) -> None:
    answer = standing.hybrid("run", "local", "alpha", "nonesuch")
    assert answer.code == 8, answer.err
    assert "nonesuch" in answer.err
    assert "Traceback" not in answer.err


def test_no_token_lies_in_state_logs_or_arguments(standing: Checkout) -> None:
    secrets = {process.environ().get("DAGSTER_CLOUD_AGENT_TOKEN") for process in standing.agents()} - {None}
    assert len(secrets) == 1, "the agent has its token in its environment"
    secrets.add((standing.root / ".hybrid/stacks/local/emulator/api-token").read_text().strip())
    for secret in secrets:
        assert secret is not None
        for file in (path for path in (standing.root / ".hybrid").rglob("*") if path.is_file()):
            if file.name != "api-token":
                assert secret.encode() not in file.read_bytes(), f"{file} holds a token in plain text"
        for process in standing.processes():
            assert secret not in " ".join(arguments(process)), f"{process} shows a token in its arguments"


def test_pulumi_itself_sees_the_same_stack(standing: Checkout) -> None:
    values = standing.hybrid("env", "local", "--json").document
    pulumi = shutil.which("pulumi", path=values["PATH"])
    assert pulumi is not None, "`hybrid env` puts pulumi on PATH"
    answer = subprocess.run(
        [pulumi, "up", "-s", "local", "--yes", "--skip-preview", "--non-interactive", "--color=never"],
        cwd=standing.root,
        env={**standing.environment, **values},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "unchanged" in answer.stdout, answer.stdout
    for word in (" created", " updated", " deleted", " replaced", "exited prematurely"):
        assert word not in answer.stdout + answer.stderr, "`pulumi up` after `hybrid up` is the same program"


def test_a_change_of_code_reloads_the_location_and_nothing_else(checkout: Checkout) -> None:
    checkout.up()
    agent = checkout.agents()[0].pid
    checkout.location("alpha", GOOD_LOCATION.replace("answer", "changed_answer"))
    answer = checkout.up()
    assert "CodeLocation alpha-location" in answer.err
    assert [process.pid for process in checkout.agents()] == [agent], "new code does not restart the agent"
    until(lambda: len(checkout.code_servers()) == 1, seconds=60, what="the old code server is gone")


def test_down_leaves_nothing(checkout: Checkout) -> None:
    checkout.up()
    answer = checkout.hybrid("down", "local")
    assert answer.code == 0, answer.err
    until(lambda: not checkout.processes(), seconds=10, what="all processes are gone")
    left = {path.name for path in (checkout.root / ".hybrid" / "stacks" / "local").rglob("*") if path.is_file()}
    assert left <= {"update.lock"}, "`down` takes the stack's files with it"
    state = json.loads((checkout.root / ".hybrid/state/.pulumi/stacks/hybrid/local.json").read_text())
    assert not state["checkpoint"]["latest"].get("resources"), "nothing is left in the state"


def test_down_works_when_everything_is_already_dead(checkout: Checkout) -> None:
    checkout.up()
    for process in checkout.processes():
        process.kill()
    answer = checkout.hybrid("down", "local")
    assert answer.code == 0, f"after a reboot `make down` must work:\n{answer.err}"


@pytest.mark.slow
def test_up_after_a_reboot_brings_all_back(checkout: Checkout) -> None:
    checkout.up()
    for process in checkout.processes():
        process.kill()
    document = checkout.up().document
    assert [agent["status"] for agent in document["agents"]].count("RUNNING") >= 1
    assert len(checkout.agents()) == 1


def test_preview_of_nothing_writes_nothing(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path / "checkout")
    checkout.location("alpha")
    answer = checkout.hybrid("preview", "local", "--json")
    assert answer.code == 0, answer.err
    assert answer.document["changes"] == {"create": 6}, answer.document
    assert not checkout.processes(), "a preview starts nothing"
    assert not (checkout.root / ".hybrid" / "stacks" / "local" / "processes").exists(), "a preview writes nothing"
    assert not (checkout.root / ".hybrid" / "environments").exists(), "a preview installs nothing"


def test_the_repository_s_own_environment_is_not_hidden_behind_a_caller_s() -> None:
    assert (REPOSITORY / ".venv" / "bin" / "hybrid").exists(), "run `make setup` first"
    assert os.access(REPOSITORY / "hybrid/provider/plugin/pulumi-resource-dagsterhybrid", os.X_OK)
