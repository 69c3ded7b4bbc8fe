"""Which assets of a deployment have stored values, from Dagster+'s event log alone: no code of a location is run.

Each asset's latest events say of which partitions there is a value, when it was stored and where its IO manager says it
lies; the events of one run of each asset say which IO manager took it, or that none did.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Final, Protocol

from hybrid.assets.histories import Events, History, histories
from hybrid.assets.questions import OnProgress, Questions, batches
from hybrid.plus.assets import AssetKey, AssetNode, KnownAsset, Materialization, RepositoryResources, RunOutput, slashed
from hybrid.plus.locations import CodeLocationStatus

_NODES: Final = 50  # assets in one answer: each may bring thousands of partition keys
_BAR: Final = "|"


class Log(Events, Protocol):
    """What is asked of Dagster+: see ``hybrid.plus.PlusClient``. Called from several threads."""

    def known_assets(self) -> list[KnownAsset]: ...
    def asset_nodes(self, keys: Sequence[AssetKey]) -> list[AssetNode]: ...
    def run_outputs(self, run_id: str) -> list[RunOutput] | None: ...
    def repository_resources(self) -> list[RepositoryResources]: ...
    def code_locations(self) -> list[CodeLocationStatus]: ...


@dataclass(frozen=True, slots=True)
class Handling:
    """Which IO manager took an asset's latest value: the key of its resource. ``known`` and no ``manager``: none did,
    so that nothing is stored. Not ``known``: the run or its events are gone."""

    known: bool
    manager: str | None = None


@dataclass(frozen=True, slots=True)
class StoredValue:
    """What the event log says of one value: the partition's key (None: not partitioned), when and by which run it was
    stored last (``hint``), where its IO manager says that it lies, and its dimensions' keys when there are several.
    ``outside``: code does not define this partition now."""

    partition: str | None
    hint: str
    path: str | None
    dimensions: tuple[tuple[str, str], ...] = ()
    outside: bool = False


@dataclass(frozen=True)
class StoredAsset:
    """One asset: what code says of it (``node``, None when it is not in code), and its values by partition.

    ``partitions`` is how many code defines now, None for an asset without. ``cut``: so many events were looked through
    that older partitions which code does not define any more may be missing.
    """

    key: AssetKey
    node: AssetNode | None
    values: tuple[StoredValue, ...]
    handling: Handling
    partitions: int | None = None
    cut: bool = False

    @property
    def name(self) -> str:
        return slashed(self.key)


@dataclass(frozen=True)
class Catalog:
    """All assets that are known, and what code says of those in it: what a selection is made from."""

    known: tuple[KnownAsset, ...]
    nodes: tuple[AssetNode, ...]


@dataclass(frozen=True)
class Inventory:
    """The assets that were asked for, by name. ``not_loaded``: locations whose assets are not known now."""

    assets: tuple[StoredAsset, ...]
    resources: tuple[RepositoryResources, ...]
    not_loaded: tuple[str, ...]


def catalog_of(log: Log, on_progress: OnProgress | None = None) -> Catalog:
    """Raises the errors of ``hybrid.plus``."""
    known = sorted(log.known_assets(), key=lambda asset: asset.key)
    in_code = [asset.key for asset in known if asset.in_code]
    with Questions(on_progress) as questions:
        pages = questions.ask("assets", log.asset_nodes, batches(in_code, _NODES))
    return Catalog(tuple(known), tuple(node for page in pages for node in page))


def gather(log: Log, catalog: Catalog, keys: Collection[AssetKey], on_progress: OnProgress | None = None) -> Inventory:
    """What is stored of the assets with these ``keys``. Raises the errors of ``hybrid.plus``."""
    nodes = {node.key: node for node in catalog.nodes if node.key in keys}
    gone = [asset.key for asset in catalog.known if asset.key in keys and asset.key not in nodes]
    resources = log.repository_resources()
    not_loaded = tuple(sorted(location.name for location in log.code_locations() if not location.is_loaded))
    with Questions(on_progress) as questions:
        found = histories(log, nodes, gone, questions)
        newest = {key: event for key, history in found.items() if (event := history.newest) is not None}
        runs = sorted({event.run_id for event in newest.values() if event.step is not None})
        outputs = dict(zip(runs, questions.ask("runs", log.run_outputs, runs), strict=True))
    handling = {key: _handling(key, event, outputs) for key, event in newest.items()}
    assets = [
        _stored(key, nodes.get(key), found.get(key) or History([]), handling.get(key, Handling(known=True)))
        for key in sorted([*nodes, *gone])
    ]
    return Inventory(tuple(assets), tuple(resources), not_loaded)


def handled_by(outputs: Sequence[RunOutput], asset: AssetKey, step: str | None) -> Handling:
    """Which IO manager took the asset's output in a run's step.

    Dagster logs an output's materializations and, right after them, that it was handled (``_store_output`` in
    dagster/_core/execution/plan/execute_step.py); an output that stores nothing has no such event.
    """
    of_step = [output for output in outputs if output.step == step]
    last = max((place for place, output in enumerate(of_step) if output.asset == asset), default=None)
    if last is None:
        return Handling(known=False)
    following = of_step[last + 1] if last + 1 < len(of_step) else None
    return Handling(known=True, manager=following.manager if following else None)


def _handling(key: AssetKey, newest: Materialization, outputs: Mapping[str, list[RunOutput] | None]) -> Handling:
    if newest.step is None:
        return Handling(known=True)  # somebody reported it; no step made it
    found = outputs.get(newest.run_id)
    return Handling(known=False) if found is None else handled_by(found, key, newest.step)


def _stored(key: AssetKey, node: AssetNode | None, history: History, handling: Handling) -> StoredAsset:
    dimensions = dict(node.dimensions) if node else {}
    names = sorted(dimensions)
    defined = [frozenset(dimensions[name]) for name in names]

    def value(event: Materialization) -> StoredValue:
        parts: Sequence[str] = () if event.partition is None else (event.partition,)
        if event.partition is not None and len(names) > 1:
            parts = event.partition.split(_BAR)
        named = event.dimensions
        if not named and len(names) > 1 and len(parts) == len(names):
            named = tuple(zip(names, parts, strict=True))  # an event that somebody reported has no tags of them
        inside = len(parts) == len(defined) and all(part in own for part, own in zip(parts, defined, strict=True))
        return StoredValue(event.partition, event.hint, event.path, named, outside=node is not None and not inside)

    values = sorted((value(event) for event in _standing(node, history)), key=lambda one: one.partition or "")
    partitions = prod(len(own) for own in defined) if defined else None
    return StoredAsset(key, node, tuple(values), handling, partitions, history.cut)


def _standing(node: AssetNode | None, history: History) -> list[Materialization]:
    """Without the value that an asset had before it was partitioned: it is removed when the first partition is stored
    (``_handle_transition_to_partitioned_asset`` in dagster/_core/storage/upath_io_manager.py)."""
    events = list(history.latest.values())
    whole = history.latest.get(None)
    if whole is None or node is None or not node.is_partitioned or whole is history.newest:
        return events
    return [event for event in events if event is not whole]
