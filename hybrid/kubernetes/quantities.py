"""Kubernetes' quantities, such as 250m of a processor and 1Gi of memory."""

from __future__ import annotations

from decimal import Decimal
from typing import Any


def quantity(value: Any) -> Decimal | None:
    """A number of what is meant; None when Kubernetes knows no such quantity."""
    from kubernetes.utils.quantity import parse_quantity

    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        found = Decimal(parse_quantity(str(value)))
    except ValueError:
        return None
    return found if found >= 0 else None
