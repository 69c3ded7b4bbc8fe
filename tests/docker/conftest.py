"""Pulumi's real engine, for the component of the Docker agent."""

from __future__ import annotations

import pytest

from hybrid.toolchain import Pulumi, find_pulumi


@pytest.fixture(scope="session")
def pulumi() -> Pulumi:
    """The Pulumi that this checkout uses. Its absence is a failure, not a skip."""
    found = find_pulumi()
    assert found is not None, "there is no Pulumi here: run `hybrid tools` first"
    return found
