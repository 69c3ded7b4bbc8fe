"""Log lines of ECS tasks in CloudWatch, redacted before anybody sees them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from hybrid.aws.errors import AwsNotFound
from hybrid.aws.session import Aws
from hybrid.aws.tasks import Task
from hybrid.redaction import redact

_STREAMS: Final = 100  # FilterLogEvents takes no more names
_LATE: Final = timedelta(seconds=30)  # how much later than others a line may arrive


@dataclass(frozen=True)
class LogLine:
    """One line. ``stream``: where it stands, ``prefix/container/task``."""

    at: datetime
    stream: str
    message: str

    @property
    def task(self) -> str:
        """The id of the task that wrote it."""
        return self.stream.rpartition("/")[2]


@dataclass(frozen=True)
class LogPlace:
    """Where a container of a task logs."""

    group: str
    stream: str


def log_place(aws: Aws, task: Task, container: str | None = None) -> LogPlace | None:
    """Where a task logs, by its task definition: of the container that is named, else of the first one that ended
    badly, else of the first one. None when it does not log to CloudWatch. Raises ``AwsError``."""
    with aws.doing(f"look at the task definition {task.family}"):
        told: Any = aws.ecs.describe_task_definition(taskDefinition=task.task_definition)["taskDefinition"]
    logging = {one["name"]: one.get("logConfiguration", {}) for one in told.get("containerDefinitions", [])}
    bad = [one.name for one in task.containers if one.exit_code or one.health == "UNHEALTHY"]
    for name in (container,) if container else (*bad, *logging):
        options = logging.get(name or "", {}).get("options", {})
        if {"awslogs-group", "awslogs-stream-prefix"} <= options.keys():
            stream = f"{options['awslogs-stream-prefix']}/{name}/{task.id}"
            return LogPlace(options["awslogs-group"], stream)
    return None


def last_lines(aws: Aws, place: LogPlace, count: int = 30) -> list[LogLine]:
    """The end of one stream, oldest line first; nothing when group or stream is not there. Raises ``AwsError``."""
    try:
        with aws.doing(f"read the log {place.group}"):
            told = aws.logs.get_log_events(
                logGroupName=place.group, logStreamName=place.stream, limit=count, startFromHead=False
            )
    except AwsNotFound:
        return []
    return [_line(event, place.stream) for event in told["events"]]


def lines_of(aws: Aws, task: Task, count: int = 30, container: str | None = None) -> list[str]:
    """The last messages of a task, oldest first; nothing when it never came to log. Raises ``AwsError``."""
    place = log_place(aws, task, container)
    return [line.message for line in last_lines(aws, place, count)] if place is not None else []


def lines_since(
    aws: Aws,
    group: str,
    since: datetime,
    *,
    streams: Sequence[str] = (),
    prefix: str = "",
    until: datetime | None = None,
) -> list[LogLine]:
    """All lines of a group from ``since`` on, oldest first: of the named streams (at most 100), or of those whose
    names begin with ``prefix`` (a task definition's family), or of all. A group that is not there has none.

    Raises ``AwsError``.
    """
    return [line for line, _ in _filtered(aws, group, since, streams, prefix, until)]


def followed(
    aws: Aws,
    group: str,
    since: datetime,
    wait: Callable[[float], object],
    *,
    streams: Sequence[str] = (),
    prefix: str = "",
    seconds: float = 2.0,
) -> Iterator[LogLine]:
    """Lines as they come, for ever: each once, also those that arrive late. ``wait`` pauses between two looks, and
    ends the whole by raising."""
    seen: dict[str, datetime] = {}
    newest = since
    while True:
        for line, id in _filtered(aws, group, max(since, newest - _LATE), streams, prefix, None):
            if id not in seen:
                seen[id] = line.at
                newest = max(newest, line.at)
                yield line
        seen = {id: at for id, at in seen.items() if at >= newest - _LATE}
        wait(seconds)


def _filtered(
    aws: Aws, group: str, since: datetime, streams: Sequence[str], prefix: str, until: datetime | None
) -> Iterator[tuple[LogLine, str]]:
    asked: dict[str, Any] = {"logGroupName": group, "startTime": _milliseconds(since)}
    if streams:
        asked["logStreamNames"] = list(streams[:_STREAMS])
    elif prefix:
        asked["logStreamNamePrefix"] = prefix
    if until is not None:
        asked["endTime"] = _milliseconds(until)
    found: list[Any] = []
    try:
        with aws.doing(f"read the log {group}"):
            for page in aws.logs.get_paginator("filter_log_events").paginate(**asked):
                found += page["events"]
    except AwsNotFound:
        return
    for event in sorted(found, key=lambda event: event["timestamp"]):
        stream = event.get("logStreamName", "")
        yield _line(event, stream), event.get("eventId") or f"{stream} {event['timestamp']} {event['message']}"


def _line(event: Any, stream: str) -> LogLine:
    at = datetime.fromtimestamp(event.get("timestamp", 0) / 1000, UTC)
    return LogLine(at, stream, redact(str(event.get("message", "")).rstrip("\n")))


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
