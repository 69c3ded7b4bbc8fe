"""``hybrid locations build``, ``push`` and ``diff`` with a real engine and a real registry with a password."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hybrid.plus import Endpoint, PlusClient, api_token
from tests.containers.stand import Containers
from tests.emulated.checkout import HYBRID
from tests.emulated.served import ServedOrganization

pytestmark = [pytest.mark.containers, pytest.mark.slow, pytest.mark.timeout(900)]


class Team:
    """A checkout with the stack ``dock`` and the locations alpha and beta, each a small image."""

    def __init__(self, root: Path, containers: Containers) -> None:
        self.root = root
        self.containers = containers
        self.address = f"{containers.registry}/t{secrets.token_hex(4)}"
        (root / "stacks").mkdir(parents=True)
        self.file = root / "stacks" / "Pulumi.dock.yaml"
        self.file.write_text(
            f"config:\n  hybrid:agent:\n    kind: docker\n  hybrid:registry:\n    address: {self.address}\n"
            f"  hybrid:images:\n    pythonImage: {containers.python_image}\n"
        )
        for name in ("alpha", "beta"):
            self.write(name, "pyproject.toml", PROJECT.format(name=name))
            self.write(name, "Dockerfile", DOCKERFILE)
            self.write(name, f"src/{name}/definitions.py", f"# {self.address}\n")

    def write(self, location: str, path: str, text: str) -> None:
        file = self.root / "locations" / location / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def locations(self, *arguments: str) -> tuple[int, Any, str]:
        done = subprocess.run(
            [str(HYBRID), "locations", *arguments, "--json"],
            cwd=self.root,
            env={**os.environ, **self.containers.environ, "HYBRID_ROOT": str(self.root), "NO_COLOR": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
        return done.returncode, json.loads(done.stdout) if done.stdout else None, done.stderr


PROJECT = """\
[project]
name = "{name}"
version = "1"
dependencies = ["dagster==1.13.27", "dagster-cloud==1.13.27"]
[tool.dg.project]
root_module = "{name}"
"""
DOCKERFILE = "ARG PYTHON_IMAGE\nFROM ${PYTHON_IMAGE}\nCOPY . /x\n"


@pytest.fixture
def team(tmp_path: Path, containers: Containers) -> Iterator[Team]:
    made = Team(tmp_path / "team", containers)
    yield made
    listed = containers.run("image", "ls", "--format", "{{.Repository}}:{{.Tag}}").split()
    if mine := [image for image in listed if image.startswith(f"{made.address}/")]:
        containers.run("image", "rm", *mine)


def actions(document: Any) -> dict[str, str]:
    return {image["name"]: image["action"] for image in document["images"]}


def test_what_is_pushed_once_is_not_built_again_until_it_changes(team: Team) -> None:
    code, document, err = team.locations("push", "dock")
    assert code == 0, err
    assert actions(document) == {"alpha": "pushed", "beta": "pushed"}
    first = {image["name"]: image["reference"] for image in document["images"]}
    assert all("@sha256:" in reference for reference in first.values()), "a tag can be moved, a digest cannot"
    team.write("alpha", "src/alpha/definitions.py", "# changed\n")
    code, document, err = team.locations("push", "dock")
    assert code == 0, err
    assert actions(document) == {"alpha": "pushed", "beta": "unchanged"}
    second = {image["name"]: image["reference"] for image in document["images"]}
    assert second["beta"] == first["beta"]
    assert second["alpha"] != first["alpha"]


def test_a_dockerfile_that_fails_stops_neither_the_other_nor_says_too_little(team: Team) -> None:
    team.write("alpha", "Dockerfile", DOCKERFILE + "RUN echo the reason && exit 3\n")
    code, document, err = team.locations("push", "dock")
    assert code != 0
    assert actions(document) == {"alpha": "failed", "beta": "pushed"}
    assert "the reason" in err, "the last lines of the step that failed are shown"


def test_a_build_leaves_the_registry_as_it_is(team: Team) -> None:
    code, document, err = team.locations("build", "dock", "--only", "alpha")
    assert code == 0, err
    assert actions(document) == {"alpha": "built"}
    code, document, err = team.locations("push", "dock", "--only", "alpha")
    assert actions(document) == {"alpha": "pushed"}, "it was not there before"


def test_a_tag_is_pinned_by_the_digest_that_the_registry_has(team: Team) -> None:
    _, document, _ = team.locations("push", "dock", "--only", "alpha")
    reference = document["images"][0]["reference"]
    built = team.locations("build", "dock", "--only", "alpha")[1]["images"][0]["reference"]
    code, answer, err = team.locations("pin", "dock", "alpha", built)
    assert code == 0, err
    assert answer["image"] == reference
    assert f"alpha: {reference}" in team.file.read_text()
    code, document, err = team.locations("push", "dock")
    assert "pinned" in err
    assert actions(document) == {"beta": "pushed"}, "what is pinned is not made from its folder"


def test_a_difference_names_what_would_be_built_and_why(team: Team, tmp_path: Path) -> None:
    _, document, _ = team.locations("push", "dock")
    reference = {image["name"]: image["reference"] for image in document["images"]}
    with ServedOrganization(tmp_path / "plus") as plus:
        token = team.root / ".hybrid" / "stacks" / "dock" / "emulator" / "api-token"
        token.parent.mkdir(parents=True)
        token.touch(mode=0o600)
        token.write_text(plus.token)
        team.file.write_text(f"{team.file.read_text()}  hybrid:emulator:\n    port: {plus.port}\n")
        endpoint = Endpoint(url=plus.url, organization="local", deployment="prod")
        with PlusClient(endpoint, api_token({}, token)) as client:
            for name in ("alpha", "beta"):
                source = {"module_name": f"{name}.definitions"}
                client.put_location({"location_name": name, "image": reference[name], "code_source": source})
        team.write("alpha", "src/alpha/definitions.py", "# changed\n")
        code, document, err = team.locations("diff", "dock", "--exit-code")
    assert code == 1, err
    found = {row["name"]: row for row in document["locations"]}
    assert (found["alpha"]["standing"], found["alpha"]["image"]["rebuild"]) == ("changed", True)
    assert [change["path"] for change in found["alpha"]["changes"]] == ["image"]
    assert (found["beta"]["standing"], found["beta"]["image"]["rebuild"]) == ("same", False)
