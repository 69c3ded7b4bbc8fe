"""The run after a deploy that shows that it works: one job, launched through Dagster+, waited for."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from hybrid.errors import HybridError, RunFailedError

if TYPE_CHECKING:
    from hybrid.plus import PlusClient

TAG: Final = "dagster-hybrid/smoke"
"""A tag of the run, with the deployed commit as its value, so that people can tell it from their own runs."""

_POLL_SECONDS: Final = 0.5
_LONGEST_ERROR: Final = 6000


@dataclass(frozen=True)
class SmokeJob:
    """What is run. ``page`` is the deployment's page in Dagster+."""

    location: str
    job: str
    timeout_seconds: float
    page: str
    commit: str | None


@dataclass(frozen=True)
class SmokeResult:
    """How a run ended; ``status`` is Dagster's word, or ``TIMEOUT``."""

    job: SmokeJob
    run_id: str
    status: str
    seconds: float
    error: str | None

    @property
    def url(self) -> str:
        return f"{self.job.page}/runs/{self.run_id}"

    def document(self) -> dict[str, Any]:
        return {
            "location": self.job.location,
            "job": self.job.job,
            "run_id": self.run_id,
            "status": self.status,
            "url": self.url,
            "seconds": round(self.seconds, 1),
        }

    def failure(self, next_step: str) -> RunFailedError | None:
        """None when it went well."""
        if self.status == "SUCCESS":
            return None
        how = (
            f"did not end within {self.job.timeout_seconds:g} s and was told to"
            if self.status == "TIMEOUT"
            else f"ended in {self.status}"
        )
        what = f"The smoke run of {self.job.job} in {self.job.location} {how}."
        return RunFailedError(what, why=self.error, next_step=f"look at {self.url}. {next_step}")


def smoke_run(client: PlusClient, job: SmokeJob, note: Callable[[str], None]) -> SmokeResult:
    """Launch the job and wait for its end. One that takes too long is told to end, and so is one that nobody waits for
    any more after Ctrl-C: it has nobody else.

    Raises the errors of ``hybrid.plus``, such as for a job that is not there.
    """
    begun = time.monotonic()
    run_id = client.launch_run(job.location, job.job, tags={TAG: job.commit or "unknown"})
    note(f"Smoke run of {job.job} in {job.location}: {job.page}/runs/{run_id}")
    try:
        while not (run := client.run(run_id)).is_finished:
            if time.monotonic() - begun > job.timeout_seconds:
                _end(client, run_id)
                return SmokeResult(job, run_id, "TIMEOUT", time.monotonic() - begun, None)
            time.sleep(_POLL_SECONDS)
    except KeyboardInterrupt:
        _end(client, run_id)
        raise
    error = None if run.status == "SUCCESS" else _error_of(client, run_id)
    return SmokeResult(job, run_id, run.status, time.monotonic() - begun, error)


def _end(client: PlusClient, run_id: str) -> None:
    with suppress(HybridError):  # what led here is the news
        client.terminate_run(run_id)


def _error_of(client: PlusClient, run_id: str) -> str | None:
    """The last error that the run told of."""
    try:
        told = [str(event.error) for event in client.run_events(run_id) if event.error is not None]
    except HybridError as unknown:
        return f"Its events could not be read: {unknown.what}"
    return told[-1][:_LONGEST_ERROR] if told else None
