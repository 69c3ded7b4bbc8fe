"""What to lay over a container context so that another one comes out of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from hybrid.delivery.environment import merged, repeated, without_nulls


def overlay_to(base: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any] | None:
    """The smallest mapping over ``base`` that gives ``wanted``, {} when they say the same; None when there is none: a
    list whose items have names only grows, and no list may have a name twice."""
    found = _difference(base, wanted)
    result = without_nulls(merged(base, found))
    if not same(result, wanted) or any(repeated(dict(wanted))):
        return None
    return found


def said(value: Any) -> Any:
    """``value`` without what is null or empty: neither says anything to Dagster+."""
    if isinstance(value, Mapping):
        items = {key: said(item) for key, item in value.items()}
        return {key: item for key, item in items.items() if item is not None} or None
    if isinstance(value, list | tuple):
        return [said(item) for item in value] or None
    return value


def same(one: Any, other: Any) -> bool:
    """Whether two documents say the same; the order of lists counts, and 1 is not true."""
    return json.dumps(said(one), sort_keys=True) == json.dumps(said(other), sort_keys=True)


def _difference(base: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {key: None for key in base if said(wanted.get(key)) is None and said(base[key]) is not None}
    for key, value in wanted.items():
        if said(value) is None:
            continue
        if key not in base or said(base[key]) is None:
            found[key] = value
        elif not same(base[key], value):
            both = isinstance(base[key], Mapping) and isinstance(value, Mapping)
            found[key] = _difference(base[key], value) if both else value
    return found
