"""A world in memory for the steps of a switch."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.switch.world import World


@pytest.fixture
def no_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kill here is an exception, so nothing has to be on a disk; the emulated tier has real ones."""
    monkeypatch.setattr("os.fsync", lambda descriptor: None)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)
