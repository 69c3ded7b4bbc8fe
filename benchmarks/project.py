"""A Pulumi project for a measurement: a program of a few lines, its own state, the engine that the stacks use."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

from hybrid.engine import backend
from hybrid.toolchain import ensure_pulumi
from hybrid.workspace import Workspace
from tests.emulated.checkout import REPOSITORY

_STACK = "bench"
_PROJECT = f"""name: bench
runtime: {{name: python, options: {{virtualenv: .venv}}}}
options: {{refresh: always}}
plugins:
  providers:
    - {{name: "null", path: {REPOSITORY}/benchmarks/null_provider}}
    - {{name: dagsterhybrid, path: {REPOSITORY}/hybrid/provider/plugin}}
"""
_NOTHING = """import pulumi
class Nothing(pulumi.CustomResource):
    def __init__(self, name):
        super().__init__("null:index:Nothing", name, {"a": 1})
for number in range(COUNT):
    Nothing(f"nothing{number}")
"""


class Project:
    """A project in a folder of its own. ``refresh: always``, as in this repository's own."""

    def __init__(self, folder: Path, program: str) -> None:
        self._folder = folder
        folder.mkdir()
        (folder / "Pulumi.yaml").write_text(_PROJECT)
        (folder / "__main__.py").write_text(program)
        (folder / ".venv").symlink_to(REPOSITORY / ".venv")
        self._pulumi("stack", "init", _STACK)

    @classmethod
    def of_nothing(cls, folder: Path, count: int) -> Project:
        """So many resources of a provider that does nothing."""
        return cls(folder, _NOTHING.replace("COUNT", str(count)))

    def up(self) -> float:
        """Seconds of a `pulumi up`."""
        began = time.monotonic()
        self._pulumi("up", "--skip-preview", "--yes", "--stack", _STACK)
        return time.monotonic() - began

    def destroy(self) -> None:
        self._pulumi("destroy", "--skip-preview", "--yes", "--stack", _STACK)

    def _pulumi(self, *arguments: str) -> None:
        pulumi = ensure_pulumi(lambda text: None)
        environment = {
            **backend.environment(Workspace(REPOSITORY), "local", pulumi, dict(os.environ)),
            "PULUMI_BACKEND_URL": f"file://{self._folder}",
            "PULUMI_CONFIG_PASSPHRASE": "bench",
        }
        command = [str(pulumi.executable), *arguments, "--non-interactive"]
        subprocess.run(command, cwd=self._folder, env=environment, check=True, capture_output=True)
