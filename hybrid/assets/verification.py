"""Whether what was copied is at the destination as it was stored, and whether something was stored since."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from hybrid.assets.places import Place
from hybrid.assets.plan import Plan
from hybrid.errors import UsageError

if TYPE_CHECKING:
    from asset_values.manifest import Manifest
    from hybrid.plus import PlusClient, Run
    from hybrid.plus.assets import RepositoryResources

LOAD_JOB: Final = "verify_stored_values"
"""The job that ``hybrid assets job`` gives a location (``asset_values.job.VERIFY_JOB``)."""
_POLL_SECONDS: Final = 1.0


@dataclass(frozen=True)
class Since:
    """Values by their labels: ``stale`` were stored anew after they were copied, ``new`` are in no copy yet."""

    stale: tuple[str, ...]
    new: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.stale or self.new)


def stored_since(plan: Plan, manifest: Manifest) -> Since:
    """Compares a fresh plan with what the manifest says was done."""
    rows = {row.item.destination_key: row for row in manifest.rows()}
    stale, new = [], []
    for item in plan.items():
        row = rows.get(item.destination_key)
        if row is None or not row.done:
            new.append(item.label)
        elif row.done_hint != item.hint:
            stale.append(item.label)
    return Since(tuple(stale), tuple(new))


def ends_of(manifest: Manifest) -> tuple[Place | None, Place]:
    """The ends that a manifest names: the source when it is a place that can be asked again."""
    destination = Place.named(manifest.identity.destination)
    if destination is None:
        raise UsageError(
            f"The manifest's destination, {manifest.identity.destination}, is no place that can be opened.",
            next_step=f"move {manifest.path} away and copy again.",
        )
    return Place.named(manifest.identity.source), destination


def refuse_another(manifest: Manifest, organization: str, deployment: str) -> None:
    """Raises ``UsageError`` for a manifest of another organization or deployment than Dagster+ says this one is."""
    found = manifest.identity
    if (found.organization, found.deployment) != (organization, deployment):
        raise UsageError(
            "This stack's manifest is of another organization or deployment.",
            why=f"It is of {found.organization}, {found.deployment}; the stack's is {organization}, {deployment}.",
            next_step=f"move {manifest.path} away and copy again, or correct the stack's file.",
        )


def locations_that_load(resources: Sequence[RepositoryResources]) -> list[str]:
    """The locations that have the job."""
    return sorted({found.location for found in resources if LOAD_JOB in found.jobs})


def load_in_location(plus: PlusClient, location: str, values: int, launched: Callable[[str, str], None]) -> Run:
    """Has a run of the location load some values through its own IO managers, and waits for its end. ``launched``
    hears of the location and the run's id."""
    config: dict[str, Any] = {"ops": {f"{LOAD_JOB}_op": {"config": {"load": values}}}}
    number = plus.launch_run(location, LOAD_JOB, run_config=config)
    launched(location, number)
    while not (run := plus.run(number)).is_finished:
        time.sleep(_POLL_SECONDS)
    return run
