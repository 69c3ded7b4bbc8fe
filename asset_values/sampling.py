"""Some stored values, loaded as their location would load them, and held against what a copy knows of them."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from asset_values.ends import end_of
from asset_values.faults import Fault, FaultKind
from asset_values.inventory import StoredAsset, paths_left
from asset_values.kept_manifest import kept_manifests
from asset_values.loading import Loader, words_of
from asset_values.manifest import ManifestError
from asset_values.result import ValueFailure
from asset_values.row import State

if TYPE_CHECKING:
    from dagster import DagsterInstance

_THREADS: Final = 8
"""Values in memory at once."""


@dataclass(frozen=True)
class Sample:
    """``stored``: how many values there are; ``loaded``, of those chosen; ``compared``: whose checksum was known."""

    stored: int
    loaded: int
    compared: int
    failures: tuple[ValueFailure, ...]


def loaded_sample(
    assets: Sequence[StoredAsset], instance: DagsterInstance, number: int, seed: int, copied_by: str
) -> Sample:
    """Load ``number`` values, the same for the same ``seed``; ``copied_by``: under which name a manifest was kept.
    Values that were stored by no IO manager are no failures."""
    stored = [(asset, key) for asset in assets if not asset.stores_nothing for key in asset.events]
    chosen = random.Random(seed).sample(stored, min(number, len(stored)))  # noqa: S311 - a sample, no secret
    with Loader(instance) as loader, ThreadPoolExecutor(_THREADS, "asset-values-load") as pool:
        places = _Places(loader, [asset for asset, _ in chosen], copied_by)
        looks = list(pool.map(lambda place: _looked_at(loader, places, *place), chosen))
    left = paths_left([asset.events[key] for asset, key in chosen], instance) if any(k.absent for k in looks) else {}
    return Sample(
        stored=len(stored),
        loaded=sum(look.loaded for look in looks),
        compared=sum(look.compared for look in looks),
        failures=tuple(
            ValueFailure(asset.label, key, look.fault)
            for (asset, key), look in zip(chosen, looks, strict=True)
            if look.fault is not None and not (look.absent and not left.get(asset.events[key], True))
        ),
    )


@dataclass(frozen=True)
class _Look:
    loaded: bool = False
    compared: bool = False
    absent: bool = False
    fault: str | None = None


class _Places:
    """Where the assets' values lie, and the checksums that copies have left there."""

    def __init__(self, loader: Loader, assets: Sequence[StoredAsset], copied_by: str) -> None:
        self._ends = {}
        for asset in assets:
            with suppress(Exception):  # loading it says what is wrong
                self._ends[asset.label] = end_of(loader.manager(asset))
        self._stores: dict[str, Any] = {}
        self._noted: dict[str, dict[str, tuple[str, str | None]]] = {}
        for end in self._ends.values():
            if end is not None and end.writes and end.name not in self._stores:
                self._stores[end.name] = end.opened(_THREADS)
                self._noted[end.name] = _checksums(self._stores[end.name], copied_by)

    def differs(self, asset: StoredAsset, partition: str | None) -> bool | None:
        """Whether the value's bytes are others than were copied; None where no checksum of them is known, also because
        it was stored anew since. Raises ``Fault``."""
        end = self._ends.get(asset.label)
        if end is None or end.name not in self._stores:
            return None
        store, key = self._stores[end.name], end.key(asset.key.path, partition, asset.dimensions(partition))
        version, noted = self._noted[end.name].get(key, (None, None))
        known = store.head(key)
        if known is None:
            return None
        wanted = noted if version == known.version else known.sha256
        if wanted is None:
            return None
        _, found = store.digest(key)
        return bool(found != wanted)


def _looked_at(loader: Loader, places: _Places, asset: StoredAsset, partition: str | None) -> _Look:
    try:
        loader.load(asset, partition)
    except Fault as fault:
        return _Look(absent=fault.kind is FaultKind.ABSENT, fault=str(fault))
    except Exception as error:
        return _Look(fault=f"its IO manager {asset.io_manager_key!r} cannot be set up: {words_of(error)}")
    look = _Look(loaded=True)
    try:
        differs = places.differs(asset, partition)
    except Fault:
        return look  # it was loaded; that its bytes cannot be asked for is no fault of the value's
    if differs is None:
        return look
    return replace(look, compared=True, fault="its bytes are others than were copied" if differs else None)


def _checksums(store: Any, copied_by: str) -> dict[str, tuple[str, str | None]]:
    """By key, the version and the SHA-256 (hex) of what copies have left."""
    noted = {}
    with tempfile.TemporaryDirectory(prefix="asset-values-") as folder, suppress(Fault, ManifestError):
        for manifest in kept_manifests(store, copied_by, Path(folder)):
            with manifest:
                for row in manifest.rows(states=(State.COPIED, State.SAME), planned=False):
                    if row.destination_version is not None:
                        noted[row.item.destination_key] = (row.destination_version, row.sha256)
    return noted
