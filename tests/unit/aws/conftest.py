"""A cluster in moto, and a door to it."""

from __future__ import annotations

import pytest

from hybrid.aws.session import Aws
from tests.unit.aws.motolab import ACCOUNT, REGION, laboratory


@pytest.fixture
def lab(monkeypatch):
    with laboratory(monkeypatch) as lab:
        yield lab


@pytest.fixture
def aws(lab):
    return Aws(REGION, ACCOUNT)
