"""A location's values sorted by how they go to a destination, and each sort copied with a manifest of its own."""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from asset_values.copier import Copier
from asset_values.ends import End, end_of
from asset_values.fallback import WithFallback
from asset_values.inventory import StoredAsset, event_times, paths_left
from asset_values.kept_manifest import KeptManifest
from asset_values.loading import EXPIRED_OR_NEVER_STORED, LoadedSource, Loader, Transform, words_of
from asset_values.manifest import Identity, Manifest
from asset_values.model import Item, Source
from asset_values.moving import Mover, takes_batches
from asset_values.options import CopyOptions
from asset_values.row import Row, State

if TYPE_CHECKING:
    from dagster import DagsterInstance, IOManager

    from asset_values.migration import MigrationOptions

Way = Literal["bytes", "load", "move"]
"""As bytes; loaded here and stored as a pickle; loaded here and stored by an IO manager's own code."""


@dataclass(frozen=True)
class Standing:
    """What became of one value. ``size`` in bytes, 0 where it is not known; ``kept``: it is newer at the
    destination."""

    state: Literal["migrated", "skipped", "failed"]
    reason: str | None = None
    kept: bool = False
    size: int = 0


@dataclass(frozen=True)
class Target:
    """Where values go: an IO manager of any kind, or a place (``place_end``) where Dagster's would store pickles."""

    manager: IOManager | None = None
    place: End | None = None

    @property
    def end(self) -> End | None:
        found = self.place or end_of(self.manager)
        return found if found is not None and found.writes else None

    @property
    def name(self) -> str:
        end = self.end
        return end.name if end is not None else f"{type(self.manager).__module__}.{type(self.manager).__qualname__}"


@dataclass(frozen=True)
class Work:
    """Values that go one way from one source. ``places``: by destination key, whose value it is."""

    way: Way
    source_name: str
    end: End | None
    places: Mapping[str, tuple[StoredAsset, str | None]]
    loader: Loader
    target: Target
    transform: Transform | None
    instance: DagsterInstance

    def run(self, options: MigrationOptions) -> dict[tuple[str, str | None], Standing]:
        """Copy them; what became of each. Raises ``Fault``, ``ManifestError`` and ``AnotherRunError``."""
        with ExitStack() as held:
            folder = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="asset-values-")))
            path = folder / "manifest.sqlite" if options.manifest is None else self._beside(options.manifest)
            destination: Any = self.target.end.opened(options.threads) if self.target.end else None
            if hasattr(destination, "check"):
                destination.check()
            kept = None
            if options.kept is not None and destination is not None:
                kept = KeptManifest(destination, options.kept, self._digest, path, options.stop)
                kept.restore()
            manifest = held.enter_context(Manifest(path, self._identity()))
            manifest.plan(self._items())
            before = time.time()
            if kept is not None:
                held.enter_context(kept)
            given_up = None
            if destination is None:
                self._move(manifest, options)
            else:
                given_up = self._copy(manifest, destination, options, held)
            return self._standings(manifest, before, given_up)

    @property
    def _digest(self) -> str:
        return hashlib.sha256(f"{self.source_name}\n{self.target.name}".encode()).hexdigest()[:12]

    def _beside(self, path: Path) -> Path:
        return path.with_name(f"{path.stem}-{self._digest}{path.suffix or '.sqlite'}")

    def _identity(self) -> Identity:
        organization, deployment = (str(getattr(self.instance, name, None) or "") for name in _PLUS_NAMES)
        return Identity(organization, deployment, self.source_name, self.target.name)

    def _items(self) -> Iterator[Item]:
        for key, (asset, partition) in self.places.items():
            source_key = _key(self.end, asset, partition) if self.way == "bytes" and self.end else key
            yield Item(asset.label, partition, source_key, key, str(asset.events[partition]))

    def _copy(self, manifest: Manifest, destination: Any, options: MigrationOptions, held: ExitStack) -> str | None:
        loads = self.way == "load"
        copy = CopyOptions(
            threads=options.loads if loads else options.threads,
            rate=options.rate,
            overwrite_newer=options.overwrite_newer,
        )
        source = self._source(options, held)
        copier = Copier(source, destination, manifest, copy, on_progress=options.on_progress, stop=options.stop)
        return copier.run().given_up

    def _source(self, options: MigrationOptions, held: ExitStack) -> Source:
        if self.way == "load" or self.end is None:
            times = event_times([asset.events[partition] for asset, partition in self.places.values()], self.instance)
            values = {
                key: (asset, partition, times.get(asset.events[partition], 0.0))
                for key, (asset, partition) in self.places.items()
            }
            return LoadedSource(self.source_name, self.loader, values, self.transform)
        store = self.end.opened(options.threads)
        held.callback(getattr(store, "close", lambda: None))
        fallbacks = {
            self.end.key(asset.key.path, partition, dimensions): self.end.fallback_key(asset.key.path, partition)
            for asset, partition in self.places.values()
            if partition is not None and (dimensions := asset.dimensions(partition)) is not None
        }
        return WithFallback(store, fallbacks) if fallbacks else store

    def _move(self, manifest: Manifest, options: MigrationOptions) -> None:
        assert self.target.manager is not None  # noqa: S101 - a target is an end or has one
        Mover(
            self.loader,
            self.target.manager,
            self.transform,
            threads=options.loads,
            batches=options.batch_partitions and takes_batches(self.target.manager),
            on_progress=options.on_progress,
            stop=options.stop,
        ).run(manifest, self.places)

    def _standings(
        self, manifest: Manifest, before: float, given_up: str | None
    ) -> dict[tuple[str, str | None], Standing]:
        rows = list(manifest.rows())
        absent = [self.places[row.item.destination_key] for row in rows if row.state is State.ABSENT]
        left = paths_left([asset.events[partition] for asset, partition in absent], self.instance)
        found = {}
        for row in rows:
            asset, partition = self.places[row.item.destination_key]
            stored = self.end is None or left.get(asset.events[partition], True)
            found[asset.label, partition] = _standing(row, before, given_up, stored=stored)
        return found


def works(
    values: Iterable[tuple[StoredAsset, str | None]],
    loader: Loader,
    target: Target,
    transform: Transform | None,
    standings: dict[tuple[str, str | None], Standing],
) -> list[Work]:
    """The values sorted by way and source. Those whose IO manager cannot be set up are written into ``standings``.

    Raises ``ValueError`` when source and destination are one place.
    """
    sorted_: dict[tuple[Way, str], tuple[End | None, dict[str, tuple[StoredAsset, str | None]]]] = {}
    instances = {}
    for asset, partition in values:
        try:
            end = end_of(loader.manager(asset))
        except Exception as error:
            reason = f"its IO manager {asset.io_manager_key!r} cannot be set up: {words_of(error)}"
            standings[asset.label, partition] = Standing("failed", reason)
            continue
        if end is not None and target.end is not None and end.name == target.end.name:
            raise ValueError(f"{asset.label} is stored at {end.name} already, which is the destination itself.")
        way = _way(end, target, transform)
        source = end.name if way == "bytes" and end is not None else f"IO manager {asset.io_manager_key}"
        _, places = sorted_.setdefault((way, source), (end, {}))
        places[_key(target.end, asset, partition)] = (asset, partition)
        instances[way, source] = asset.instance
    return [
        Work(way, source, end, places, loader, target, transform, instances[way, source])
        for (way, source), (end, places) in sorted_.items()
    ]


def way_of(asset: StoredAsset, loader: Loader, target: Target, transform: Transform | None) -> Way:
    """How the asset's values go. Raises what the set-up of its IO manager raises."""
    return _way(end_of(loader.manager(asset)), target, transform)


def _way(end: End | None, target: Target, transform: Transform | None) -> Way:
    if target.end is None:
        return "move"
    return "bytes" if end is not None and transform is None else "load"


def _key(end: End | None, asset: StoredAsset, partition: str | None) -> str:
    if end is None:
        return asset.value_key(partition)
    return end.key(asset.key.path, partition, asset.dimensions(partition))


def _standing(row: Row, before: float, given_up: str | None, *, stored: bool) -> Standing:
    if row.state is State.COPIED:
        now = row.recorded is not None and row.recorded > before
        return Standing("migrated", size=row.size or 0) if now else Standing("skipped")
    if row.done:
        return Standing("skipped", kept=row.state is State.KEPT)
    if row.state is State.ABSENT:
        return Standing("failed", EXPIRED_OR_NEVER_STORED) if stored else Standing("skipped")
    return Standing("failed", row.reason or f"not tried: {given_up or 'the copy was stopped'}")


_PLUS_NAMES = ("organization_name", "deployment_name")
