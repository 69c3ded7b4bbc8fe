"""Whether an agent could load what Serverless runs; one that could not stands by until the hand-over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def can_load(document: Mapping[str, Any], *, needs_images: bool) -> bool:
    """``needs_images`` of the agent. Files of a PEX are given to Serverless alone, and what is an image there lies in
    a registry of Dagster+'s, so that only what runs from a folder is left, for an agent on its machine."""
    return not (needs_images or document.get("pex_metadata") or document.get("image"))
