"""Assets, events and a Dagster+ that knows only them."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from hybrid.assets.inventory import Catalog, Handling, Inventory, StoredAsset, StoredValue
from hybrid.plus.assets import AssetKey, AssetNode, KnownAsset, Materialization, RepositoryResources, RunOutput
from hybrid.plus.locations import CodeLocationStatus

DAYS = ("2024-01-01", "2024-01-02", "2024-01-03")


def node(*key: str, days: Sequence[str] | None = None, **facts: Any) -> AssetNode:
    """An asset of the location ``shop``; with ``days`` a partitioned one."""
    if days is not None:
        facts = {"is_partitioned": True, "dimensions": (("default", tuple(days)),), **facts}
    return AssetNode(key, facts.pop("location", "shop"), "__repository__", **facts)


def event(
    run: str,
    timestamp: int,
    partition: str | None = None,
    *,
    step: str | None = "step",
    path: str | None = None,
    **more: Any,
) -> Materialization:
    return Materialization(run, timestamp, step, partition, path, **more)


def stored(
    *key: str,
    values: Sequence[StoredValue] | None = None,
    manager: str | None = "io_manager",
    known: bool = True,
    in_code: bool = True,
    partitions: int | None = None,
    **facts: Any,
) -> StoredAsset:
    """An asset with one value, unless told otherwise."""
    default = (StoredValue(None, "1 run", "/".join(key)),)
    own = node(*key, **facts) if in_code else None
    return StoredAsset(key, own, tuple(default if values is None else values), Handling(known, manager), partitions)


def inventory(
    *assets: StoredAsset, resources: dict[str, str] | None = None, not_loaded: Sequence[str] = ()
) -> Inventory:
    given = RepositoryResources("shop", "__repository__", frozenset(), resources or {})
    return Inventory(assets, (given,), tuple(not_loaded))


@dataclass
class Log:
    """Answers from what it is given; counts what it is asked, and fails on what Dagster would not be asked for."""

    nodes: Sequence[AssetNode] = ()
    gone: Sequence[AssetKey] = ()
    events: dict[AssetKey, list[Materialization]] = field(default_factory=dict)
    outputs: dict[str, list[RunOutput]] = field(default_factory=dict)
    locations: Sequence[CodeLocationStatus] = ()
    asked: dict[str, int] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def _count(self, what: str) -> None:
        with self.lock:
            self.asked[what] = self.asked.get(what, 0) + 1

    @property
    def catalog(self) -> Catalog:
        return Catalog(tuple(self.known_assets()), tuple(self.nodes))

    def known_assets(self) -> list[KnownAsset]:
        known = [KnownAsset(node.key, True) for node in self.nodes]
        return known + [KnownAsset(key, False) for key in self.gone]

    def asset_nodes(self, keys: Sequence[AssetKey]) -> list[AssetNode]:
        self._count("nodes")
        return [node for node in reversed(self.nodes) if node.key in set(keys)]  # in an order of its own

    def materializations_of(self, keys: Sequence[AssetKey], limit: int) -> dict[AssetKey, list[Materialization]]:
        self._count("bulk")
        in_code = {node.key for node in self.nodes}
        assert set(keys) <= in_code, "Dagster+ answers this for assets in code alone"
        return {key: self._newest(key)[:limit] for key in keys}

    def materializations(
        self, key: AssetKey, *, limit: int, before: int | None = None, partitions: Sequence[str] | None = None
    ) -> list[Materialization]:
        self._count("history")
        return [event for event in self._newest(key) if before is None or event.timestamp < before][:limit]

    def latest_of_partitions(self, key: AssetKey, partitions: Sequence[str]) -> list[Materialization]:
        self._count("latest")
        assert len(partitions) <= 500
        latest: dict[str | None, Materialization] = {}
        for one in self._newest(key):
            latest.setdefault(one.partition, one)
        return [latest[partition] for partition in partitions if partition in latest]

    def run_outputs(self, run_id: str) -> list[RunOutput] | None:
        self._count("outputs")
        return self.outputs.get(run_id)

    def repository_resources(self) -> list[RepositoryResources]:
        return []

    def code_locations(self) -> list[CodeLocationStatus]:
        return list(self.locations)

    def _newest(self, key: AssetKey) -> list[Materialization]:
        return sorted(self.events.get(key, []), key=lambda one: -one.timestamp)
