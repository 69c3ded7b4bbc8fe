"""``migrate_io_storage`` with Dagster's parameters and result, and what that lacks: bytes where both ends store the
same pickle, many values at a time, a manifest, nothing newer overwritten, canonical keys, a reason for each failure.

Source of the shape: dagster/_core/storage/migrate.py (1.13).
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from asset_values.inventory import StoredAsset, stored_assets
from asset_values.loading import Loader, Transform
from asset_values.progress import Progress
from asset_values.result import MigrateIOStorageResult, NotAllCopiedError, ValueFailure
from asset_values.work import Standing, Target, Work, way_of, works

if TYPE_CHECKING:
    from dagster import (
        AssetKey,
        AssetSelection,
        DagsterInstance,
        Definitions,
        IOManager,
        OpExecutionContext,
        RepositoryDefinition,
    )
    from dagster._core.asset_graph_view.asset_graph_view import AssetGraphView
    from dagster._core.asset_graph_view.entity_subset import EntitySubset

_LISTED: Final = 100
"""Failures whose reasons go to the log; all are in the result."""


@dataclass(frozen=True)
class MigrationOptions:
    """``threads``: requests at once where bytes are copied (32, as S3 stands and CPUs carry). ``loads``: values at once
    where IO managers' code runs: 8 of them may be in memory, and such code is seldom made for more. ``rate``: values a
    second, None for as many as go. ``manifest``: the file to remember in (several ends: one file each, named after it);
    None: remembered only while it runs. ``kept``: the name under which the manifest is kept at the destination, if that
    is a place."""

    threads: int = 32
    loads: int = 8
    rate: float | None = None
    overwrite_newer: bool = False
    batch_partitions: bool = False
    manifest: Path | None = None
    kept: str | None = None
    on_progress: Callable[[Progress], None] | None = None
    stop: threading.Event = field(default_factory=threading.Event)


def migrate_io_storage(
    *,
    definitions: Definitions | None = None,
    destination_io_manager: IOManager,
    instance: DagsterInstance | None = None,
    context: OpExecutionContext | None = None,
    selection: AssetSelection | None = None,
    should_skip: Callable[[AssetKey, str | None], bool] | None = None,
    batch_partitions: bool = False,
    transform: Transform | None = None,
    manifest: Path | None = None,
    overwrite_newer: bool = False,
    threads: int = 32,
    raise_on_failure: bool | None = None,
) -> MigrateIOStorageResult:
    """Copy all stored values of a code location to another IO manager.

    The first eight parameters are those of ``dagster.migrate_io_storage``. Values are copied as bytes where both ends
    are Dagster's own pickles, one a file, and there is no ``transform``; else they are loaded, transformed and stored,
    some at a time. ``batch_partitions`` is followed where the destination takes several partitions at once, which
    ``S3PickleIOManager`` does not: there each goes by itself, and ``transform`` gets each by itself.

    ``manifest``: a file by which another call goes on where this one ended. ``overwrite_newer``: also overwrite what
    was written at the destination after the value was stored at the source. ``threads``: at most so many values at once
    (8 where IO managers' code runs). ``raise_on_failure``: raise when a value was not copied; None: inside an op.

    Raises ``dagster.Failure`` in an op, else ``NotAllCopiedError``; ``ValueError`` for a call that cannot be meant;
    ``Fault`` when the destination cannot be written at all; ``ManifestError``.
    """
    if (definitions is None) == (context is None):
        raise ValueError("Exactly one of 'definitions' and 'context' has to be given.")
    repository = context.repository_def if context is not None else _repository(definitions)
    resolved = context.instance if context is not None else instance
    if resolved is None:
        raise ValueError("'definitions' needs an 'instance' beside it, whose event log says what is stored.")
    options = MigrationOptions(
        threads=threads,
        loads=min(8, threads),
        overwrite_newer=overwrite_newer,
        batch_partitions=batch_partitions,
        manifest=manifest,
    )
    chosen = _Chosen(repository, resolved, selection, should_skip)
    log = context.log if context is not None else logging.getLogger("dagster.migrate_io_storage")
    result = migrated(chosen, Target(manager=destination_io_manager), transform, options, log)
    if result.failures and (raise_on_failure if raise_on_failure is not None else context is not None):
        raise failure_of(result) if context is not None else NotAllCopiedError(result)
    return result


@dataclass(frozen=True)
class _Chosen:
    """Whose values to copy."""

    repository: RepositoryDefinition
    instance: DagsterInstance
    selection: AssetSelection | None = None
    should_skip: Callable[[AssetKey, str | None], bool] | None = None

    def assets(self) -> list[StoredAsset]:
        graph = self.repository.asset_graph
        keys = self.selection.resolve(graph) if self.selection is not None else graph.get_all_asset_keys()
        return stored_assets(graph, keys, self.instance)

    def skips(self, asset: StoredAsset, partition: str | None) -> bool:
        return self.should_skip is not None and self.should_skip(asset.key, partition)


chosen_of = _Chosen


def migrated(
    chosen: _Chosen,
    target: Target,
    transform: Transform | None,
    options: MigrationOptions,
    log: logging.Logger,
) -> MigrateIOStorageResult:
    """Copy what is chosen to the target; what became of it. Raises as ``migrate_io_storage``, but not for failures."""
    assets = chosen.assets()
    log.info("%d assets have stored values.", len(assets))
    standings: dict[tuple[str, str | None], Standing] = {}
    with ExitStack() as held:
        loader = held.enter_context(Loader(chosen.instance))
        wanted = []
        for asset in assets:
            for partition in asset.events:
                if asset.stores_nothing or chosen.skips(asset, partition):
                    standings[asset.label, partition] = Standing("skipped")
                else:
                    wanted.append((asset, partition))
        for work in works(wanted, loader, target, transform, standings):
            log.info("%d values of %s go to %s (%s).", len(work.places), work.source_name, target.name, work.way)
            standings.update(Work.run(work, options))
    result = _result(assets, standings, chosen)
    _tell(result, log)
    return result


def planned(chosen: _Chosen, target: Target, transform: Transform | None = None) -> dict[str, tuple[str, int]]:
    """By asset: the way its values would go (``bytes``, ``load``, ``none``) and how many there are. Copies nothing."""
    with Loader(chosen.instance) as loader:
        return {
            asset.label: (
                "none" if asset.stores_nothing else way_of(asset, loader, target, transform),
                sum(not chosen.skips(asset, partition) for partition in asset.events),
            )
            for asset in chosen.assets()
        }


def failure_of(result: MigrateIOStorageResult) -> Exception:
    """What ends a run: named values and reasons."""
    from dagster import Failure, MetadataValue

    listed = "\n".join(f"- {failure.label}: {failure.reason}" for failure in result.failures[:_LISTED])
    return Failure(
        f"{len(result.failures)} values were not copied. Run it again to try them again: what is copied is not copied "
        "twice.",
        metadata={"failed": len(result.failures), "reasons": MetadataValue.md(listed)},
        allow_retries=False,
    )


def _repository(definitions: Definitions | None) -> RepositoryDefinition:
    assert definitions is not None  # noqa: S101 - asked before
    return definitions.get_repository_def()


def _result(
    assets: list[StoredAsset], standings: dict[tuple[str, str | None], Standing], chosen: _Chosen
) -> MigrateIOStorageResult:
    from dagster._core.asset_graph_view.asset_graph_view import AssetGraphView
    from dagster._core.definitions.temporal_context import TemporalContext
    from dagster._time import get_current_datetime

    view = AssetGraphView(
        temporal_context=TemporalContext(effective_dt=get_current_datetime(), last_event_id=None),
        instance=chosen.instance,
        asset_graph=chosen.repository.asset_graph,
    )
    subsets: dict[str, list[EntitySubset[AssetKey]]] = {"migrated": [], "skipped": [], "failed": []}
    failures, kept = [], []
    sizes: dict[str, int] = {}
    for asset in assets:
        by_state: dict[str, set[str | None]] = {}
        for partition in asset.events:
            standing = standings.get((asset.label, partition), Standing("failed", "not tried: the copy was stopped"))
            by_state.setdefault(standing.state, set()).add(partition)
            if standing.state == "failed":
                failures.append(ValueFailure(asset.label, partition, standing.reason or "unknown"))
            if standing.state == "migrated":
                sizes[asset.label] = sizes.get(asset.label, 0) + standing.size
            if standing.kept:
                kept.append((asset.label, partition))
        for state, partitions in by_state.items():
            subsets[state].append(_subset(view, asset, partitions))
    return MigrateIOStorageResult(
        migrated=tuple(subsets["migrated"]),
        skipped=tuple(subsets["skipped"]),
        failed=tuple(subsets["failed"]),
        failures=tuple(failures),
        kept=tuple(kept),
        outside={asset.label: asset.outside for asset in assets if asset.outside},
        bytes_by_asset=sizes,
    )


def _subset(view: AssetGraphView, asset: StoredAsset, partitions: set[str | None]) -> EntitySubset[AssetKey]:
    if asset.partitions_def is None:
        return view.get_full_subset(key=asset.key)
    keys = {key for key in partitions if key is not None}
    if asset.dimensions(next(iter(keys))) is not None:
        keys = {asset.partitions_def.get_partition_key_from_str(key) for key in keys}  # type: ignore[attr-defined]
    return view.get_subset_from_partition_keys(asset.key, asset.partitions_def, keys)


def _tell(result: MigrateIOStorageResult, log: logging.Logger) -> None:
    for asset, partitions in result.outside.items():
        log.warning(
            "%s has %d stored partitions that it does not have any more, which are not copied: %s",
            asset,
            len(partitions),
            ", ".join(partitions[:10]),
        )
    for failure in result.failures[:_LISTED]:
        log.error("%s was not copied: %s", failure.label, failure.reason)
    log.info(
        "%d values copied, %d skipped (%d of them newer at the destination), %d failed.",
        *(sum(subset.size for subset in subsets) for subsets in (result.migrated, result.skipped)),
        len(result.kept),
        len(result.failures),
    )
