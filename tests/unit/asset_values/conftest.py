"""A bench for the tests of the copier."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.asset_values.bench import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Callable[..., Bench]:
    return lambda *args, **options: Bench(tmp_path, *args, **options)
