"""Logs of an ECS stack: which log group and streams of CloudWatch are meant, and their lines."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from hybrid.errors import UsageError
from hybrid.platforms import commands

if TYPE_CHECKING:
    from hybrid.aws.logs import LogLine
    from hybrid.aws.session import Aws
    from hybrid.engine.stack import Stack
    from hybrid.platforms.ecs_place import EcsPlace
    from hybrid.plus import Run

_BEFORE_RUN = timedelta(minutes=10)  # a task pulls its image before the run's own clock starts
_AFTER_RUN = timedelta(minutes=2)


@dataclass(frozen=True)
class CloudWatchLog:
    """Which lines: those of ``group`` in streams that begin with ``prefix``, of one task where ``task`` names it."""

    group: str
    since: datetime
    prefix: str = ""
    task: str = ""
    until: datetime | None = None
    what: str = "the agent"

    @classmethod
    def of_agent(cls, place: EcsPlace, since: datetime) -> CloudWatchLog:
        return cls(place.agent_log_group, since)

    @classmethod
    def of_location(cls, stack: Stack, place: EcsPlace, location: str, since: datetime) -> CloudWatchLog:
        """Raises ``UsageError`` for a location that the stack does not have."""
        stack.location(location)
        endpoint = stack.who.endpoint
        family = server_family(place.server_prefix, endpoint.organization, endpoint.deployment, location)
        return cls(place.code_log_group, since, prefix=f"{family}/", what=f"the code server of {location}")

    @classmethod
    def of_run(cls, stack: Stack, place: EcsPlace, run: Run) -> CloudWatchLog:
        """A run's task is named by a tag that the launcher puts on the run (dagster_aws/ecs/launcher.py). Raises
        ``UsageError`` for a run without one."""
        task = run.tags.get("ecs/task_arn", "").rpartition("/")[2]
        if not task:
            raise UsageError(
                f"The run {run.id} has no task on ECS.",
                why=f"It is {run.status}; either it was not launched, or by another agent than one on ECS.",
                next_step=f"look at its page: {stack.who.page}/runs/{run.id}",
            )
        began = datetime.fromtimestamp(run.started_at, UTC) if run.started_at else datetime.now(UTC)
        return cls(
            place.code_log_group,
            began - _BEFORE_RUN,
            prefix=f"{place.run_prefix}_",
            task=task,
            until=datetime.fromtimestamp(run.ended_at, UTC) + _AFTER_RUN if run.ended_at else None,
            what=f"the run {run.id}",
        )

    def last(self, aws: Aws, count: int) -> list[LogLine]:
        from hybrid.aws.logs import lines_since

        found = lines_since(aws, self.group, self.since, prefix=self.prefix, until=self.until)
        kept = [line for line in found if self._has(line)]
        return kept[-count:] if count else []

    def followed(self, aws: Aws, shown: list[LogLine]) -> Iterator[LogLine]:
        """What comes after ``shown``, until the caller ends it."""
        from hybrid.aws.logs import followed

        since = shown[-1].at if shown else datetime.now(UTC)
        already = {(line.at, line.stream, line.message) for line in shown}
        for line in followed(aws, self.group, since, time.sleep, prefix=self.prefix):
            if self._has(line) and (line.at, line.stream, line.message) not in already:
                yield line

    def line(self, found: LogLine) -> commands.LogLine:
        """Several tasks may write at once: during a roll, or as replicas."""
        return commands.LogLine(f"{found.message}\n", found.at, "" if self.task else found.task[:8])

    def _has(self, line: LogLine) -> bool:
        return line.stream.startswith(self.prefix) and self.task in ("", line.task)


def server_family(prefix: str, organization: str | None, deployment: str, location: str) -> str:
    """The family of a code server's task definitions, which its log streams begin with, as the agent names it
    (``get_server_task_definition_family`` of dagster_cloud/workspace/ecs/utils.py)."""
    digest = hashlib.sha1(location.encode(), usedforsecurity=False).hexdigest()[:8]
    return re.sub(r"[^\w^\-]", "", f"{prefix}_{organization}_{deployment}_{location[:55]}_{digest}")[:255]
