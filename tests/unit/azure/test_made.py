"""What an agent made in Azure, as far as it can be told without Azure's libraries."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from hybrid.azure.made import _job

pytestmark = pytest.mark.unit

MADE = datetime(2026, 3, 1, 12, tzinfo=UTC)


def job(**changed: Any) -> Any:
    said = {
        "name": "dagster-run-1",
        "tags": {"dagster-run-id": "1", "dagster-job-name": "etl"},
        "template": None,
        "system_data": SimpleNamespace(created_at=MADE),
        "configuration": SimpleNamespace(replica_timeout=3600, replica_retry_limit=0),
        **changed,
    }
    return SimpleNamespace(**said)


def test_a_run_may_go_on_until_azure_has_ended_its_job() -> None:
    found = _job(job())
    assert found.may_run(MADE + timedelta(hours=1, minutes=59)), "an hour for Azure to start and end it"
    assert not found.may_run(MADE + timedelta(hours=2, minutes=1))


@pytest.mark.parametrize(
    "unknown",
    [
        {"system_data": None},
        {"system_data": SimpleNamespace(created_at=None)},
        {"configuration": None},
        {"configuration": SimpleNamespace(replica_timeout=None, replica_retry_limit=None)},
    ],
)
def test_a_job_whose_end_is_not_known_may_run(unknown: dict[str, Any]) -> None:
    assert _job(job(**unknown)).may_run(MADE + timedelta(days=400)), "its image may be in use"


def test_further_tries_are_counted() -> None:
    again = SimpleNamespace(replica_timeout=3600, replica_retry_limit=2)
    assert _job(job(configuration=again)).may_run(MADE + timedelta(hours=3, minutes=59))
