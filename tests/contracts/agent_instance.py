"""Dagster's own instance, as an agent makes it of its ``dagster.yaml``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dagster import DagsterInstance
from dagster_cloud.instance import DagsterCloudAgentInstance


@contextmanager
def loaded(home: Path, text: str) -> Iterator[DagsterCloudAgentInstance]:
    """The instance that the agent would make of ``text``."""
    (home / "dagster.yaml").write_text(text, encoding="utf-8")
    with DagsterInstance.from_config(str(home)) as instance:
        assert isinstance(instance, DagsterCloudAgentInstance)
        yield instance
