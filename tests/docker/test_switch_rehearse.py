"""A switch rehearsed with images: built on a real engine, pushed to a registry of this machine, run by a real agent in
its container. The team's own registry is an address that nobody has."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hybrid.switch.inspection import inspected
from hybrid.switch.rehearsal_containers import name_of_rehearsal
from tests.containers.stand import Containers
from tests.emulated.checkout import Answer, Checkout, until
from tests.unit.switch.inspected import location, organization, repository

pytestmark = [pytest.mark.containers, pytest.mark.slow, pytest.mark.timeout(900)]

CODE = """
import dagster as dg

{where}

@dg.asset
def answer() -> int:
    return 42

defs = dg.Definitions(assets=[answer], jobs=[dg.define_asset_job("answers")])
"""
ONLY_ON_HYBRID = """
from pathlib import Path
if Path("/opt/dagster/app").exists():
    raise RuntimeError("broken in its image, by design")
"""
SECRET = "user:acme:0123456789abcdef0123456789abcdef"


class Team:
    """A checkout whose stack ``prod`` is of an organization, on Docker; and an inspection that was saved."""

    def __init__(self, root: Path, containers: Containers, plugin: str, shared: Path) -> None:
        self.checkout = Checkout(root, shared=None)
        self.containers = containers
        (root / ".hybrid" / "rehearsals").mkdir(mode=0o700, parents=True)
        shared.mkdir(exist_ok=True)
        (root / ".hybrid" / "rehearsals" / "environments").symlink_to(shared)
        (root / "stacks" / "Pulumi.local.yaml").unlink()
        (root / "stacks" / "Pulumi.prod.yaml").write_text(self._settings())
        for name in ("alpha", "beta"):
            self.location(name)
        documents = [location(each, {"location_name": each, "image": f"x/{each}:1"}) for each in ("alpha", "beta")]
        state = organization(locations=documents, instigators=[], variables=[])
        self.inspection = root.parent / "inspection.json"
        self.inspection.write_text(json.dumps(inspected(state, repository()).document()))
        docker = {name: value for name, value in containers.environ.items() if name.startswith("DOCKER_")}
        path = containers.environ["PATH"]
        self.more = {**docker, "PATH": os.pathsep.join([plugin, path]) if plugin else path}
        self.more["DAGSTER_CLOUD_API_TOKEN"] = SECRET

    @property
    def stack(self) -> str:
        """As the rehearsal's containers are named."""
        return name_of_rehearsal(self.checkout.root, "prod")

    def location(self, name: str, where: str = "") -> None:
        self.checkout.location(name, CODE.replace("{where}", where))

    def _settings(self) -> str:
        socket = self.containers.environ["DOCKER_HOST"].removeprefix("unix://")
        certificates = self.containers.certificates
        return (
            "config:\n  hybrid:organization: acme\n  hybrid:registry:\n    address: registry.acme.example/data\n"
            f"  hybrid:images:\n    pythonImage: {self.containers.python_image}\n"
            + (f"    certificates: {certificates}\n" if certificates else "")
            + f"  hybrid:agent:\n    kind: docker\n    socket: {socket}\n"
            f"    registryCredentials: {self.containers.environ['DOCKER_CONFIG']}\n"
        )

    @property
    def words(self) -> tuple[str, ...]:
        chosen = ("--agent", "docker", "--registry", self.containers.registry)
        return ("switch", "rehearse", "prod", "--inspection", str(self.inspection), *chosen, "--json")

    def rehearse(self, *arguments: str) -> Answer:
        return self.checkout.hybrid(*self.words, *arguments, timeout=800, **self.more)

    def left(self) -> dict[str, list[str]]:
        """What of it is on the engine, and of its processes."""
        run, label = self.containers.run, f"label=io.dagster-hybrid.stack={self.stack}"
        return {
            "containers": run("ps", "--all", "--quiet", "--filter", label).split(),
            "networks": run("network", "ls", "--quiet", "--filter", label).split(),
            "volumes": run("volume", "ls", "--quiet", "--filter", label).split(),
            "processes": [str(each) for each in self.checkout.processes()],
        }


NOTHING: dict[str, list[str]] = {"containers": [], "networks": [], "volumes": [], "processes": []}


@pytest.fixture(scope="module")
def team(
    tmp_path_factory: pytest.TempPathFactory, containers: Containers, docker_plugin_path: str, environments: Path
) -> Iterator[Team]:
    root = tmp_path_factory.mktemp("team")
    made = Team(root / "checkout", containers, docker_plugin_path, environments)
    yield made
    made.checkout.destroy()


def test_the_teams_images_are_built_run_and_taken_away_and_its_registry_is_never_asked(team: Team) -> None:
    answer = team.rehearse("--smoke", "alpha:answers")
    assert answer.code == 0, answer.err
    found: dict[str, Any] = answer.document
    assert found["holds"] is True
    images = {each["check"]: each["words"] for each in found["checks"] if each["check"].startswith("location ")}
    address = f"{team.containers.registry}/rehearsal"
    assert images.keys() == {"location alpha", "location beta"}
    assert all(words.startswith(f"{address}/") and "@sha256:" in words for words in images.values()), images
    assert any(address in each for each in found["differs_from_the_real_one"]), "where images went has to be said"
    assert "registry.acme.example" not in answer.err, "the team's registry was asked"
    assert 0 < found["downtime"]["seconds"] < 120
    assert found["is_serverless_again"] is True
    assert SECRET not in answer.out + answer.err
    assert team.left() == NOTHING
    print(found["downtime"], [(each["step"], each["seconds"]) for each in found["steps"]])  # for who measures: -s


def test_a_location_that_breaks_in_its_image_alone_is_what_the_rehearsal_says(team: Team) -> None:
    team.location("beta", ONLY_ON_HYBRID)
    answer = team.rehearse()
    team.location("beta")
    assert answer.code == 7, answer.err
    found = answer.document
    assert found["holds"] is False
    assert "broken in its image, by design" in answer.err
    failed = [each["step"] for each in found["steps"] if each["failed"]]
    assert failed == ["serve"], "the gate looks at it here, where it is well"
    assert any("serve failed" in each for each in found["would_fail"])
    assert found["is_serverless_again"] is True, "the way back is walked from where it failed"
    assert team.left() == NOTHING


def test_ctrl_c_leaves_nothing_running(team: Team) -> None:
    process = team.checkout.start(*team.words, **team.more)
    until(lambda: team.left()["containers"] or process.poll() is not None, seconds=300, what="it is up")
    assert process.poll() is None, process.communicate()
    os.kill(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert out == ""
    assert team.left() == NOTHING


def test_what_a_killed_rehearsal_left_is_ended_by_the_next_one(team: Team) -> None:
    process = team.checkout.start(*team.words, **team.more)
    until(lambda: team.left()["containers"] or process.poll() is not None, seconds=300, what="it is up")
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert team.left()["containers"], "else there is nothing to end"
    team.location("beta", "raise ValueError('broken')")
    answer = team.rehearse()
    team.location("beta")
    assert answer.code == 7, "it does not load on Serverless, so that nothing of it gets to the engine"
    assert team.left() == NOTHING


def test_a_registry_that_nobody_answers_at_is_said_before_anything_is_made(team: Team) -> None:
    words = [*team.words[:-2], "127.0.0.1:1", "--json"]
    before = time.monotonic()
    answer = team.checkout.hybrid(*words, timeout=180, **team.more)
    assert answer.code != 0
    assert "127.0.0.1:1" in answer.err
    assert time.monotonic() - before < 60
    assert not (team.checkout.root / ".hybrid" / "rehearsals" / "prod").exists()
