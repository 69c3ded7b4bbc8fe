"""An Azure for tests: ``azure_cloud``."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from agent.azure_names import AzureNames
from tests.containers.stand import Containers

if TYPE_CHECKING:
    from tests.azure.cloud import AzureCloud

STACK: Final = "prod"
_STANDIN: Final = Path(__file__).resolve().parents[1] / "standins" / "azure"


def pytest_report_header() -> list[str]:
    official = _official_plugin(dict(os.environ))
    plugin = f"official, {official}" if official else "STAND-IN (tests/standins/azure)"
    return [
        "Azure: STAND-IN (tests/standins/azure: a fake Azure Resource Manager, and containers)",
        f"azure-native plugin of Pulumi: {plugin}",
    ]


def _official_plugin(environ: Mapping[str, str]) -> Path | None:
    folder = Path(environ.get("PULUMI_HOME") or Path.home() / ".pulumi") / "plugins"
    found = sorted(folder.glob("resource-azure-native-v*/pulumi-resource-azure-native"))
    return found[-1] if found else None


@pytest.fixture(scope="session")
def azure_plugin_path() -> str:
    """The folder to put before PATH so that Pulumi finds an azure-native plugin; empty where Pulumi has its own."""
    return "" if _official_plugin(dict(os.environ)) else str(_STANDIN)


@pytest.fixture(scope="session")
def azure_agent_image(containers: Containers, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An image with ``dagster-cloud[aca]``, by digest in the tests' registry."""
    from tests.ecs import images

    return images.agent_image(containers, tmp_path_factory.mktemp("azure-images"), "aca")


@pytest.fixture(scope="module")
def azure_cloud(containers: Containers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AzureCloud]:
    """An empty subscription. It ends with the module, which has to be without a fault of the stand-in's own."""
    from tests.azure.cloud import LOCATION, SUBSCRIPTION, AzureCloud

    assert os.geteuid() == 0, "the stand-in takes Azure's port at an address of this machine: it needs Linux and root"
    names = AzureNames.of(STACK, SUBSCRIPTION, LOCATION)
    with AzureCloud(containers, tmp_path_factory.mktemp("azure-cloud"), names) as cloud:
        yield cloud
        faults = [each.fault for all_ in cloud.arm.printed.values() for each in all_ if "stand-in" in each.fault]
        unknown = cloud.arm.unknown
    assert not cloud.containers(), "what a subscription started ends with it"
    assert not faults, f"the stand-in for Azure has failed: {faults[0]}"
    assert not unknown, f"the stand-in for Azure was asked what it has not: {unknown[:3]}"
