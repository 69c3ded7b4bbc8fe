"""What would be done with each asset's stored values, and why. Pure: from the inventory to values that can be shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from asset_values.model import Item
from hybrid.assets.inventory import Inventory, StoredAsset, StoredValue
from hybrid.assets.layout import Layout

DEFAULT_MANAGER: Final = "io_manager"
"""The resource that stores what names no other; where code does not give it, the platform's own default is used."""
_SERVERLESS: Final = frozenset(
    {
        "dagster_cloud.serverless.io_manager.serverless_io_manager",
        "dagster_cloud.serverless.io_manager.PickledObjectServerlessIOManager",
        "dagster_cloud.serverless.io_manager.ServerlessPresignedURLIOManager",
    }
)
VALUES_A_SECOND: Final = 100
"""What an estimate assumes without a rate: 32 values at once, 0.3 s each, of which most is the way to the source and
back. Assumed, not measured on Dagster+."""
BYTES_A_SECOND: Final = 20_000_000
"""What an estimate assumes of the bytes that are known: a line of 160 Mbit/s."""


class Way(StrEnum):
    """How an asset's values get to the destination; the words are what plans show."""

    BYTES = "bytes"
    """The same pickle at both ends: copied as it is, never loaded."""
    LOAD = "load"
    """Stored by another IO manager: loaded and stored by a run of the location (`hybrid assets job`)."""
    NONE = "none"
    """Nothing is stored, by design."""
    KEPT = "kept"
    """Stored at the destination itself, by a run on Hybrid, and nowhere since: left as it is."""
    UNKNOWN = "unknown"
    """Nothing says how it was stored; ``because`` says what to do."""


@dataclass(frozen=True, slots=True)
class PlannedValue:
    """One value: where it lies and where it goes, relative to source and destination; ``size`` in bytes when the
    source could be listed, ``absent`` when it could and the value is not there."""

    partition: str | None
    source_key: str
    destination_key: str
    hint: str
    size: int | None = None
    absent: bool = False


@dataclass(frozen=True)
class AssetPlan:
    """The values of one asset that go one ``way``, and ``because`` of what. ``manager`` is the IO manager: its
    resource's key, and its class where code gives one. ``location`` is None for what is not in code."""

    asset: str
    location: str | None
    way: Way
    because: str
    values: tuple[PlannedValue, ...]
    manager: str | None = None
    partitions: int | None = None
    outside: int = 0
    """Values of partitions that code does not define now."""
    missing: int = 0
    """Partitions that code defines and nothing is stored of, at either end."""
    cut: bool = False

    @property
    def bytes(self) -> int | None:
        """None as long as no size is known."""
        sizes = [value.size for value in self.values if value.size is not None]
        return sum(sizes) if sizes else None


@dataclass(frozen=True)
class Plan:
    """All of it. ``never_stored``: assets in code of which the event log knows no value. ``unclaimed``: values that lie
    at a source that could be listed and belong to no asset that was asked for."""

    organization: str
    deployment: str
    source: str
    destination: str
    assets: tuple[AssetPlan, ...]
    never_stored: tuple[str, ...] = ()
    unclaimed: int | None = None
    warnings: tuple[str, ...] = ()
    selection: str | None = None
    rate: float | None = None

    def by(self, way: Way) -> tuple[AssetPlan, ...]:
        return tuple(asset for asset in self.assets if asset.way is way)

    def count(self, way: Way) -> int:
        """Values that go this way."""
        return sum(len(asset.values) for asset in self.by(way))

    @property
    def rest(self) -> tuple[AssetPlan, ...]:
        """What a copy leaves: values to be loaded by a run, and those of which nothing is known."""
        return tuple(asset for asset in self.assets if asset.way in (Way.LOAD, Way.UNKNOWN) and asset.values)

    @property
    def bytes(self) -> int | None:
        sizes = [asset.bytes for asset in self.by(Way.BYTES) if asset.bytes is not None]
        return sum(sizes) if sizes else None

    @property
    def seconds(self) -> float:
        """An estimate for what is copied as bytes: see ``VALUES_A_SECOND`` and ``BYTES_A_SECOND``."""
        rate = min(self.rate or VALUES_A_SECOND, VALUES_A_SECOND)
        return max(self.count(Way.BYTES) / rate, (self.bytes or 0) / BYTES_A_SECOND)

    def items(self) -> Iterator[Item]:
        """What is copied as bytes."""
        for asset in self.by(Way.BYTES):
            for value in asset.values:
                yield Item(asset.asset, value.partition, value.source_key, value.destination_key, value.hint)


def plan_of(
    inventory: Inventory,
    *,
    organization: str,
    deployment: str,
    layout: Layout,
    sizes: Mapping[str, int] | None = None,
    selection: str | None = None,
    rate: float | None = None,
    warnings: tuple[str, ...] = (),
) -> Plan:
    """``sizes``: what lies at the source, by key, when it can be listed."""
    overridden = {(found.location, found.repository): found.types for found in inventory.resources}
    plans = [plan for asset in inventory.assets if asset.values for plan in _plans(asset, overridden, layout, sizes)]
    claimed = {value.source_key for plan in plans for value in plan.values}
    return Plan(
        organization=organization,
        deployment=deployment,
        source=layout.source_name,
        destination=layout.destination_name,
        assets=tuple(plans),
        never_stored=tuple(asset.name for asset in inventory.assets if not asset.values and _could_store(asset)),
        unclaimed=None if sizes is None else sum(1 for key in sizes if key not in claimed),
        warnings=(*warnings, *_remarks(inventory)),
        selection=selection,
        rate=rate,
    )


def _could_store(asset: StoredAsset) -> bool:
    return asset.node is not None and asset.node.is_executable and not asset.node.returns_nothing


def _remarks(inventory: Inventory) -> Iterator[str]:
    for name in inventory.not_loaded:
        yield (
            f"The location '{name}' is not loaded: its assets count as not in code, and what they need is not known. "
            "See `hybrid status`."
        )


def _plans(
    asset: StoredAsset,
    types: Mapping[tuple[str, str], Mapping[str, str]],
    layout: Layout,
    sizes: Mapping[str, int] | None,
) -> Iterator[AssetPlan]:
    given = types.get((asset.node.location, asset.node.repository), {}) if asset.node else {}
    way, because, manager = _way(asset, given)
    inside = sum(1 for value in asset.values if not value.outside)

    def made(way: Way, because: str, values: tuple[StoredValue, ...]) -> AssetPlan:
        return AssetPlan(
            asset=asset.name,
            location=asset.node.location if asset.node else None,
            way=way,
            because=because,
            values=tuple(_planned(asset, value, layout, sizes) for value in values),
            manager=manager,
            partitions=asset.partitions,
            outside=sum(1 for value in values if value.outside),
            missing=0 if asset.partitions is None else max(0, asset.partitions - inside),
            cut=asset.cut,
        )

    if way is Way.NONE:
        yield made(way, because, asset.values)
        return
    kept = tuple(value for value in asset.values if layout.is_at_destination(asset.key, value))
    if kept:
        yield made(Way.KEPT, "stored last at the destination, where nothing has to be done", kept)
    left = tuple(value for value in asset.values if value not in set(kept))
    if way is not Way.BYTES:
        if left:
            yield made(way, because, left)
        return
    astray = tuple(value for value in left if not layout.fits(asset.key, value))
    if placed := tuple(value for value in left if value not in set(astray)):
        yield made(Way.BYTES, because, placed)
    if astray:
        yield made(
            Way.UNKNOWN,
            f"their events say that they lie at {astray[0].path}, where Serverless's own storage is not: another IO "
            "manager stored them; if they are needed, materialize them anew or copy them by `hybrid assets job`",
            astray,
        )


def _way(asset: StoredAsset, given: Mapping[str, str]) -> tuple[Way, str, str | None]:
    """The way of an asset's values, the reason, and its IO manager in words. ``given``: the resources of its code."""
    if asset.node is not None and asset.node.returns_nothing and asset.handling.manager is None:
        return Way.NONE, "its type says that it returns nothing", None
    if not asset.handling.known:
        return _of_unknown(asset, given)
    key = asset.handling.manager
    if key is None:
        return Way.NONE, "no IO manager was given a value when it was made last", None
    type_ = given.get(key)
    words = f"{key} ({type_})" if type_ else key
    if type_ in _SERVERLESS or (key == DEFAULT_MANAGER and type_ is None):
        return Way.BYTES, "stored by Serverless's own IO manager, which writes pickles", words
    if asset.node is None:
        return Way.UNKNOWN, f"stored by the IO manager '{key}', and its code is not there any more to load it", words
    return (
        Way.LOAD,
        "stored by an IO manager of the code's own: a run of the location loads and stores it; if that IO manager "
        "still works after the switch, leave it out",
        words,
    )


def _of_unknown(asset: StoredAsset, given: Mapping[str, str]) -> tuple[Way, str, str | None]:
    """The run that made it is gone, so that only the places which the events name can tell."""
    if DEFAULT_MANAGER not in given and all(value.path is not None for value in asset.values):
        return Way.BYTES, "its run is gone, and its values lie as Serverless's own IO manager stores them", None
    return (
        Way.UNKNOWN,
        "the run that made it is gone, and nothing else says which IO manager stored it: materialize it anew, or copy "
        "it by `hybrid assets job`",
        None,
    )


def _planned(asset: StoredAsset, value: StoredValue, layout: Layout, sizes: Mapping[str, int] | None) -> PlannedValue:
    source = layout.source_key(asset.key, value)
    return PlannedValue(
        partition=value.partition,
        source_key=source,
        destination_key=layout.destination_key(asset.key, value),
        hint=value.hint,
        size=sizes.get(source) if sizes is not None else None,
        absent=sizes is not None and source not in sizes,
    )
