"""What a location's document says, whatever its form: Dagster+ keeps one in a form of its own."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any


def normal(value: Any) -> Any:
    """A document without its name and without what is null or empty: neither says anything."""
    cleaned = _cleaned(value)
    return {key: item for key, item in cleaned.items() if key != "location_name"} if cleaned else {}


def digest_of(document: Mapping[str, Any]) -> str:
    """The same for two documents that say the same."""
    return hashlib.sha256(json.dumps(normal(document), sort_keys=True).encode()).hexdigest()


def _cleaned(value: Any) -> Any:
    if isinstance(value, Mapping):
        items = {key: _cleaned(item) for key, item in value.items()}
        return {key: item for key, item in items.items() if item is not None} or None
    if isinstance(value, list):
        return [_cleaned(item) for item in value] or None
    return value
