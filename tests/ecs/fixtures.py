"""A double of ECS for tests: ``ecs_lab``, and the images for it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.containers.stand import Containers
from tests.ecs import images
from tests.standins.ecs.client import EcsLab


def pytest_report_header() -> str:
    return f"ECS: STAND-IN (tests/standins/ecs: moto and containers){'' if _possible() else '; needs Linux and root'}"


@pytest.fixture(scope="session")
def ecs_agent_image(containers: Containers, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An image with ``dagster-cloud[ecs]``, by digest in the tests' registry."""
    return images.agent_image(containers, tmp_path_factory.mktemp("ecs-images"))


@pytest.fixture(scope="session")
def ecs_location_image(containers: Containers, ecs_agent_image: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An image with the code of ``tests.ecs.images.CODE``, by digest."""
    return images.location_image(containers, tmp_path_factory.mktemp("ecs-images"), ecs_agent_image)


@pytest.fixture(scope="module")
def ecs_lab(containers: Containers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EcsLab]:
    """An empty AWS account whose ECS runs containers. It ends with the module, which then has to be without a fault of
    the double's own and without a call that IAM's table lacks."""
    assert _possible(), (
        "the double of ECS takes the address that real tasks ask for credentials: it needs Linux and root"
    )
    with EcsLab(containers, _folder(tmp_path_factory)) as lab:
        yield lab
        faults = [event["traceback"] for event in lab.events if event["what"] == "fault"]
        unknown = sorted({call.name for call in lab.calls if call.unknown})
    assert not lab.left_behind(), "what a lab started ends with it"
    assert not faults, f"the double of ECS has failed: {faults[0]}"
    assert not unknown, (
        f"tests/standins/iam has no row for {', '.join(unknown)}: nobody knows whether the policies cover it"
    )


def _folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ecs-lab")


def _possible() -> bool:
    return os.name == "posix" and Path("/proc").is_dir() and os.geteuid() == 0
