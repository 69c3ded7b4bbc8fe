"""What is known of a task that stopped: ECS's reason, how its containers ended, the end of its log, its cause."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hybrid.aws import stops
from hybrid.aws.causes import Cause
from hybrid.aws.errors import AwsError
from hybrid.aws.logs import lines_of
from hybrid.aws.session import Aws
from hybrid.aws.tasks import Task
from hybrid.redaction import redact


@dataclass(frozen=True)
class Diagnosis:
    """One stopped task. ``lines`` are the last of its log, oldest first, redacted; ``unread`` says why there are none
    when the log could not be read."""

    task: Task
    reason: str
    exits: str
    lines: Sequence[str]
    cause: Cause
    unread: str = ""

    def paragraph(self) -> str:
        """All of it, for the ``why`` of an error."""
        parts = [f"Task {self.task.id} stopped: {self.reason or 'ECS gives no reason'}."]
        parts += [f"Container {self.exits}."] if self.exits else []
        if self.lines:
            parts += ["The end of its log:", *(f"  {line}" for line in self.lines)]
        else:
            parts.append(self.unread or "It logged nothing.")
        parts.append(f"Likely cause: {self.cause.what}")
        return "\n".join(parts)


def diagnosed(aws: Aws, task: Task, count: int = 20) -> Diagnosis:
    """Why ``task`` stopped. A log that cannot be read is said, and no error: the reason is there all the same."""
    lines: Sequence[str] = ()
    unread = ""
    try:
        lines = lines_of(aws, task, count)
    except AwsError as error:
        unread = f"Its log could not be read: {error.what}"
    return Diagnosis(
        task=task,
        reason=redact(stops.reason_of(task)).rstrip("."),
        exits=stops.exits_of(task),
        lines=lines,
        cause=stops.likely_cause(task, lines),
        unread=unread,
    )
