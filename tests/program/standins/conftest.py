"""A throw-away Pulumi project that uses pulumi-docker, with the official plugin or the stand-in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hybrid.toolchain import Pulumi
from tests.containers.stand import Containers

STACK = "dev"
PREFACE = """
import os

import pulumi
import pulumi_docker as docker

IMAGE = os.environ["HYBRID_TEST_PYTHON_IMAGE"]
NAME = os.environ["TEST_NAME"]
"""


class Project:
    """A project with a state of its own. What it stands up is named ``name`` or begins with it."""

    def __init__(self, root: Path, pulumi: Pulumi, containers: Containers, plugin_path: str) -> None:
        self.root = root
        self.name = f"standin-{uuid.uuid4().hex[:8]}"
        self.containers = containers
        self._pulumi = pulumi
        path = [plugin_path, str(Path(sys.executable).parent), str(pulumi.bin_folder), containers.environ["PATH"]]
        self.environment = {
            **{name: value for name, value in containers.environ.items() if not name.startswith("PULUMI_")},
            "PATH": os.pathsep.join(part for part in path if part),
            "PULUMI_BACKEND_URL": (root / "state").as_uri(),
            "PULUMI_CONFIG_PASSPHRASE": "of a test",
            "PULUMI_SKIP_UPDATE_CHECK": "1",
            "TEST_NAME": self.name,
        }
        if plugin_path:  # the official one lives in Pulumi's home
            self.environment |= {
                "PULUMI_HOME": str(root / "home"),
                "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            }
        self.environment.pop("PYTHONDONTWRITEBYTECODE", None)
        (root / "state").mkdir()
        (root / "Pulumi.yaml").write_text("name: standin\nruntime: python\n")
        self.declare("")
        self.pulumi("stack", "init", STACK)

    def declare(self, program: str) -> None:
        (self.root / "__main__.py").write_text(PREFACE + program)

    def pulumi(self, *arguments: str, succeeds: bool = True) -> str:
        done = subprocess.run(
            [str(self._pulumi.executable), *arguments, "--non-interactive", "--color", "never"],
            cwd=self.root,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        said = done.stdout + done.stderr
        assert (done.returncode == 0) is succeeds, f"pulumi {' '.join(arguments)} ended with {done.returncode}:\n{said}"
        return said

    def up(self, *, succeeds: bool = True) -> str:
        return self.pulumi("up", "--yes", "--skip-preview", succeeds=succeeds)

    def outputs(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.pulumi("stack", "output", "--json", "--show-secrets"))
        return found

    def state(self) -> str:
        """The state file's text, as it lies on the disk."""
        return "".join(file.read_text() for file in (self.root / "state").rglob(f"{STACK}.json"))

    def ids(self) -> set[str]:
        """The ids of all resources in the state."""
        deployment = json.loads(self.pulumi("stack", "export"))["deployment"]
        return {resource["id"] for resource in deployment.get("resources", []) if "id" in resource}

    def inspect(self, what: str = "") -> dict[str, Any]:
        found: list[dict[str, Any]] = json.loads(self.containers.run("inspect", what or self.name))
        return found[0]


@pytest.fixture
def project(tmp_path: Path, pulumi: Pulumi, containers: Containers, docker_plugin_path: str) -> Iterator[Project]:
    made = Project(tmp_path, pulumi, containers, docker_plugin_path)
    yield made
    made.pulumi("destroy", "--yes", "--skip-preview")
