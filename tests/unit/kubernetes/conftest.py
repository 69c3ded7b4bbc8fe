"""A cluster that is faked over HTTP, and a door to it."""

from __future__ import annotations

import pytest

from hybrid.kubernetes.session import Cluster
from tests.unit.kubernetes.fake_cluster import Fake, served


@pytest.fixture
def fake(tmp_path, monkeypatch):
    monkeypatch.delenv("KUBECONFIG", raising=False)
    with served(Fake(), tmp_path) as fake:
        yield fake
    assert fake.unknown == [], "something was asked that an API server of this kind is not asked"


@pytest.fixture
def cluster(fake):
    return Cluster(fake.kubeconfig)
