"""An `up` that has nothing to do, beside the same number of resources of a provider that does nothing: the same
engine, the same settings, refresh included."""

from __future__ import annotations

import json
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.figure import Figure
from benchmarks.project import Project
from tests.emulated.checkout import Checkout

ROUNDS = 5


def measure(locations: int) -> list[Figure]:
    """Seconds of a second `pulumi up` and of a second `hybrid up` of the local stack."""
    with tempfile.TemporaryDirectory(prefix="hybrid-bench-") as folder:
        checkout = Checkout(Path(folder) / "checkout")
        for number in range(locations):
            checkout.location(f"place{number}")
        checkout.up()
        resources = _resources(checkout)
        nothing = Project.of_nothing(Path(folder) / "nothing", resources)
        nothing.up()
        environment = {**checkout.environment, **checkout.hybrid("env", "local", "--json").document}
        seconds: dict[str, list[float]] = {"pulumi": [], "null": [], "hybrid": []}
        for _ in range(ROUNDS):
            seconds["pulumi"].append(_seconds(lambda: _pulumi_up(checkout.root, environment)))
            seconds["null"].append(nothing.up())
            seconds["hybrid"].append(_seconds(checkout.up))
        checkout.destroy()
    middle = {name: statistics.median(values) for name, values in seconds.items()}
    return [
        Figure(f"`pulumi up` with nothing to do, {resources} resources", "s", middle["pulumi"], middle["null"]),
        Figure(f"`hybrid up` with nothing to do, {resources} resources", "s", middle["hybrid"], middle["null"]),
    ]


def _resources(checkout: Checkout) -> int:
    state = json.loads((checkout.root / ".hybrid/state/.pulumi/stacks/hybrid/local.json").read_text())
    return sum(1 for resource in state["checkpoint"]["latest"]["resources"] if "::pulumi:" not in resource["urn"])


def _pulumi_up(folder: Path, environment: dict[str, str]) -> None:
    command = ["pulumi", "up", "--yes", "--skip-preview", "--non-interactive"]
    subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)


def _seconds(run: Callable[[], object]) -> float:
    began = time.monotonic()
    run()
    return time.monotonic() - began
