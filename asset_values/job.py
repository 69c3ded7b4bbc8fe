"""Jobs for a code location: one that copies its stored values to another place, one that loads some of them there."""

import logging
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from dagster import (
    AssetObservation,
    AssetSelection,
    Config,
    Failure,
    IOManager,
    JobDefinition,
    OpExecutionContext,
    in_process_executor,
    job,
    op,
)
from pydantic import Field

from asset_values.ends import place_end
from asset_values.faults import Fault
from asset_values.loading import Transform
from asset_values.migration import MigrationOptions, chosen_of, failure_of, migrated, planned
from asset_values.progress import Progress
from asset_values.result import MigrateIOStorageResult
from asset_values.sampling import loaded_sample
from asset_values.stores.own_role import own_role
from asset_values.stores.places import BlobPlace, S3Place, place_of_url
from asset_values.work import Target

COPY_JOB: Final = "copy_stored_values"
VERIFY_JOB: Final = "verify_stored_values"
_EVERY: Final = 5.0  # seconds between two lines of progress in a run's log


class CopyConfig(Config):
    """What of the location to copy, and how."""

    selection: str = Field(default="*", description="Which assets, in Dagster's selection syntax.")
    rate: float | None = Field(default=None, description="At most so many values a second; none: as many as go.")
    threads: int = Field(default=32, ge=1, description="So many requests at once.")
    overwrite_newer: bool = Field(
        default=False, description="Also overwrite what was written at the destination after it was stored here."
    )
    dry_run: bool = Field(default=False, description="Say what would be copied, and copy nothing.")


class VerifyConfig(Config):
    """What of the location to load."""

    selection: str = Field(default="*", description="Which assets, in Dagster's selection syntax.")
    load: int = Field(default=20, ge=1, description="So many values, chosen evenly among all that are stored.")
    seed: int = Field(default=0, description="Another number chooses other values.")


def copy_stored_values_job(
    name: str = COPY_JOB,
    *,
    destination: IOManager | S3Place | BlobPlace | Path | str,
    transform: Transform | None = None,
) -> JobDefinition:
    """A job that copies what the assets of its location have stored to ``destination``.

    ``destination``: an IO manager, or where Dagster's own would store pickles: the address of a bucket of S3 or of a
    container of Azure, an ``S3Place`` (with a role to assume, an endpoint, a key of KMS), a ``BlobPlace`` or a folder.
    Values are read by the location's own IO managers, with the credentials of the run. The manifest is kept at the
    destination, below ``.asset-values/``: a run that was ended in any way is gone on with by the next. The run fails
    when a value was not copied, and names it.
    """
    target = target_of(destination)

    @op(name=f"{name}_op", description=f"Copies stored values to {target.name}.")
    def copy(context: OpExecutionContext, config: CopyConfig) -> None:
        _copy(context, config, target, transform, name)

    @job(
        name=name,
        description=f"Copies what the assets of this location have stored to {target.name}.",
        executor_def=in_process_executor,
    )
    def copy_job() -> None:
        copy()

    return copy_job


def verify_stored_values_job(name: str = VERIFY_JOB, *, copied_by: str = COPY_JOB) -> JobDefinition:
    """A job that loads some stored values through the location's own IO managers, as a run of it would, and compares
    their bytes with the checksums that the copy has left. ``copied_by``: the name of the job that copied, whose
    manifest is looked for. The run fails when one cannot be loaded or differs, and names it."""

    @op(name=f"{name}_op", description="Loads stored values through the location's own IO managers.")
    def verify(context: OpExecutionContext, config: VerifyConfig) -> None:
        chosen = chosen_of(context.repository_def, context.instance, AssetSelection.from_string(config.selection))
        sample = loaded_sample(chosen.assets(), context.instance, config.load, config.seed, copied_by)
        context.log.info(
            f"{sample.loaded} of {sample.stored} stored values loaded, {sample.compared} of them compared by checksum."
        )
        for failure in sample.failures:
            context.log.error(f"{failure.label}: {failure.reason}")
        if sample.failures:
            names = "\n".join(f"- {failure.label}: {failure.reason}" for failure in sample.failures)
            raise Failure(f"{len(sample.failures)} values are not as they were stored:\n{names}", allow_retries=False)

    @job(name=name, description="Loads stored values of this location, to see.", executor_def=in_process_executor)
    def verify_job() -> None:
        verify()

    return verify_job


def target_of(destination: IOManager | S3Place | BlobPlace | Path | str) -> Target:
    """Raises ``ValueError`` for a place that cannot be."""
    if isinstance(destination, str):
        destination = place_of_url(destination) if "://" in destination else Path(destination)
    if isinstance(destination, S3Place | BlobPlace | Path):
        return Target(place=place_end(destination))
    return Target(manager=destination)


def _copy(
    context: OpExecutionContext, config: CopyConfig, target: Target, transform: Transform | None, name: str
) -> None:
    chosen = chosen_of(context.repository_def, context.instance, AssetSelection.from_string(config.selection))
    if config.dry_run:
        for asset, (way, number) in planned(chosen, target, transform).items():
            context.log.info(f"{asset}: {number} values would go to {target.name} ({way}).")
        if target.name.startswith("s3://"):
            context.log.info(_who_writes())
        return
    log: logging.Logger = context.log
    options = MigrationOptions(
        threads=config.threads,
        loads=min(8, config.threads),
        rate=config.rate,
        overwrite_newer=config.overwrite_newer,
        kept=name,
        on_progress=_teller(log),
        stop=threading.Event(),
    )
    with _stopped_by_interrupts(options.stop):
        result = migrated(chosen, target, transform, options, log)
    for observation in _observations(result, target):
        context.log_event(observation)
    if result.failures:
        raise failure_of(result)


def _who_writes() -> str:
    """For the destination's owner, who has to let this role in; not knowing it is no reason to fail."""
    try:
        return f"This run's AWS credentials are of {own_role()}: the destination's role has to trust it."
    except Fault as fault:
        return f"Whose credentials this run has is not known: {fault}"


@contextmanager
def _stopped_by_interrupts(stop: threading.Event) -> Any:
    """However it ends, no other thread begins a new value."""
    try:
        yield
    finally:
        stop.set()


def _teller(log: logging.Logger) -> Callable[[Progress], None]:
    told = [time.monotonic()]

    def tell(progress: Progress) -> None:
        now = time.monotonic()
        if now - told[0] < _EVERY and progress.done + progress.failed < progress.total:
            return
        told[0] = now
        left = "" if progress.eta is None else f", {progress.eta:.0f} s left"
        failed = f", {progress.failed} failed ({progress.trouble})" if progress.failed else ""
        log.info(
            f"{progress.done} of {progress.total} values, {progress.bytes} bytes, {progress.rate:.0f} values/s"
            f"{left}{failed}"
        )

    return tell


def _observations(result: MigrateIOStorageResult, target: Target) -> list[AssetObservation]:
    numbers: dict[Any, dict[str, Any]] = {}
    for word, subsets in (("copied", result.migrated), ("skipped", result.skipped), ("failed", result.failed)):
        for subset in subsets:
            numbers.setdefault(subset.key, {"copied": 0, "skipped": 0, "failed": 0})[word] += subset.size
    reasons: dict[str, str] = {}
    for failure in result.failures:
        reasons.setdefault(failure.asset, f"{failure.label}: {failure.reason}")
    return [
        AssetObservation(
            key,
            metadata={
                **counted,
                "bytes": result.bytes_by_asset.get(key.to_user_string(), 0),
                "destination": target.name,
                **({"first failure": first} if (first := reasons.get(key.to_user_string())) else {}),
            },
        )
        for key, counted in sorted(numbers.items(), key=lambda pair: pair[0].path)
        if counted["copied"] or counted["failed"]
    ]
