"""A deployment from real Serverless to an agent in Azure, and back, as `hybrid switch` does it: Pulumi's real engine
and the whole program, images that are built and pushed, the real agent with Dagster's launcher and Azure's SDK, code
servers and runs in containers. Azure is the STAND-IN of tests/standins/azure, and Dagster+ the embedded one, whose
Serverless agent goes at once: what is measured here says nothing of how long Azure takes.

The tests follow one switch, in order. Values are not copied: the stand-in has no blobs, and tests/azure/test_blob_store
shows those.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hybrid.plus import Scopes
from hybrid.redaction import Token
from hybrid.switch.work import MARKER
from tests.azure.azure_checkout import AzureCheckout
from tests.azure.cloud import AzureCloud
from tests.containers.stand import Containers
from tests.emulated.checkout import Answer, until
from tests.emulated.served import ServerlessOrganization
from tests.emulated.stack_checkout import STACK

pytestmark = [pytest.mark.containers, pytest.mark.slow, pytest.mark.timeout(1500)]

_LOCATIONS = ("alpha", "beta")
_PASSWORD = "of-the-teams-warehouse"
_LEFT = {
    "Microsoft.Resources/subscriptions/resourceGroups",
    "Microsoft.Storage/storageAccounts",
    "Microsoft.Storage/storageAccounts/blobServices",
    "Microsoft.Storage/storageAccounts/blobServices/containers",
}
"""What has the team's data, or holds what has it: it stays on `down`."""


class Team(AzureCheckout):
    """What Serverless runs from folders, and the stack in Azure from images: the same code."""

    CODE = """
import os
from pathlib import Path

import dagster as dg

@dg.op
def look() -> None:
    if not os.environ.get("WAREHOUSE_PASSWORD"):
        raise ValueError("the variable of Dagster+ is not there")

@dg.op
def wait_for_the_bank() -> None:
    import time
    while not Path("{gate}").exists():
        time.sleep(0.2)

@dg.job(executor_def=dg.in_process_executor)
def looks() -> None:
    look()

@dg.job(executor_def=dg.in_process_executor)
def waits() -> None:
    wait_for_the_bank()

@dg.sensor(job=looks, default_status=dg.DefaultSensorStatus.RUNNING, minimum_interval_seconds=3600)
def watch():
    return dg.SkipReason("nothing happened")

on, off = dg.DefaultScheduleStatus.RUNNING, dg.DefaultScheduleStatus.STOPPED
spring = dg.ScheduleDefinition(job=looks, cron_schedule="0 4 1 4 *", name="spring", default_status=on)
autumn = dg.ScheduleDefinition(job=looks, cron_schedule="0 4 1 10 *", name="autumn", default_status=off)
defs = dg.Definitions(jobs=[looks, waits], schedules=[spring, autumn], sensors=[watch])
"""

    def deploy(self) -> None:
        """To Serverless, as far as it goes here: the agent runs what lies in the folders."""
        with self.dagster_plus() as client:
            until(client.agents, seconds=120, what="the Serverless agent reports")
            client.create_environment_variable("WAREHOUSE_PASSWORD", Token(_PASSWORD), Scopes(full_deployment=True))
            for name in _LOCATIONS:
                folder = self.checkout.root / "locations" / name / "src"
                code = {"module_name": f"{name}.definitions"}
                client.put_location(
                    {"location_name": name, "code_source": code, "working_directory": str(folder), "git": _GIT}
                )
            until(
                lambda: all(each.is_loaded for each in client.code_locations()),
                seconds=180,
                what="Serverless has loaded all",
            )

    def standing(self) -> dict[str, Any]:
        with self.dagster_plus() as client:
            return {
                "type": client.current_deployment().agent_type,
                "documents": client.location_documents(),
                "instigators": sorted((one.location, one.name, one.is_on) for one in client.automations().instigations),
                "variables": sorted(each.name for each in client.environment_variables()),
            }

    def secrets(self) -> list[str]:
        vaults = self.cloud.arm.resources.of_kind("Microsoft.KeyVault/vaults/secrets")
        return [self.plus.token, _PASSWORD, *(each.secret for each in vaults if each.secret)]

    def done(self, *arguments: str) -> Answer:
        """A command that has to succeed, and to show no secret."""
        answer = self.hybrid(*arguments)
        assert answer.code == 0, f"{arguments}: {answer.code}\n{answer.out}\n{answer.err[-6000:]}\n{self.trouble()}"
        for secret in self.secrets():
            assert secret not in answer.out + answer.err, f"{arguments[:2]} shows a secret"
        return answer

    @property
    def journal(self) -> Path:
        return self.checkout.root / ".hybrid/stacks" / STACK / "switch.jsonl"

    def loaded(self) -> dict[str, str]:
        """By location, as Dagster+ has it."""
        return self.plus.load_states(STACK)


_GIT = {"commit_hash": "0" * 40, "url": "https://example.com/team"}
_ALL_LOADED = dict.fromkeys(_LOCATIONS, "LOADED")
_ALL_ON = [
    each for name in _LOCATIONS for each in ((name, "autumn", False), (name, "spring", True), (name, "watch", True))
]


@pytest.fixture(scope="module")
def team(
    azure_cloud: AzureCloud,
    containers: Containers,
    azure_agent_image: str,
    azure_plugin_path: str,
    environments: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Team]:
    said = ["--also-listen", azure_cloud.gateway, "--organization", "acme", "--deployment", STACK]
    with ServerlessOrganization(tmp_path_factory.mktemp("plus"), *said) as plus:
        root = tmp_path_factory.mktemp("stack")
        (root / "environments").symlink_to(environments)  # made once for all tests
        moving = Team(root, azure_cloud, plus, containers, azure_agent_image, azure_plugin_path)
        try:
            moving.deploy()
            yield moving
        finally:
            moving.destroy()


@pytest.fixture(scope="module")
def before(team: Team) -> dict[str, Any]:
    """What stands on Serverless when the switch begins."""
    return team.standing()


def test_the_agent_stands_by_while_serverless_goes_on(team: Team, before: dict[str, Any]) -> None:
    assert (before["type"], before["instigators"]) == ("SERVERLESS", _ALL_ON), "what is to be as before"
    plan = team.checkout.root.parent / "plan.json"
    planned = team.done("switch", "plan", STACK, "--repository", str(team.checkout.root), "--save", str(plan), "--json")
    missing = {each["name"] for each in planned.document["plan"]["prerequisites"] if each["state"] == "missing"}
    assert missing <= {"images"}, "only a Dockerfile is missed, without which this stack builds its images"

    team.done("switch", "run", STACK, "--plan", str(plan), "--until", "agent", "--yes", "--no-values")

    assert team.settings["phase"] == "standby", "it runs images, and could not load what Serverless runs"
    assert len(team.agents()) == 1
    assert team.servers() == {}, "it loads nothing of Serverless's"
    now = team.standing()
    assert now["variables"] == sorted([MARKER, *before["variables"]]), "a second switch finds that one is on its way"
    assert now | {"variables": before["variables"]} == before, "Serverless was changed before the hand-over"
    assert team.loaded() == _ALL_LOADED


def test_all_is_loaded_from_its_image_after_the_hand_over(team: Team, before: dict[str, Any]) -> None:
    with team.dagster_plus() as client:
        flight = client.launch_run("beta", "waits")
        until(lambda: client.run(flight).status == "STARTED", seconds=120, what="a run is in flight")
    run = ("switch", "run", STACK, "--resume", "--yes", "--no-values", "--json")
    process = team.start(*run)
    team.until(lambda: _is_draining(team, process), seconds=300, what="the switch waits for the run")
    assert team.standing()["type"] == "SERVERLESS", "a run would be lost"
    team.checkout.gate.touch()
    out, err = process.communicate(timeout=600)
    assert process.returncode == 0, f"{out}\n{err[-6000:]}\n{team.trouble()}"
    assert not [secret for secret in team.secrets() if secret in out + err], "a secret was shown"

    (switched,) = json.loads(out)["stacks"]
    assert switched["stage"] == "done"
    assert switched["downtime"]["seconds_since_switch"] > 0, "each location takes a container's start"
    print(f"downtime, Azure's STAND-IN, two locations: {switched['downtime']}")
    assert team.plus.run(flight, deployment=STACK)["status"] == "SUCCESS", "a run in flight was lost"
    now = team.standing()
    assert now["type"] == "HYBRID"
    assert now["instigators"] == before["instigators"], "schedules and sensors are as before"
    assert now["variables"] == before["variables"], "no variable is lost, and none left over"
    assert team.loaded() == _ALL_LOADED
    assert team.settings["phase"] == "serve"
    for name, image in team.images().items():
        repository = f"{team.names.registry}.azurecr.io/{team.names.base}/{name}@sha256:"
        assert image.startswith(repository), f"{name} runs {image}"
    assert set(team.servers()) == set(_LOCATIONS), "each location has an app"


def test_the_switch_holds_and_a_run_is_a_job_that_succeeds(team: Team) -> None:
    verified = team.done("switch", "verify", STACK, "--run", "beta:looks", "--json").document

    assert all(each["is_so"] for each in verified["checks"]), verified["checks"]
    jobs = team.cloud.arm.named("jobs")
    assert len(jobs) == 1, "a run is a job of its own"
    team.until(lambda: jobs[0].started[0][1].exit_code == 0, seconds=60, what="the run's container ended well")


def test_the_journal_has_the_downtime_and_no_secret(team: Team) -> None:
    told = team.done("switch", "status", STACK, "--json").document

    text = team.journal.read_text()
    assert told["downtime"]["seconds_since_switch"] > 0
    assert {"switched_at", "loaded_at"} <= {key for line in text.splitlines()[1:] for key in json.loads(line)["facts"]}
    for secret in team.secrets():
        assert secret not in text, "a secret is in the journal"


def test_it_goes_back_to_what_it_was(team: Team, before: dict[str, Any]) -> None:
    back = team.done("switch", "back", STACK, "--yes", "--json").document

    assert back["stage"] == "back"
    assert team.standing() == before, "Serverless runs what it ran, with what was on"
    assert team.loaded() == _ALL_LOADED
    assert "phase" not in team.settings, "the stack file is as it was"
    with team.dagster_plus() as client:
        running = {agent.label for agent in client.agents() if agent.is_running}
    assert running == {f"Serverless agent of {STACK} (embedded)", f"hybrid-{STACK}"}, "which stands by until `down`"
    run = team.plus.launch("alpha", "looks", deployment=STACK)
    assert team.plus.until_status(run, "SUCCESS", "FAILURE", deployment=STACK, seconds=120)["status"] == "SUCCESS"
    assert len(team.cloud.arm.named("jobs")) == 1, "it ran on Serverless"


def test_down_leaves_serverless_alone_and_nothing_in_azure_but_what_has_data(
    team: Team, before: dict[str, Any]
) -> None:
    team.done("down", STACK, "--yes")

    assert {each.address.kind for each in team.cloud.arm.resources.things.values()} <= _LEFT
    assert [thing.name for kind in ("containerApps", "jobs") for thing in team.cloud.arm.named(kind)] == []
    team.until(lambda: team.cloud.containers() == [], seconds=60, what="no container is left")
    assert team.cloud.rights.denied == [], "no right was missing on the whole way"
    with team.dagster_plus() as client:
        mine = [token for token in client.agent_tokens() if f"made by the stack {STACK}" in (token.description or "")]
    assert [token.revoked for token in mine] == [True], "the agent's token is good no more; Serverless has its own"
    assert team.standing() == before, "what Serverless runs is not the stack's to take away"
    assert team.loaded() == _ALL_LOADED


def _is_draining(team: Team, process: Any) -> bool:
    assert process.poll() is None, process.communicate()
    lines = [json.loads(line) for line in team.journal.read_text().splitlines()[1:]]
    return any((line["step"], line["event"]) == ("drain", "begun") for line in lines)
