"""A cluster for tests: ``kubernetes_lab``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.containers.stand import Containers

if TYPE_CHECKING:
    from tests.kubernetes.lab import KubernetesLab  # its client of Kubernetes takes a second to load


def pytest_report_header() -> str:
    from tests.kubernetes import parts

    there = "kept" if parts.kept(dict(os.environ)) else "to be downloaded or compiled"
    return f"Kubernetes: real API server, etcd, controllers, scheduler {parts.VERSION} ({there}); node: STAND-IN"


@pytest.fixture(scope="module")
def kubernetes_lab(containers: Containers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubernetesLab]:
    """An empty cluster with one node. It ends with the module, which has to be without a fault of the node's own."""
    from tests.kubernetes.lab import KubernetesLab

    with KubernetesLab(containers, tmp_path_factory.mktemp("kubernetes-lab")) as lab:
        yield lab
        faults = [event["error"] for event in lab.events if event["what"] == "fault"]
    assert not lab.left_behind(), "what a lab started ends with it"
    assert not faults, f"the double of a node has failed: {faults[0]}"
