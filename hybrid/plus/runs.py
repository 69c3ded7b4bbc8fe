"""Runs, what starts them, and what they say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from hybrid.plus.errors import PlusNotFound
from hybrid.plus.failure import Failure
from hybrid.redaction import redact

FINISHED: Final = frozenset({"SUCCESS", "FAILURE", "CANCELED"})
IN_PROGRESS: Final = ("QUEUED", "NOT_STARTED", "MANAGED", "STARTING", "STARTED", "CANCELING")
LAUNCH_TAG: Final = "hybrid/launch"  # one value for each launch: by it a run is found whose launch got no answer
_REPOSITORY_TAG: Final = ".dagster/repository"  # "repository@location", as Dagster tags the runs that it launches


@dataclass(frozen=True)
class Run:
    """``status`` is one of QUEUED NOT_STARTED MANAGED STARTING STARTED SUCCESS FAILURE CANCELING CANCELED; times are
    in seconds since the epoch and None before they are known."""

    id: str
    job: str
    status: str
    started_at: float | None
    ended_at: float | None
    tags: Mapping[str, str]
    location: str | None = None

    @property
    def is_finished(self) -> bool:
        return self.status in FINISHED

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> Run:
        tags = {tag["key"]: tag["value"] for tag in answer["tags"]}
        origin = answer.get("repositoryOrigin") or {}
        return cls(
            id=answer["runId"],
            job=answer["jobName"],
            status=answer["status"],
            started_at=answer["startTime"],
            ended_at=answer["endTime"],
            tags=tags,
            location=origin.get("repositoryLocationName") or tags.get(_REPOSITORY_TAG, "").rpartition("@")[2] or None,
        )


@dataclass(frozen=True)
class RunEvent:
    """One event or log line of a run, redacted.

    ``timestamp`` is in seconds since the epoch; ``type`` is Dagster's event type ("STEP_START"), or "LOG" for a log
    line; ``cursor`` is the one to ask with for what came after the page that this event was on.
    """

    timestamp: float
    level: str
    type: str
    step: str | None
    message: str
    error: Failure | None
    cursor: str

    @classmethod
    def of(cls, answer: Mapping[str, Any], cursor: str) -> RunEvent:
        return cls(
            timestamp=int(answer["timestamp"]) / 1000,  # milliseconds, as text
            level=answer["level"],
            type=answer["eventType"] or "LOG",
            step=answer["stepKey"],
            message=redact(answer["message"]),
            error=Failure.of(answer.get("error")),
            cursor=cursor,
        )


@dataclass(frozen=True)
class EventPage:
    """Some of a run's events, the cursor to ask on with, and whether there are more already."""

    events: tuple[RunEvent, ...]
    cursor: str
    has_more: bool

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> EventPage:
        cursor = str(answer["cursor"])
        return cls(tuple(RunEvent.of(event, cursor) for event in answer["events"]), cursor, bool(answer["hasMore"]))


def execution_params(
    location: str,
    repository: str,
    job: str,
    run_config: Mapping[str, Any],
    tags: Mapping[str, str],
    assets: Sequence[str],
) -> dict[str, Any]:
    """``ExecutionParams``; ``assets`` are keys with slashes between their parts."""
    selector: dict[str, Any] = {
        "repositoryLocationName": location,
        "repositoryName": repository,
        "jobName": job,
    }
    if assets:
        selector["assetSelection"] = [{"path": asset.split("/")} for asset in assets]
    return {
        "selector": selector,
        "runConfigData": dict(run_config),
        "executionMetadata": {"tags": [{"key": key, "value": value} for key, value in tags.items()]},
    }


def repository_of(nodes: Sequence[Mapping[str, Any]], location: str, job: str) -> str:
    """The name of the location's repository that has the job. Raises ``PlusNotFound`` that says what there is."""
    here = [node for node in nodes if node["location"]["name"] == location]
    if not here:
        there = sorted({node["location"]["name"] for node in nodes})
        raise PlusNotFound(
            f"There is no loaded code location '{location}'.",
            why=f"Loaded are: {', '.join(there) or 'none'}.",
            next_step="see `hybrid status` for why it is not loaded, or correct its name.",
        )
    for node in here:
        if any(known["name"] == job for known in node["jobs"]):
            return str(node["name"])
    if len(here) == 1 and job.startswith("__"):
        return str(here[0]["name"])  # the implicit asset job, which Dagster does not list
    jobs = sorted(known["name"] for node in here for known in node["jobs"] if not known["name"].startswith("__"))
    raise PlusNotFound(
        f"Code location '{location}' has no job '{job}'.",
        why=f"Its jobs are: {', '.join(jobs) or 'none'}.",
        next_step="run one of these, or correct the job's name.",
    )
