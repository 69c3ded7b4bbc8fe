"""A preview of the whole ECS stack beside `terraform plan` of the same AWS resources: from nothing, and when it stands.

Both are told that AWS is moto, and where Pulumi's aws plugin is the stand-in, both drive the same executable of
HashiCorp's. From nothing both ask one account; what stands, stands twice, each in a moto of its own. Ours declares what
Terraform has no counterpart of besides: Dagster+'s token, location and readiness, checks, components.
"""

from __future__ import annotations

import os
import statistics
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from benchmarks import program_start
from benchmarks.ecs_stack import ecs_stack
from benchmarks.ecs_terraform import Terraform, terraform_configuration
from benchmarks.figure import Figure
from benchmarks.organization_stack import OrganizationStack
from tests.aws.moto_server import Moto

ROUNDS: Final = 7
_SMALLEST: Final = 'import pulumi_aws as aws\naws.Provider("aws", region="eu-central-1")\n'


def measure() -> list[Figure]:
    """Seconds of previews and of the program's start."""
    with tempfile.TemporaryDirectory(prefix="hybrid-bench-") as folder:
        root = Path(folder)
        with ecs_stack(root) as stack, _accounts(root, "ours", "peers", "empty") as accounts:
            return _measured(root, stack, accounts)


def _measured(root: Path, stack: OrganizationStack, accounts: Mapping[str, Moto]) -> list[Figure]:
    nothing, stands = (
        stack.use(accounts[account].environment, root / what)
        for account, what in (("empty", "nothing"), ("ours", "stands"))
    )
    stands.up()
    resources = stands.resources()
    document = terraform_configuration(resources, os.environ)
    peers = {
        "nothing": Terraform(root / "terraform-nothing", document, accounts["empty"].environment),
        "stands": Terraform(root / "terraform-stands", document, accounts["peers"].environment),
    }
    peers["stands"].apply()
    of_aws = sum(1 for each in resources if each["type"].startswith("aws:"))
    wanted, planned = f"Plan: {of_aws} to add, 0 to change, 0 to destroy.", peers["nothing"].planned()
    assert planned == wanted, f"the peer has not the same resources: {planned}"
    told = f"{of_aws} resources of AWS"
    seconds: dict[str, list[float]] = {}
    commands: dict[str, Callable[[], float]] = {
        "plan from nothing": peers["nothing"].plan,
        "pulumi from nothing": nothing.preview,
        "hybrid from nothing": nothing.hybrid_preview,
        "plan of what stands": peers["stands"].plan,
        "pulumi of what stands": stands.preview,
        "hybrid of what stands": stands.hybrid_preview,
    }
    for _ in range(ROUNDS):
        for what, command in commands.items():
            seconds.setdefault(what, []).append(command())
    middle = {what: statistics.median(taken) for what, taken in seconds.items()}
    return [
        *(
            Figure(f"`{tool} preview` {when}, {told}", "s", middle[f"{tool} {when}"], middle[f"plan {when}"])
            for when in ("from nothing", "of what stands")
            for tool in ("pulumi", "hybrid")
        ),
        *program_start.measure(nothing, "ECS", "pulumi_aws", _SMALLEST),
    ]


@contextmanager
def _accounts(root: Path, *names: str) -> Iterator[dict[str, Moto]]:
    made: dict[str, Moto] = {}
    try:
        for name in names:
            (root / f"moto-{name}").mkdir()
            made[name] = Moto(root / f"moto-{name}")
        yield made
    finally:
        for moto in made.values():
            moto.stop()
