"""When a started process counts as standing: it stays up, and answers where it is said to answer."""

from __future__ import annotations

import time
from typing import Final

from hybrid.provider import family, process_folder
from hybrid.provider.health import answers
from hybrid.provider.running import NotStartedError, Running

_POLL: Final = 0.03  # seconds; each look also wakes the supervisor
_SETTLE: Final = 0.25  # seconds that a program without a readiness address must stay up
_QUICK_FAILURES: Final = 2  # starts that fail before we say so; one may be bad luck, such as a port not yet free


def wait_until_ready(running: Running) -> int:
    """Wait until the process stands; its pid.

    Raises ``NotStartedError`` when it ends again and again, ``NotReadyYetError`` when it does not answer in time.
    """
    spec = running.spec
    deadline = time.monotonic() + spec.readiness_timeout
    failures, state, up_since = 0, "", 0.0
    while True:
        status = running.status()
        now = time.monotonic()
        if status is None or status.state == "FATAL":
            raise _not_started(running)
        if status.state == "BACKOFF" and state != "BACKOFF":
            failures, up_since = failures + 1, 0.0
            if failures >= _QUICK_FAILURES:
                raise _not_started(running)
        state = status.state
        program = family.program(spec.directory)
        if status.pid and program is not None and program.pid == status.pid:
            up_since = up_since or now
            settled = state == "RUNNING" or now - up_since >= _SETTLE
            if answers(spec.readiness_url) if spec.readiness_url else settled:
                running.call.report.status(f"runs as {status.pid}")
                return status.pid
        if now > deadline:
            raise _not_ready(running)
        if spec.readiness_url:
            running.call.report.status(f"waiting for {spec.readiness_url}")
        running.call.wait(_POLL)


def _not_started(running: Running) -> NotStartedError:
    spec = running.spec
    return NotStartedError(
        f"{spec.name} does not start: it ended again and again right after its start.",
        why=f"The end of its log:\n{process_folder.log_tail(spec.log_file)}",
        next_step=f"mend what the log says, then run `up` again. The whole log: {spec.log_file}",
    )


def _not_ready(running: Running) -> process_folder.NotReadyYetError:
    spec = running.spec
    where = f"does not answer at {spec.readiness_url}" if spec.readiness_url else "does not stay up"
    return process_folder.NotReadyYetError(
        f"{spec.name} {where} after {spec.readiness_timeout:g} s.",
        why=f"The end of its log:\n{process_folder.log_tail(spec.log_file)}",
        next_step=f"look at {spec.log_file}; run `up` again to wait on.",
    )
