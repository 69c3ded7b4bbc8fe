"""A stack on ECS in an account of moto's."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.aws.ecs_stack import EcsStack, Images, MotoWithTasks
from tests.emulated.checkout import Checkout
from tests.emulated.served import ServedOrganization


@pytest.fixture(scope="module")
def ecs_stack(tmp_path_factory: pytest.TempPathFactory, aws_plugin_path: str) -> Iterator[EcsStack]:
    """Nothing stands; the tests of a module share it."""
    root = tmp_path_factory.mktemp("ecs-stack")
    (root / "moto").mkdir()
    moto, images = MotoWithTasks(root / "moto"), Images()
    try:
        with ServedOrganization(root / "plus", "--organization", "acme", "--deployment", "prod") as plus:
            yield EcsStack(Checkout(root / "checkout"), moto, plus, aws_plugin_path, images)
    finally:
        moto.stop()
        images.stop()
