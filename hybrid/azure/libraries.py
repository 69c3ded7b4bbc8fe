"""Whether Azure's libraries are there: 400 MB that only stacks in Azure need
(docs/adr/0025-azures-libraries-on-need.md)."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Final

from hybrid.azure.errors import not_installed

NEEDED: Final = ("pulumi_azure_native", "azure.identity", "azure.mgmt.appcontainers", "azure.storage.blob")


def require_libraries() -> None:
    """Raises ``ToolchainError`` with the command that installs them."""
    if not all(_is_there(name) for name in NEEDED):
        raise not_installed()


def _is_there(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:  # of a package that has parts in several distributions none is there
        return False
