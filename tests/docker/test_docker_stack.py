"""The Docker stack from end to end: Pulumi's real engine, a real Docker engine and registry, the real agent in its
container, code servers and runs in theirs. Only Dagster+ is the embedded one, and Pulumi's docker plugin is the
stand-in where the official one cannot be had (the header of the test session says which it was).

The tests of this module follow one stack through its life, in order.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hybrid.plus import Endpoint, PlusClient, api_token
from tests.containers.fixtures import contents
from tests.containers.stand import Containers
from tests.emulated.checkout import Answer, Checkout, until
from tests.ports import free_port

pytestmark = [pytest.mark.containers, pytest.mark.slow, pytest.mark.timeout(900)]

CODE = """
import dagster as dg

VERSION = "{version}"

@dg.asset
def answer() -> int:
    return 42

@dg.asset
def doubled(answer: int) -> int:
    return answer * 2

defs = dg.Definitions(assets=[answer, doubled], jobs=[dg.define_asset_job("answers")])
"""
# It loads on this machine, where the gate looks at it, and not in its container.
BROKEN_IN_ITS_CONTAINER = (
    """
from pathlib import Path

if Path("/opt/dagster/app").exists():
    raise RuntimeError("only in the container")
"""
    + CODE
)


class DockerStack:
    """A checkout whose stack `docker` serves the locations alpha and beta."""

    def __init__(self, root: Path, containers: Containers, plugin: str, shared: Path) -> None:
        self.containers = containers
        self.checkout = Checkout(root, shared=shared)
        self.port = free_port()
        self.file = root / "stacks" / "Pulumi.docker.yaml"
        self.file.write_text(self._settings())
        for name in ("alpha", "beta"):
            self.checkout.location(name, CODE.replace("{version}", "one"))
        path = containers.environ["PATH"]
        # not all of the shell: a HYBRID_ROOT of somebody's would lead to another checkout
        docker = {name: value for name, value in containers.environ.items() if name.startswith("DOCKER_")}
        self._more = {**docker, "PATH": os.pathsep.join([plugin, path]) if plugin else path}

    def _settings(self) -> str:
        socket = self.containers.environ["DOCKER_HOST"].removeprefix("unix://")
        certificates = self.containers.certificates
        return (
            f"config:\n"
            f"  hybrid:emulator:\n    port: {self.port}\n"
            f"  hybrid:registry:\n    address: {self.containers.registry}/stack{self.port}\n"
            f"  hybrid:images:\n    pythonImage: {self.containers.python_image}\n"
            + (f"    certificates: {certificates}\n" if certificates else "")
            + f"  hybrid:agent:\n    kind: docker\n    socket: {socket}\n"
            f"    registryCredentials: {self.containers.environ['DOCKER_CONFIG']}\n"
        )

    def hybrid(self, *arguments: str, timeout: float = 600) -> Answer:
        return self.checkout.hybrid(*arguments, timeout=timeout, **self._more)

    def up(self) -> dict[str, Any]:
        answer = self.hybrid("up", "docker", "--json")
        assert answer.code == 0, f"`hybrid up docker` ended with {answer.code}:\n{answer.err}"
        return answer.document

    def images(self) -> dict[str, str]:
        """What Dagster+ says that each location is loaded from."""
        answer = self.hybrid("status", "docker", "--json")
        return {location["name"]: location["image"] for location in answer.document["locations"]}

    def client(self) -> PlusClient:
        endpoint = Endpoint(url=f"http://127.0.0.1:{self.port}", organization="local", deployment="prod")
        token = api_token({}, self.checkout.root / ".hybrid/stacks/docker/emulator/api-token")
        return PlusClient(endpoint, token)

    def servers(self) -> set[str]:
        """The ids of the code servers' containers."""
        of_stack = ["--filter", "network=hybrid-docker", "--filter", "label=dagster_grpc_server"]
        return set(self.containers.run("ps", "--quiet", *of_stack).split())

    def running(self) -> dict[str, str]:
        """Containers on the stack's network, by name: what each runs."""
        found = self.containers.run("ps", "-q", "--filter", "network=hybrid-docker").split()
        return dict(
            line.split("\t")
            for container in found
            for line in [self.containers.run("inspect", "--format", "{{.Name}}\t{{.Config.Image}}", container).strip()]
        )


@pytest.fixture(scope="module")
def stack(
    tmp_path_factory: pytest.TempPathFactory, containers: Containers, docker_plugin_path: str, environments: Path
) -> Iterator[DockerStack]:
    place = DockerStack(
        tmp_path_factory.mktemp("docker") / "checkout",
        containers,
        docker_plugin_path,
        environments,
    )
    place.before = contents(containers)  # type: ignore[attr-defined]
    yield place
    place.hybrid("down", "docker")
    place.checkout.destroy()


def test_up_ends_when_all_locations_are_loaded_from_the_images_that_were_pushed(stack: DockerStack) -> None:
    preview = stack.hybrid("preview", "docker", "--json")
    assert preview.code == 0, preview.err
    assert not stack.running(), "a preview starts nothing"
    assert not list(stack.checkout.root.glob("locations/*/build.*.yaml")), "and writes nothing"

    document = stack.up()
    assert [location["load_status"] for location in document["locations"]] == ["LOADED", "LOADED"]
    for location in document["locations"]:
        repository = f"{stack.containers.registry}/stack{stack.port}/{location['name']}@sha256:"
        assert location["image"].startswith(repository), "a tag could be moved; a digest is what was pushed"
    running = set(stack.running().values())
    assert {location["image"] for location in document["locations"]} <= running, "and it is what runs"
    for name in ("alpha", "beta"):
        text = (stack.checkout.root / f"locations/{name}/build.docker.yaml").read_text()
        assert f"stack{stack.port}/{name}" in text, "the environment's build file says where its image goes"


def test_a_run_has_a_container_of_its_own_and_values_are_shared_between_runs(stack: DockerStack) -> None:
    answer = stack.hybrid("run", "docker", "alpha", "answers", "--json")
    assert answer.code == 0, answer.err
    run_id = answer.document["run_id"]
    own = stack.containers.run("ps", "--all", "--quiet", "--filter", f"label=dagster/run_id={run_id}").split()
    assert len(own) == 1, "one container for the run"
    image = stack.containers.run("inspect", "--format", "{{.Config.Image}}", own[0]).strip()
    assert image == stack.images()["alpha"], "from the location's image"


def test_an_up_with_nothing_to_do_builds_and_pushes_nothing(stack: DockerStack) -> None:
    before = stack.servers()
    answer = stack.hybrid("up", "docker")
    assert "Nothing had to change" in answer.err, answer.err
    assert stack.servers() == before, "no code server was started anew"


def test_what_stands_keeps_every_rule_of_the_policy_pack(stack: DockerStack) -> None:
    answer = stack.hybrid("preview", "docker", "--policies", "--json")
    assert answer.code == 0, answer.err
    assert answer.document["policies"] == [], "images by digest, no secret in plain, and nothing that is not known"


def test_a_review_names_the_image_and_the_files_that_make_it_necessary(stack: DockerStack) -> None:
    root = stack.checkout.root
    (root / ".gitignore").write_text(
        "/hybrid\n/agent\n/infra\n/policies\n.venv\n.hybrid\n__pycache__\nstacks/Pulumi.*\n"
    )
    identity = ("-c", "user.name=Test", "-c", "user.email=test@example.com")
    for command in (("init", "-q", "-b", "main"), ("add", "-A"), (*identity, "commit", "-qm", "as it stands")):
        subprocess.run(["git", *command], cwd=root, check=True)
    before, servers = stack.images(), stack.servers()
    stack.checkout.location("alpha", CODE.replace("{version}", "reviewed"))
    answer = stack.hybrid("review", "--base", "main", "--stack", "docker", "--json")
    stack.checkout.location("alpha", CODE.replace("{version}", "one"))
    shutil.rmtree(root / ".git")
    assert answer.code == 0, answer.err
    (found,) = answer.document["stacks"]
    (image,) = found["images"]
    assert (image["location"], image["operation"]) == ("alpha", "build")
    assert image["because"] == ["src/alpha/definitions.py"], "the file that makes the build necessary"
    (changed,) = [each for each in found["locations"] if each["standing"] == "changed"]
    assert changed["changes"][0]["new"] == "(built by this change)", "its digest is not known before it is built"
    assert found["missing"] == [], "all could be looked at"
    assert (stack.images(), stack.servers()) == (before, servers), "nothing was built, pushed or started"


def test_a_change_of_code_is_named_and_rebuilds_its_image_only(stack: DockerStack) -> None:
    before = stack.images()
    stack.checkout.location("alpha", CODE.replace("{version}", "two"))
    preview = stack.hybrid("preview", "docker")
    assert "LocationImage alpha-image" in preview.err, preview.err
    assert "src/alpha/definitions.py" in preview.err, "the file that makes the build necessary"
    assert "beta-image" not in preview.err, "nothing of the other is touched"

    stack.up()
    after = stack.images()
    assert after["alpha"] != before["alpha"], "another content is another digest"
    assert after["beta"] == before["beta"], "unchanged means no build, no push, no reload"


def test_what_does_not_load_shows_its_traceback_and_is_rolled_back_to_its_pinned_image(stack: DockerStack) -> None:
    good = stack.images()["alpha"]
    stack.checkout.location("alpha", BROKEN_IN_ITS_CONTAINER)
    answer = stack.hybrid("locations", "deploy", "docker", "--rollback")
    assert answer.code != 0, "a deploy that was rolled back has failed"
    assert "only in the container" in answer.err, "the traceback of the location"
    assert good in stack.file.read_text(), "the image before is pinned in the stack's file"
    assert stack.images()["alpha"] == good, "and is what is loaded"

    again = stack.hybrid("up", "docker")
    assert again.code == 0, f"the pin holds until it is taken out:\n{again.err}"
    stack.checkout.location("alpha", CODE.replace("{version}", "three"))
    assert stack.hybrid("locations", "unpin", "docker", "alpha").code == 0
    stack.up()
    assert stack.images()["alpha"] != good, "unpinned, the location's own image is deployed"


def test_code_that_cannot_be_loaded_is_stopped_before_it_is_built(stack: DockerStack) -> None:
    before = stack.images()
    stack.checkout.location("beta", "raise RuntimeError('broken everywhere')\n")
    answer = stack.hybrid("up", "docker")
    assert answer.code != 0
    assert "broken everywhere" in answer.err, "what the code says"
    assert stack.images() == before, "and Dagster+ was told nothing"
    stack.checkout.location("beta", CODE.replace("{version}", "one"))


def test_a_killed_agent_comes_back_and_locations_stay_loaded(stack: DockerStack) -> None:
    stack.containers.run("kill", "hybrid-docker-agent")
    stack.containers.run("start", "hybrid-docker-agent")
    until(
        lambda: stack.hybrid("status", "docker", "--json").code == 0,
        seconds=120,
        what="the agent is RUNNING again and its locations are loaded",
    )


def test_down_leaves_the_engine_as_it_was(stack: DockerStack) -> None:
    answer = stack.hybrid("down", "docker")
    assert answer.code == 0, answer.err
    after = contents(stack.containers)
    for what, names in after.items():
        left = {name for name in names - stack.before[what] if "docker" in name}  # type: ignore[attr-defined]
        assert not left, f"{what} of the stack are left: {left}"
    assert not stack.running(), "nothing is on its network any more"
