"""The whole way of docs/switch.md with a team of four locations, from real Serverless to a real Docker agent and back:
images are built from the Dockerfiles that the plan wrote. Serverless itself runs no image here (docs/serverless.md), so
`reports` runs there from its folder, and shows what its hooks did on Hybrid alone."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.aws.moto_server import REGION, Moto
from tests.containers.stand import Containers
from tests.emulated.checkout import REPOSITORY, Answer, Checkout, until
from tests.ports import free_port
from tests.serverless_team.organization import LOCATIONS, SECRETS, Team, served

pytestmark = [pytest.mark.containers, pytest.mark.slow, pytest.mark.timeout(1800)]

BUCKET = "values-of-the-team"
PASSPHRASE = {"PULUMI_CONFIG_PASSPHRASE": "of-the-trial"}
KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": REGION}
WHEEL = "./wheels/dagster_asset_values-0.1.0-py3-none-any.whl\n"


class Move:
    """The team, the bucket, and the checkout whose stack ``trial`` is to take the deployment over."""

    def __init__(self, root: Path, team: Team, moto: Moto, containers: Containers, plugin: str) -> None:
        self.root, self.team, self.moto, self.containers = root, team, moto, containers
        self.before: dict[str, Any] = {}
        self.checkout = Checkout(root / "checkout")
        path = containers.environ["PATH"]
        docker = {name: value for name, value in containers.environ.items() if name.startswith("DOCKER_")}
        self._given = {**docker, **KEYS, "PATH": os.pathsep.join([plugin, path]) if plugin else path}
        (self.checkout.root / "asset_values").symlink_to(REPOSITORY / "asset_values")  # what the library is built of
        stacks = self.checkout.root / "stacks"
        (stacks / "Pulumi.local.yaml").unlink()
        (stacks / "Pulumi.trial.yaml").write_text(self._settings(gateway(containers)))

    def _settings(self, gateway: str) -> str:
        environ, certificates = self.containers.environ, self.containers.certificates
        reached = self.moto.endpoint.replace("127.0.0.1", gateway)
        return (
            f"config:\n  hybrid:organization: acme\n  hybrid:url: http://{gateway}:{self.team.port}\n"
            f"  hybrid:locations: [{{path: {self.team.repository}}}]\n"
            f"  hybrid:registry: {{address: {self.containers.registry}/team{self.team.port}}}\n"
            f"  hybrid:images:\n    pythonImage: {self.containers.python_image}\n"
            f"    arguments: {{BASE_IMAGE: {self.containers.python_image}}}\n"
            + (f"    certificates: {certificates}\n" if certificates else "")
            + f"  hybrid:agent:\n    kind: docker\n    socket: {environ['DOCKER_HOST'].removeprefix('unix://')}\n"
            f"    registryCredentials: {environ['DOCKER_CONFIG']}\n"
            "    environment: {AWS_ACCESS_KEY_ID: test, AWS_SECRET_ACCESS_KEY: test}\n"
            f'  hybrid:assetValues: {{bucket: {BUCKET}, region: {REGION}, endpoint: "{reached}", ioManager: true}}\n'
        )

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return self.checkout.start(*arguments, **self._given, DAGSTER_CLOUD_API_TOKEN=self.team.token, **PASSPHRASE)

    def hybrid(self, *arguments: str, timeout: float = 1200) -> Answer:
        process = self.start(*arguments)
        out, err = process.communicate(timeout=timeout)
        for secret in (self.team.token, *(f"the-{name.lower()}-of-the-team" for name in SECRETS)):
            assert secret not in out + err, f"{arguments[:2]} shows a secret"
        return Answer(process.returncode, out, err)

    def done(self, *arguments: str) -> Answer:
        answer = self.hybrid(*arguments)
        assert answer.code == 0, f"{arguments}: {answer.code}\n{answer.out[-3000:]}\n{answer.err[-6000:]}"
        return answer

    def standing(self) -> dict[str, Any]:
        with self.team.client() as client:
            return {
                "type": client.current_deployment().agent_type,
                "documents": client.location_documents(),
                "on": sorted(one.name for one in client.automations().instigations if one.is_on),
                "variables": sorted(each.name for each in client.environment_variables()),
            }

    def value(self, key: str) -> Any:
        body = self.moto.client("s3").get_object(Bucket=BUCKET, Key=f"assets/{key}")["Body"].read()
        return pickle.loads(body)  # noqa: S301 - written by this test's runs

    def journal(self) -> list[dict[str, Any]]:
        file = self.checkout.root / ".hybrid/stacks/trial/switch.jsonl"
        return [json.loads(line) for line in file.read_text().splitlines()[1:]] if file.exists() else []


def gateway(containers: Containers) -> str:
    """The address of this machine by which containers reach it."""
    return containers.run("network", "inspect", "bridge", "--format", "{{(index .IPAM.Config 0).Gateway}}").strip()


@pytest.fixture(scope="module")
def move(tmp_path_factory: pytest.TempPathFactory, containers: Containers, docker_plugin_path: str) -> Iterator[Move]:
    root = tmp_path_factory.mktemp("team")
    moto = Moto(root, host="0.0.0.0")
    moto.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    also = ("--also-listen", gateway(containers))
    with served(root / "served", free_port(), print, "--serverless-departure", "0", *also) as team:
        moving = Move(root, team, moto, containers, docker_plugin_path)
        try:
            yield moving
        finally:
            moving.hybrid("down", "trial", "--yes")
            moving.checkout.destroy()
            moto.stop()


def test_what_has_to_change_is_found_and_what_is_wished_is_written(move: Move) -> None:
    repository = ("--repository", str(move.team.repository))
    found = move.hybrid("switch", "inspect", "trial", *repository, "--json", "--fail-on", "must")
    assert found.code == 11, found.err
    kinds = {(each["kind"], each["location"]) for each in found.document["findings"]}
    assert {
        ("pex_build", "orders"),
        ("docker_hooks", "reports"),
        ("serverless_variable", "reports"),
        ("default_io_manager", "orders"),
        ("default_io_manager", "rates"),
        ("non_isolated_runs", None),
        ("serverless_workflow", None),
        ("stored_values", None),
    } <= kinds

    for name in LOCATIONS:
        folder = move.team.repository / name
        move.done("assets", "library", "--into", str(folder / "wheels"))
        with (folder / "requirements.txt").open("a") as file:
            file.write(WHEEL)
    code = move.team.repository / "reports" / "reports.py"
    code.write_text(code.read_text().replace("DAGSTER_CLOUD_SERVERLESS_REGION", "AWS_REGION"))
    move.done("switch", "plan", "trial", *repository, "--executor", "in_process", "--write", "--yes")
    assert {path.parent.name for path in move.team.repository.glob("*/Dockerfile")} == set(LOCATIONS)
    assert "executor=dg.in_process_executor" in (move.team.repository / "alerts" / "alerts.py").read_text()

    plan = ("--executor", "in_process", "--save", str(move.root / "plan.json"), "--json")
    planned = move.done("switch", "plan", "trial", *repository, *plan).document["plan"]
    missing = {each["name"] for each in planned["prerequisites"] if each["state"] == "missing"}
    assert missing == {"findings"}, "the workflow is of another repository, and stays to be done by hand"


def test_it_goes_to_hybrid_with_a_run_in_flight_and_its_values(move: Move) -> None:
    before, bank = move.standing(), move.root / "the-bank-answers"
    move.before = before
    assert before["on"] == ["spring", "watch", "yearly"]
    with move.team.client() as client:
        config = {"ops": {"wait_for_the_bank": {"config": {"seconds": 3000, "until": str(bank)}}}}
        flight = client.launch_run("rates", "slow", run_config=config)
        until(lambda: client.run(flight).status == "STARTED", seconds=120, what="a run is in flight")
        smokes = ("--smoke", "rates:convert", "--smoke", "reports:report")
        plan = ("--plan", str(move.root / "plan.json"))
        process = move.start("switch", "run", "trial", *plan, "--yes", "--json", *smokes)

        def draining() -> bool:
            assert process.poll() is None, process.communicate()
            return ("drain", "begun") in {(each["step"], each["event"]) for each in move.journal()}

        until(draining, seconds=1200, what="the switch waits for runs")
        assert client.run(flight).status == "STARTED", "it was waited for, not ended"
        assert move.standing()["on"] == [], "nothing starts by itself any more"
        bank.touch()
        out, err = process.communicate(timeout=600)
        assert process.returncode == 0, f"{out}{err[-6000:]}"
        assert client.run(flight).status == "SUCCESS", "a run in flight was lost"
    (switched,) = json.loads(out)["stacks"]
    assert switched["stage"] == "done"
    print(f"downtime: {switched['downtime']}")

    now = move.standing()
    assert (now["type"], now["on"]) == ("HYBRID", before["on"]), "schedules and sensors are on as before"
    assert set(before["variables"]) == set(now["variables"]) == set(SECRETS), "secrets are there"
    images = {name: each.get("image") or "" for name, each in _by_name(now["documents"]).items()}
    assert set(images) == set(LOCATIONS)
    assert all("@sha256:" in image for image in images.values()), images
    found = move.containers.run("ps", "--quiet", "--filter", "network=hybrid-trial").split()
    running = [move.containers.run("inspect", "--format", "{{.Config.Image}}", each).strip() for each in found]
    assert set(images.values()) <= set(running), "and they are what runs"
    assert move.value("francs") == 94.0, "a run on Hybrid has loaded what was stored on Serverless"
    made = move.containers.run("run", "--rm", images["reports"], "cat", "/opt/dagster/app/template.txt")
    assert made.startswith("made with dagster"), "the hook after the installation was run"
    move.containers.run("run", "--rm", images["reports"], "ls", "/usr/local/share/fonts/team")

    verified = move.done("switch", "verify", "trial", "--run", "orders:add_up", "--json")
    assert verified.code == 0
    assert move.value("revenue") == 30, "all days that were stored on Serverless were loaded"


def test_it_goes_back_to_what_it_was(move: Move) -> None:
    back = move.done("switch", "back", "trial", "--yes", "--json")
    assert back.document["stage"] == "back"
    assert move.standing() == move.before, "Serverless runs what it ran, with what was on"


def _by_name(documents: Any) -> dict[str, dict[str, Any]]:
    listed = documents.values() if isinstance(documents, dict) else documents
    return {each["location_name"]: each for each in listed}
