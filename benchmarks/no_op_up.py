"""An `up` that has nothing to do, beside the same number of resources of a provider that does nothing: the same
engine, the same settings (refresh included), the same way to run the program."""

from __future__ import annotations

import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.figure import Figure
from hybrid.engine import backend
from hybrid.toolchain import ensure_pulumi
from hybrid.workspace import Workspace
from tests.emulated.checkout import REPOSITORY, Checkout

ROUNDS = 5

PROJECT = f"""name: nothing
runtime: {{name: python, options: {{virtualenv: .venv}}}}
options: {{refresh: always}}
plugins:
  providers:
    - {{name: "null", path: {REPOSITORY}/benchmarks/null_provider}}
"""
PROGRAM = """import pulumi
class Nothing(pulumi.CustomResource):
    def __init__(self, name):
        super().__init__("null:index:Nothing", name, {"a": 1})
for number in range(COUNT):
    Nothing(f"nothing{number}")
"""


def measure(locations: int) -> list[Figure]:
    """Seconds of a second `pulumi up`, and of a second `hybrid up` beside the null provider's `pulumi up`."""
    with tempfile.TemporaryDirectory(prefix="hybrid-bench-") as folder:
        checkout = Checkout(Path(folder) / "checkout")
        for number in range(locations):
            checkout.location(f"place{number}")
        checkout.up()
        resources = _resources(checkout)
        values = checkout.hybrid("env", "local", "--json").document
        environment = {**checkout.environment, **values}
        null = Path(folder) / "null"
        _prepare_null(null, resources, {**os.environ, **values})
        null_environment = {**environment, "PULUMI_BACKEND_URL": f"file://{null}", "PULUMI_STACK": "nothing"}
        timed = {
            "pulumi": lambda: _pulumi_up(checkout.root, environment),
            "null": lambda: _pulumi_up(null, null_environment),
            "hybrid": lambda: checkout.up(),
        }
        seconds: dict[str, list[float]] = {name: [] for name in timed}
        for _ in range(ROUNDS):
            for name, run in timed.items():
                seconds[name].append(_seconds(run))
        checkout.destroy()
    middle = {name: statistics.median(values) for name, values in seconds.items()}
    return [
        Figure(f"`pulumi up` with nothing to do, {resources} resources", "s", middle["pulumi"], middle["null"]),
        Figure(f"`hybrid up` with nothing to do, {resources} resources", "s", middle["hybrid"], middle["null"]),
    ]


def _resources(checkout: Checkout) -> int:
    import json

    state = json.loads((checkout.root / ".hybrid/state/.pulumi/stacks/hybrid/local.json").read_text())
    return sum(1 for resource in state["checkpoint"]["latest"]["resources"] if "::pulumi:" not in resource["urn"])


def _prepare_null(folder: Path, count: int, environment: dict[str, str]) -> None:
    folder.mkdir()
    (folder / "Pulumi.yaml").write_text(PROJECT)
    (folder / "__main__.py").write_text(PROGRAM.replace("COUNT", str(count)))
    (folder / ".venv").symlink_to(REPOSITORY / ".venv")
    pulumi = ensure_pulumi(lambda text: None)
    environment = {
        **backend.environment(Workspace(REPOSITORY), "local", pulumi, environment),
        "PULUMI_BACKEND_URL": f"file://{folder}",
        "PULUMI_CONFIG_PASSPHRASE": "bench",
    }
    subprocess.run(["pulumi", "stack", "init", "nothing"], cwd=folder, env=environment, check=True, capture_output=True)
    subprocess.run(
        ["pulumi", "up", "-s", "nothing", "--yes", "--skip-preview", "--non-interactive"],
        cwd=folder, env=environment, check=True, capture_output=True,
    )  # fmt: skip


def _pulumi_up(folder: Path, environment: dict[str, str]) -> None:
    environment = {**environment, "PULUMI_CONFIG_PASSPHRASE": "bench"} if "null" in folder.name else environment
    command = ["pulumi", "up", "--yes", "--skip-preview", "--non-interactive"]
    subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)


def _seconds(run: Callable[[], object]) -> float:
    began = time.monotonic()
    run()
    return time.monotonic() - began
