"""The jobs that are run after a switch, as the person or the stack's pipeline names them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hybrid.errors import HybridError, UsageError

if TYPE_CHECKING:
    from hybrid.workspace import Workspace


@dataclass(frozen=True)
class SmokeGiven:
    """A job that is run after the switch."""

    location: str
    job: str
    timeout_seconds: float = 300


def smokes_of(given: Sequence[str], workspace: Workspace, stack: str) -> list[SmokeGiven]:
    """From ``LOCATION:JOB`` texts, else what stacks/pipeline.yaml has for the stack."""
    from hybrid.engine.pipeline import read_pipeline

    found = []
    for text in given:
        location, colon, job = text.partition(":")
        if not (location and colon and job):
            raise UsageError(f"--smoke '{text}' is not LOCATION:JOB.", next_step="give it so, as in hello:greet.")
        found.append(SmokeGiven(location, job))
    if found:
        _refuse_unserved(found, workspace, stack)
        return found
    try:
        deployed = read_pipeline(workspace).deploy
    except HybridError:
        return []
    runs: list[Any] = [each.smoke for each in deployed if each.stack == stack and each.smoke is not None]
    return [SmokeGiven(run.location, run.job, run.timeout_seconds) for run in runs]


def _refuse_unserved(runs: Sequence[SmokeGiven], workspace: Workspace, stack: str) -> None:
    """Before minutes go by, and before anything is on Hybrid."""
    from hybrid.engine.stack import Stack

    served = sorted(each.name for each in Stack.read(workspace, stack).folders)
    for run in runs:
        if run.location not in served:
            raise UsageError(
                f"{run.location}:{run.job} cannot be run: '{stack}' serves no code location '{run.location}'.",
                next_step=f"name one of these: {', '.join(served)}.",
            )
