"""A cluster for tests: ``kubernetes_lab``."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.containers.stand import Containers

if TYPE_CHECKING:
    # its client of Kubernetes takes a second to load
    from tests.kubernetes.lab import KubernetesLab
    from tests.kubernetes.paper_cluster import PaperCluster


_STANDIN: Final = Path(__file__).resolve().parents[1] / "standins" / "kubernetes"


def pytest_report_header() -> list[str]:
    from tests.kubernetes import parts

    there = "kept" if parts.kept(dict(os.environ)) else "to be downloaded or compiled"
    official = official_plugin(dict(os.environ))
    plugin = f"official, {official}" if official else "STAND-IN (tests/standins/kubernetes)"
    return [
        f"Kubernetes: real API server, etcd, controllers, scheduler {parts.VERSION} ({there}); node: STAND-IN",
        f"kubernetes plugin of Pulumi: {plugin}",
    ]


def official_plugin(environ: Mapping[str, str]) -> Path | None:
    """Pulumi's own kubernetes plugin: installed, or built by `hybrid tools install --kubernetes`."""
    from hybrid.workspace import tools_folder

    folder = Path(environ.get("PULUMI_HOME") or Path.home() / ".pulumi") / "plugins"
    found = sorted(folder.glob("resource-kubernetes-v*/pulumi-resource-kubernetes"))
    found += sorted(tools_folder().glob("pulumi/[0-9]*/bin/pulumi-resource-kubernetes"))
    return found[-1] if found else None


@pytest.fixture(scope="session")
def kubernetes_plugin_path() -> str:
    """The folder to put before PATH so that Pulumi finds a kubernetes plugin; empty where Pulumi has its own."""
    return "" if official_plugin(dict(os.environ)) else str(_STANDIN)


@pytest.fixture(scope="module")
def kubernetes_lab(containers: Containers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubernetesLab]:
    """An empty cluster with one node. It ends with the module, which has to be without a fault of the node's own."""
    from tests.kubernetes.lab import KubernetesLab

    with KubernetesLab(containers, tmp_path_factory.mktemp("kubernetes-lab")) as lab:
        yield lab
        faults = [event["error"] for event in lab.events if event["what"] == "fault"]
    assert not lab.left_behind(), "what a lab started ends with it"
    assert not faults, f"the double of a node has failed: {faults[0]}"


@pytest.fixture(scope="module")
def paper_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PaperCluster]:
    """An empty cluster whose node runs nothing. It needs no Docker engine, and others may have theirs beside it."""
    from tests.kubernetes.paper_cluster import PaperCluster

    with PaperCluster(tmp_path_factory.mktemp("paper-cluster")) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def kubernetes_agent_image(containers: Containers, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An image with ``dagster-cloud[kubernetes]``, by digest in the tests' registry."""
    from tests.ecs import images

    return images.agent_image(containers, tmp_path_factory.mktemp("kubernetes-images"), "kubernetes")
