"""A deployment's settings document as settings of Dagster's own instance. Pure: no Dagster in it.

Rests on: ``docs`` for the defaults (the full deployment settings reference); ``client`` for what the instance reads
and how the older spelling relates to the newer (dagster/_core/instance/config.py, …/methods/settings_methods.py,
dagster/_core/run_coordinator/queued_run_coordinator.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

MAX_CONCURRENT_RUNS: Final = 10
START_TIMEOUT_SECONDS: Final = 1_200
CANCEL_TIMEOUT_SECONDS: Final = 1_200
"""A run that an agent took and never began, or never ended, is ended then."""

Settings = dict[str, Any]


def instance_settings(document: Mapping[str, Any]) -> Settings:
    """What ``DagsterInstance`` and its run coordinator take of the document.

    ``run_monitoring``, ``run_retries``, ``concurrency``, ``auto_materialize`` and ``freshness`` are as in
    ``dagster.yaml``, with Dagster+'s defaults; ``run_queue`` is the configuration of a ``QueuedRunCoordinator`` that
    says the same as ``concurrency.runs``. Times in seconds. A key that is null, or missing, has its default.
    """
    concurrency, queue = _section(document, "concurrency"), _section(document, "run_queue")
    runs = {**_limits(queue), **_limits(_section(concurrency, "runs"))}
    pools = _pools(concurrency, queue)
    settings: Settings = {
        "run_monitoring": _monitoring(_section(document, "run_monitoring")),
        "run_retries": _retries(_section(document, "run_retries")),
        "concurrency": {"runs": runs, "pools": pools},
        "run_queue": {
            "max_concurrent_runs": MAX_CONCURRENT_RUNS,
            "tag_concurrency_limits": [],
            **runs,
            **{
                key: queue[key]
                for key in ("max_user_code_failure_retries", "user_code_failure_retry_delay")
                if key in queue
            },
            "block_op_concurrency_limited_runs": {
                "enabled": True,
                "op_concurrency_slot_buffer": pools.get("op_granularity_run_buffer", 0),
                **_section(queue, "block_op_concurrency_limited_runs"),
            },
        },
    }
    for key in ("auto_materialize", "freshness"):
        section = _section(document, key)
        if section:
            settings[key] = section
    return settings


def _monitoring(section: Settings) -> Settings:
    return {
        "enabled": True,
        "start_timeout_seconds": START_TIMEOUT_SECONDS,
        "cancel_timeout_seconds": CANCEL_TIMEOUT_SECONDS,
        **section,
    }


def _retries(section: Settings) -> Settings:
    """Retries are always on, as far as a run's own tag can ask for them; by default none is made."""
    return {"enabled": True, "max_retries": 0, **section}


def _limits(section: Settings) -> Settings:
    return {key: section[key] for key in ("max_concurrent_runs", "tag_concurrency_limits") if key in section}


def _pools(concurrency: Settings, queue: Settings) -> Settings:
    pools = _section(concurrency, "pools")
    blocked = _section(queue, "block_op_concurrency_limited_runs")
    if "default_op_concurrency_limit" in concurrency:
        pools.setdefault("default_limit", concurrency["default_op_concurrency_limit"])
    if blocked.get("enabled"):
        pools.setdefault("granularity", "op")
    if "op_concurrency_slot_buffer" in blocked:
        pools.setdefault("op_granularity_run_buffer", blocked["op_concurrency_slot_buffer"])
    return pools


def _section(document: Mapping[str, Any], key: str) -> Settings:
    """A copy of the section without what is null."""
    return {name: value for name, value in (document.get(key) or {}).items() if value is not None}
