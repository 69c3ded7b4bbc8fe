"""The table of calls: which authorization requests AWS makes of a call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.standins.iam import ecs_calls, other_calls, reading_calls
from tests.standins.iam.facts import Facts
from tests.standins.iam.request import AuthorizationRequest, Row, UnknownCall

__all__ = ["TABLE", "AuthorizationRequest", "UnknownCall", "requests_of"]

TABLE: dict[tuple[str, str], Row] = {
    (service, operation): row
    for rows_of in ({"ecs": ecs_calls.ROWS}, other_calls.ROWS, reading_calls.ROWS)
    for service, rows in rows_of.items()
    for operation, row in rows.items()
}
"""By botocore's names of service and operation."""


def requests_of(service: str, operation: str, params: Mapping[str, Any], facts: Facts) -> list[AuthorizationRequest]:
    """All that AWS asks before it does the call; none for a call that needs no permission. Raises UnknownCall when the
    table has no row for it."""
    row = TABLE.get((service, operation))
    if row is None:
        raise UnknownCall(f"{service}:{operation} is not in the table of calls (tests/standins/iam)")
    return list(row(params, facts))
