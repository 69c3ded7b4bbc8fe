"""Values that only IO managers' own code can read and write, many at a time, remembered in a manifest as copies are."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Final

from asset_values.faults import Fault, FaultKind
from asset_values.inventory import StoredAsset
from asset_values.loading import Loader, Transform, transformed
from asset_values.manifest import Manifest
from asset_values.progress import Gauge, Progress
from asset_values.row import Result, Row, State

if TYPE_CHECKING:
    from dagster import IOManager, PartitionKeyRange

_ATTEMPTS: Final = 4
_FIRST_WAIT: Final = 0.5  # seconds, doubled each time, with jitter

Place = tuple[StoredAsset, str | None]


class Mover:
    """Loads each value, transforms it and hands it to ``destination``, with so many threads.

    What lies at the destination cannot be asked, so that nothing is known of newer values there. ``batches``:
    partitions that follow each other go together, as many as the asset's backfill policy says (all, when
    it says nothing), with one call of the destination; only for a destination that takes them.
    """

    def __init__(
        self,
        loader: Loader,
        destination: IOManager,
        transform: Transform | None,
        *,
        threads: int,
        batches: bool = False,
        on_progress: Callable[[Progress], None] | None = None,
        stop: threading.Event | None = None,
    ) -> None:
        self._loader = loader
        self._destination = destination
        self._transform = transform
        self._threads = threads
        self._batches = batches
        self._on_progress = on_progress
        self._stop = stop or threading.Event()

    def run(self, manifest: Manifest, places: Mapping[str, Place]) -> None:
        """Work on what is pending; ``places``: by destination key, whose value it is."""
        counts = manifest.counts()
        gauge = Gauge(self._on_progress, counts.done, counts.total, time.monotonic)
        waiting: set[Future[list[Result]]] = set()
        with ThreadPoolExecutor(self._threads, "asset-values-move") as pool:
            for rows in self._works(list(manifest.pending()), places):
                if self._stop.is_set():
                    break
                waiting.add(pool.submit(self._moved, rows, places))
                if len(waiting) >= 2 * self._threads:
                    waiting = _written(waiting, manifest, gauge)
            while waiting:
                waiting = _written(waiting, manifest, gauge)
        gauge.tell(last=True)

    def _works(self, rows: Sequence[Row], places: Mapping[str, Place]) -> Iterator[list[Row]]:
        by_asset: dict[str, list[Row]] = {}
        for row in rows:
            if self._batches and row.item.partition is not None:
                by_asset.setdefault(row.item.asset, []).append(row)
            else:
                yield [row]
        for together in by_asset.values():
            asset, _ = places[together[0].item.destination_key]
            by_key = {row.item.partition: row for row in together}
            for _, keys in partition_ranges(asset, [key for key in by_key if key is not None]):
                yield [by_key[key] for key in keys]

    def _moved(self, rows: list[Row], places: Mapping[str, Place]) -> list[Result]:
        """A batch that fails goes again by single values: one that is missing must not cost the others."""
        fault = self._tried(rows, places)
        if fault is None:
            return [Result(row, State.COPIED, source_version=row.item.hint) for row in rows]
        if len(rows) > 1:
            return [result for row in rows for result in self._moved([row], places)]
        state = State.ABSENT if fault.kind is FaultKind.ABSENT else State.FAILED
        return [Result(row, state, reason=str(fault), fault=fault.kind) for row in rows]

    def _tried(self, rows: list[Row], places: Mapping[str, Place]) -> Fault | None:
        for attempt in range(_ATTEMPTS):
            try:
                self._move(rows, places)
            except Fault as fault:
                if not fault.passes or attempt + 1 == _ATTEMPTS or self._stop.is_set():
                    return fault
                self._stop.wait(_FIRST_WAIT * 2**attempt * random.random())  # noqa: S311 - only spreads the tries
            else:
                return None
        return None

    def _move(self, rows: list[Row], places: Mapping[str, Place]) -> None:
        asset, partition = places[rows[0].item.destination_key]
        if len(rows) == 1:
            value = transformed(self._loader.load(asset, partition), self._transform)
            self._loader.store(self._destination, asset, partition, value)
            return
        keys = [row.item.partition for row in rows if row.item.partition is not None]
        whole = next(iter(partition_ranges(asset, keys)))[0]
        value = transformed(self._loader.load_range(asset, whole), self._transform)
        self._loader.store_range(self._destination, asset, whole, value)


def partition_ranges(asset: StoredAsset, keys: Sequence[str]) -> list[tuple[PartitionKeyRange, list[str]]]:
    """The partitions by runs that follow each other, none longer than the asset's backfill policy allows."""
    from dagster import PartitionKeyRange

    partitions = asset.partitions_def
    assert partitions is not None  # noqa: S101 - asked of partitioned assets alone
    policy = asset.definition.backfill_policy
    most = (policy.max_partitions_per_run if policy else None) or len(keys)
    found = []
    with asset.partition_context():
        for span in partitions.subset_with_partition_keys(keys).get_partition_key_ranges(partitions):
            inside = [str(key) for key in partitions.get_partition_keys_in_range(span)]
            for start in range(0, len(inside), most):
                some = inside[start : start + most]
                found.append((PartitionKeyRange(some[0], some[-1]), some))
    return found


def takes_batches(destination: object) -> bool:
    """Whether an IO manager may take a range of partitions at once: those of one file a partition never do
    (``UPathIOManager.handle_output``); of others only their own code knows."""
    from dagster import UPathIOManager

    inner = {f"{base.__module__}.{base.__qualname__}" for base in type(destination).__mro__}
    return not isinstance(destination, UPathIOManager) and "dagster_aws.s3.io_manager.S3PickleIOManager" not in inner


def _written(waiting: set[Future[list[Result]]], manifest: Manifest, gauge: Gauge) -> set[Future[list[Result]]]:
    ended, going_on = wait(waiting, return_when=FIRST_COMPLETED)
    results = [result for future in ended for result in future.result()]
    manifest.record(results)
    for result in results:
        gauge.done += not result.is_failure
        gauge.failed += result.is_failure
        if result.is_failure:
            gauge.trouble = f"{result.row.item.label}: {result.reason}"
    gauge.tell()
    return going_on
