"""An organization on Serverless, without Serverless's agent."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from hybrid.emulator.organization import Organization
from tests.unit.emulator.serving import Served, served


@pytest.fixture
def organization(tmp_path: Path) -> Iterator[Organization]:
    opened = Organization(tmp_path, agent_type="SERVERLESS")
    yield opened
    opened.close()


@pytest.fixture
def plane(organization: Organization, tmp_path: Path, standin: ModuleType) -> Iterator[Served]:
    with served(organization, tmp_path, standin) as plane:
        yield plane
