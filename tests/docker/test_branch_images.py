"""``hybrid branch open`` where locations run from images: a real engine, a real registry with a password, the embedded
Dagster+, and no agent: what is built, what is taken from the full deployment, and what both are told."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hybrid.plus import Endpoint, PlusClient, api_token
from tests.containers.stand import Containers
from tests.docker.test_locations_images import Team
from tests.emulated.checkout import HYBRID, REPOSITORY
from tests.emulated.served import ServedOrganization

pytestmark = [pytest.mark.containers, pytest.mark.slow, pytest.mark.timeout(900)]

CODE = """\
import dagster as dg

@dg.asset
def answer() -> int:
    return {answer}

defs = dg.Definitions(assets=[answer])
"""


class Repository(Team):
    """The team's checkout with git, on a branch that has left ``main``, and a Dagster+ that has both locations."""

    def __init__(self, root: Path, containers: Containers, plus: ServedOrganization) -> None:
        super().__init__(root, containers)
        self.plus = plus
        self.token = root / ".hybrid" / "stacks" / "dock" / "emulator" / "api-token"
        self.token.parent.mkdir(parents=True)
        self.token.touch(mode=0o600)
        self.token.write_text(plus.token)
        self.file.write_text(
            self.file.read_text().replace("kind: docker", "kind: docker\n    branchDeployments: true")
            + f"  hybrid:emulator:\n    port: {plus.port}\n"
        )
        (root / ".venv").symlink_to(REPOSITORY / ".venv")  # the gate runs the location's code
        (root / ".gitignore").write_text(".hybrid\n.venv\n__pycache__\n")
        for name in ("alpha", "beta"):
            self.write(name, f"src/{name}/__init__.py", f"# {self.address}\n")
            self.write(name, f"src/{name}/definitions.py", CODE.format(answer=1))
        self.git("init", "--quiet", "--initial-branch", "main")
        self.commit()
        self.git("update-ref", "refs/remotes/origin/main", "HEAD")
        self.git("checkout", "--quiet", "-b", "feature")

    def git(self, *arguments: str) -> None:
        named = ["-c", "user.name=author", "-c", "user.email=a@example.com"]
        subprocess.run(["git", *named, *arguments], cwd=self.root, check=True, capture_output=True)

    def commit(self) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "x")

    def client(self, deployment: str) -> PlusClient:
        return PlusClient(Endpoint(self.plus.url, "local", deployment), api_token({}, self.token))

    def branch(self, *arguments: str) -> tuple[int, Any, str]:
        done = subprocess.run(
            [str(HYBRID), "branch", *arguments, "--repo", "acme/data", "--json"],
            cwd=self.root,
            env={**os.environ, **self.containers.environ, "HYBRID_ROOT": str(self.root), "NO_COLOR": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=400,
            check=False,
        )
        return done.returncode, json.loads(done.stdout) if done.stdout else None, done.stderr


@pytest.fixture
def repository(tmp_path: Path, containers: Containers) -> Iterator[Repository]:
    with ServedOrganization(tmp_path / "plus") as plus:
        made = Repository(tmp_path / "team", containers, plus)
        yield made
        listed = containers.run("image", "ls", "--format", "{{.Repository}}:{{.Tag}}").split()
        if mine := [image for image in listed if image.startswith(f"{made.address}/")]:
            containers.run("image", "rm", *mine)


def test_only_what_the_branch_touches_is_built_and_the_rest_is_the_full_deployments(repository: Repository) -> None:
    code, pushed, err = repository.locations("push", "dock")
    assert code == 0, err
    before = {image["name"]: image["reference"] for image in pushed["images"]}
    with repository.client("prod") as full:
        for name, reference in before.items():
            full.put_location(
                {"location_name": name, "code_source": {"module_name": f"{name}.definitions"}, "image": reference}
            )
        told = full.location_documents(), [status.deployed_at for status in full.code_locations()]
    repository.write("beta", "src/beta/definitions.py", CODE.format(answer=2))
    repository.commit()
    arguments = ("open", "dock", "--branch", "feature", "--no-wait")
    code, opened, err = repository.branch(*arguments)
    assert code == 0, err
    rows = {row["name"]: row for row in opened["locations"]}
    assert (rows["alpha"]["from"], rows["alpha"]["image"]) == ("base", before["alpha"])
    assert rows["beta"]["from"] == "built"
    assert "@sha256:" in rows["beta"]["image"]
    assert rows["beta"]["image"] != before["beta"]
    with repository.client(opened["deployment"]) as branch:
        documents = branch.location_documents()
    assert {name: document["image"] for name, document in documents.items()} == {
        name: row["image"] for name, row in rows.items()
    }
    code, again, err = repository.branch(*arguments)
    assert code == 0, err
    assert {row["name"]: (row["from"], row["sent"]) for row in again["locations"]} == {
        "alpha": ("base", False),
        "beta": ("present", False),
    }, "the registry has it, and Dagster+ was told"
    code, closed, err = repository.branch("close", "dock", "--branch", "feature")
    assert code == 0, err
    assert "registry's own rules" in closed["branch_deployments"][0]["images"]["problem"], "it is not ECR"
    with repository.client("prod") as full:
        assert (full.location_documents(), [status.deployed_at for status in full.code_locations()]) == told
        assert full.branch_deployments() == []
