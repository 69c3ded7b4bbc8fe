"""`hybrid review` of a stack on ECS with 20 code locations that stands, beside `pulumi preview` of the same: one that
restarts the agent, with the policy pack and without, and one that touches nothing, beside the command's own start."""

from __future__ import annotations

import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import yaml

from benchmarks.ecs_stack import ecs_stack
from benchmarks.figure import Figure
from benchmarks.organization_stack import STACK, OrganizationStack
from tests.aws.moto_server import Moto
from tests.emulated.checkout import REPOSITORY

LOCATIONS: Final = 20
ROUNDS: Final = 5
_HYBRID: Final = str(REPOSITORY / ".venv" / "bin" / "hybrid")
_IGNORED: Final = (".hybrid", ".venv", "hybrid", "agent", "infra", "policies", "stacks/Pulumi.local.yaml")


def measure() -> list[Figure]:
    """Seconds."""
    with tempfile.TemporaryDirectory(prefix="hybrid-bench-") as folder:
        root = Path(folder)
        (root / "moto").mkdir()
        moto = Moto(root / "moto")
        try:
            with ecs_stack(root, LOCATIONS) as made:
                stack = made.use(moto.environment, root / "stands")
                stack.up()
                return _measured(stack)
        finally:
            moto.stop()


def _measured(stack: OrganizationStack) -> list[Figure]:
    root = stack.checkout.root
    (root / ".gitignore").write_text("\n".join(_IGNORED))
    _git(root, "init", "-q", "-b", "main")
    _git(root, "add", "-A")
    _git(root, "commit", "-qm", "as it stands")
    (root / "notes.md").write_text("words\n")
    nothing = [_seconds(stack, _HYBRID, "review", "--base", "main") for _ in range(ROUNDS)]
    start = [_seconds(stack, _HYBRID, "--version") for _ in range(ROUNDS)]
    _change(root / "stacks" / f"Pulumi.{STACK}.yaml")
    commands: dict[str, Callable[[], float]] = {
        "pulumi": stack.preview,
        "review": lambda: _seconds(stack, _HYBRID, "review", "--base", "main", "--no-policies"),
        "with policies": lambda: _seconds(stack, _HYBRID, "review", "--base", "main"),
        "with secrets": lambda: _seconds(stack, _HYBRID, "review", "--base", "main", "--no-policies", "--secrets"),
    }
    seconds: dict[str, list[float]] = {}
    for _ in range(ROUNDS):
        for what, command in commands.items():
            seconds.setdefault(what, []).append(command())
    middle = {what: statistics.median(taken) for what, taken in seconds.items()}
    count = sum(1 for each in stack.resources() if each["custom"])
    told = f"{count} resources, {LOCATIONS} code locations"
    return [
        Figure(f"`hybrid review` without the policy pack, {told}", "s", middle["review"], middle["pulumi"]),
        Figure(f"`hybrid review`, {told}", "s", middle["with policies"], middle["pulumi"]),
        Figure(f"`hybrid review --secrets --no-policies`, {told}", "s", middle["with secrets"], middle["pulumi"]),
        Figure(
            "`hybrid review` of a change that touches nothing, beside the start of `hybrid`",
            "s",
            statistics.median(nothing),
            statistics.median(start),
        ),
    ]


def _change(file: Path) -> None:
    document = yaml.safe_load(file.read_text())
    document["config"]["hybrid:agent"] = {"kind": "ecs", "cpu": 512}
    file.write_text(yaml.safe_dump(document))


def _git(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=Bench", "-c", "user.email=bench@example.com")
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True)


def _seconds(stack: OrganizationStack, *command: str) -> float:
    began = time.monotonic()
    stack.run(*command)
    return time.monotonic() - began
