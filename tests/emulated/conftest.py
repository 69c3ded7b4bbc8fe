"""Checkouts for tests that stand up the local stack with the real engine and the real agent."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.emulated.checkout import Checkout


@pytest.fixture
def checkout(tmp_path: Path, environments: Path) -> Iterator[Checkout]:
    """A checkout with nothing standing and one good location ``alpha``; all it started is gone afterwards."""
    place = Checkout(tmp_path / "checkout", shared=environments)
    place.location("alpha")
    yield place
    place.destroy()


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory, environments: Path) -> Iterator[Checkout]:
    """A stack that stands, shared by the tests of a module, which leave it standing."""
    place = Checkout(tmp_path_factory.mktemp("standing") / "checkout", shared=environments)
    place.location("alpha")
    place.up()
    yield place
    place.destroy()
