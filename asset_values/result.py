"""What became of each value: in the shape of Dagster's ``MigrateIOStorageResult``, and with reasons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dagster import AssetKey
    from dagster._core.asset_graph_view.entity_subset import EntitySubset


@dataclass(frozen=True, slots=True)
class ValueFailure:
    """One value that was not copied; ``reason`` is one line, without secrets."""

    asset: str
    partition: str | None
    reason: str

    @property
    def label(self) -> str:
        return self.asset if self.partition is None else f"{self.asset} [{self.partition}]"


@dataclass(frozen=True)
class MigrateIOStorageResult:
    """As Dagster's, plus what that does not tell.

    ``migrated``: copied now. ``skipped``: passed over by ``should_skip``, stored by no IO manager at all, copied before
    and unchanged, identical already, or newer at the destination (these also in ``kept``). ``failed``: with the reasons
    in ``failures``. ``outside``: partitions that are stored but not part of their asset's partitions any more; they are
    not copied, as with Dagster's. ``bytes_by_asset`` counts what was copied now, where sizes are known.
    """

    migrated: tuple[EntitySubset[AssetKey], ...] = ()
    skipped: tuple[EntitySubset[AssetKey], ...] = ()
    failed: tuple[EntitySubset[AssetKey], ...] = ()
    failures: tuple[ValueFailure, ...] = ()
    kept: tuple[tuple[str, str | None], ...] = ()
    outside: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    bytes_by_asset: Mapping[str, int] = field(default_factory=dict)


class NotAllCopiedError(Exception):
    """Raised outside of a run, on demand, when values were not copied; ``result`` says everything."""

    def __init__(self, result: MigrateIOStorageResult) -> None:
        self.result = result
        first = "; ".join(f"{failure.label}: {failure.reason}" for failure in result.failures[:20])
        more = len(result.failures) - 20
        super().__init__(
            f"{len(result.failures)} values were not copied: {first}" + (f" and {more} more" if more > 0 else "")
        )
