"""A deployment with a real Serverless agent taken to a real local Hybrid agent, and back; killed on the way. What only
Dagster+ itself can show (its wording, its rights, how long Serverless takes to go) is for the live tier."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from hybrid.plus import Scopes
from hybrid.redaction import Token
from tests.emulated.checkout import until
from tests.emulated.serverless_place import Serverless, serverless, standing

pytestmark = [pytest.mark.emulated, pytest.mark.slow, pytest.mark.timeout(900)]

CODE = """
import dagster as dg

@dg.asset
def answer() -> int:
    return 42

@dg.op
def noting() -> None:
    pass

@dg.job(executor_def=dg.in_process_executor)
def answers() -> None:
    noting()

nightly = dg.ScheduleDefinition(
    job=answers, cron_schedule="0 4 1 1 *", name="nightly", default_status=dg.DefaultScheduleStatus.RUNNING
)
keep = dg.define_asset_job("keep", executor_def=dg.in_process_executor)
defs = dg.Definitions(assets=[answer], jobs=[answers, keep], schedules=[nightly])
"""
SECRET = "API_TOKEN=0123456789abcdef0123456789abcdef"  # what looks like one has to come back as it was


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, environments: Path) -> Iterator[Serverless]:
    root = tmp_path_factory.mktemp("switched")
    settings = (
        f"  hybrid:assetValues:\n    folder: {root / 'values'}\n    ioManager: false\n"
        "  hybrid:environmentVariables:\n    - name: GREETING\n      value: of the stack\n"
    )
    with serverless(root, environments, settings) as found:
        folder = found.checkout.location("alpha", CODE)
        with found.client() as client:
            client.create_environment_variable("GREETING", Token("of Serverless"), Scopes(full_deployment=True))
            client.put_location(
                {
                    "location_name": "alpha",
                    "code_source": {"module_name": "alpha.definitions"},
                    "working_directory": str(folder / "src"),
                    "container_context": {"ecs": {"env_vars": [SECRET]}},
                }
            )
            until(lambda: client.code_locations()[0].is_loaded, seconds=120, what="Serverless has loaded it")
        yield found


def test_there_and_back_killed_on_the_way(place: Serverless) -> None:
    before = standing(place)
    assert before["on"] == ["nightly"], "the schedule is on by default, else resuming shows nothing"
    file = (place.checkout.root / "stacks" / "Pulumi.local.yaml").read_text()
    with place.client() as client:
        number = client.launch_run("alpha", "keep")
        until(lambda: client.run(number).is_finished, seconds=120, what="a value is stored on Serverless")
        assert client.run(number).status == "SUCCESS"
    plan = place.checkout.root.parent / "plan.json"
    planned = place.hybrid("switch", "plan", "local", "--save", str(plan), "--repository", str(place.checkout.root))
    assert plan.exists(), planned.out + planned.err
    run = ("switch", "run", "local", "--yes", "--smoke", "alpha:answers")

    place.killed_at("prepare", "begun", *run, "--plan", str(plan), after=2)
    again = place.hybrid(*run)
    assert again.code == 2, "a switch that was begun is not begun again unasked"
    place.killed_at("pause", "done", *run, "--resume", after=0)
    place.killed_at("serve", "begun", *run, "--resume", after=3)
    done = place.hybrid(*run, "--resume", "--json")
    assert done.code == 0, done.err
    [switched] = done.document["stacks"]
    assert switched["stage"] == "done"
    assert switched["downtime"]["seconds_since_switch"] > 0, "it was killed in between, so there was some"

    now = standing(place)
    assert now["type"] == "HYBRID"
    values = [path.name for path in (place.checkout.root.parent / "values").rglob("*") if path.is_file()]
    assert "answer" in values, "what was stored on Serverless was not copied"
    assert now["on"] == ["nightly"], "the schedule is on as before"
    assert before["variables"] == {"GREETING": "of Serverless"}
    assert now["variables"] == {"GREETING": "of the stack"}, "the stack took it over, and the marker is gone"
    verified = place.hybrid("switch", "verify", "local", "--run", "alpha:answers", "--json")
    assert verified.code == 0, verified.out + verified.err
    assert b"0123456789abcdef" not in place.journal.read_bytes(), "what looks like a secret is in the journal"

    place.killed_at("documents", "taking_back", "switch", "back", "local", "--yes", after=0.2)
    back = place.hybrid("switch", "back", "local", "--yes", "--json")
    assert back.code == 0, back.err
    after = standing(place)
    assert after == before, "Serverless runs what it ran, with what was on"
    now_file = (place.checkout.root / "stacks" / "Pulumi.local.yaml").read_text()
    own = [line for line in now_file.splitlines() if not line.startswith("encryptionsalt:")]  # Pulumi's, on first use
    assert own == file.splitlines(), "the stack file is as it was, comments and all"
    wrong = place.hybrid("switch", "verify", "local", "--json")
    assert wrong.code == 7, "a deployment on Serverless is not verified as Hybrid"
    said = place.hybrid("switch", "status", "local", "--json").document
    assert said["stage"] == "back"


def test_ctrl_c_says_how_it_goes_on_and_it_does(place: Serverless) -> None:
    run = ("switch", "run", "local", "--yes", "--no-values")
    earlier = place.lines()  # of the test before
    process = place.checkout.start(*run, **place.variables)

    def leaving() -> bool:
        lines = place.lines()
        mine = lines[len(earlier) :] if lines[: len(earlier)] == earlier else lines
        return any((line["step"], line["event"]) == ("departure", "begun") for line in mine)

    until(leaving, seconds=240, what="all is loaded on Hybrid, and the Serverless agent is waited for")
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "--resume" in err, "how it goes on was not said"
    assert "switch back local" in err, "how it goes back was not said"
    assert "Traceback" not in err
    said = place.hybrid("switch", "status", "local", "--json").document
    assert said["downtime"]["seconds_since_switch"] < 60, f"downtime of one location on two cores: {said['downtime']}"
    assert place.hybrid(*run, "--resume").code == 0, out
    assert standing(place)["on"] == ["nightly"]
    again = place.hybrid(*run, "--resume", "--json")
    assert again.code == 0, "what is done is not done again"
    assert place.hybrid("switch", "back", "local", "--yes").code == 0
    assert standing(place)["type"] == "SERVERLESS"


def test_a_wrong_passphrase_is_found_before_anything_is_made(place: Serverless) -> None:
    before = standing(place)
    secret = {**place.variables, "PULUMI_CONFIG_PASSPHRASE": "somebody else's"}
    answer = place.checkout.hybrid("switch", "run", "local", "--yes", "--no-values", **secret)
    assert answer.code == 5, answer.err
    assert "incorrect passphrase" in answer.err
    assert "stand up the stack" not in answer.err, "it is found at the first step"
    assert standing(place) == before
    assert place.hybrid("switch", "back", "local", "--yes").code == 0, "what was only looked at is over by that"


def test_a_token_that_is_refused_changes_nothing(place: Serverless) -> None:
    wrong = "user:acme:" + "d" * 32
    answer = place.checkout.hybrid("switch", "run", "local", "--yes", DAGSTER_CLOUD_API_TOKEN=wrong)
    assert answer.code == 8, answer.err
    assert wrong not in answer.out + answer.err
    assert standing(place)["type"] == "SERVERLESS"
