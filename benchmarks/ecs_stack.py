"""A stack on ECS for measurements: its AWS is moto, which runs no task."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from benchmarks.organization_stack import OrganizationStack, organization_stack
from tests.aws.fixtures import official_aws_plugin
from tests.aws.moto_server import ACCOUNT, REGION
from tests.emulated.checkout import REPOSITORY

_STANDIN: Final = REPOSITORY / "tests" / "standins" / "aws"
_PLACE: Final = {"agent": {"kind": "ecs"}, "aws": {"account": ACCOUNT, "region": REGION}}


@contextmanager
def ecs_stack(root: Path, locations: int = 1) -> Iterator[OrganizationStack]:
    """See ``organization_stack``; ``use`` it with the variables of a moto."""
    with organization_stack(root, _PLACE, locations) as stack:
        official = official_aws_plugin(stack.checkout.environment)
        yield replace(stack, plugins="" if official else str(_STANDIN))
