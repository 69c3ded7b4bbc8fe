"""The questions to a real subscription: refused before anything runs when it is not said which."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

_HERE = Path(__file__).parent
SUBSCRIPTION: Final = "HYBRID_LIVE_AZURE_SUBSCRIPTION"


@pytest.hookimpl(trylast=True)  # after `-m`: whoever does not ask for live tests needs no subscription
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    mine = [item for item in items if item.path.is_relative_to(_HERE) and item.get_closest_marker("live")]
    if mine and (missing := missing_for_azure(os.environ)):
        raise pytest.UsageError(f"{missing} Nothing was asked of Azure.")


def missing_for_azure(environ: Mapping[str, str]) -> str:
    """What the live tests lack; empty when they may run. The subscription is named so that no other one is asked."""
    if not environ.get(SUBSCRIPTION):
        return f"The live tests need a subscription ({SUBSCRIPTION}) and a login that reaches it."
    from hybrid.azure.libraries import require_libraries
    from hybrid.errors import HybridError

    try:
        require_libraries()
    except HybridError as error:
        return error.sentence()
    return ""
