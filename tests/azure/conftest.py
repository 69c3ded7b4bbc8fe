"""Tests with Azure's libraries, which not everybody has: all of them are slow. The quick tier does not look at them
where the libraries are missing; the slow tier, which installs them, fails."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

_HERE = Path(__file__).parent


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    is_quick = str(config.option.markexpr).startswith("not slow")
    return True if is_quick and find_spec("pulumi_azure_native") is None else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if _HERE in item.path.parents:
            item.add_marker(pytest.mark.slow)
