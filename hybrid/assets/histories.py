"""An asset's materializations as far back as its values need: the latest of each partition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from hybrid.assets.questions import Questions, batches
from hybrid.plus.assets import AssetKey, AssetNode, Materialization

_PLAIN: Final = 200  # assets in one answer of which one event is asked
_PARTITIONED: Final = 20  # assets in one answer of which `_FIRST` events are asked
_FIRST: Final = 100
_PAGE: Final = 1000
_PAGES: Final = 10
"""Of one asset: an asset that was stored ten thousand times is asked for its partitions by name from there on."""
_CHUNK: Final = 500


class Events(Protocol):
    """What is asked of Dagster+: see ``hybrid.plus.PlusClient``. Called from several threads."""

    def materializations_of(self, keys: Sequence[AssetKey], limit: int) -> dict[AssetKey, list[Materialization]]: ...

    def materializations(
        self, key: AssetKey, *, limit: int, before: int | None = None, partitions: Sequence[str] | None = None
    ) -> list[Materialization]: ...

    def latest_of_partitions(self, key: AssetKey, partitions: Sequence[str]) -> list[Materialization]: ...


class History:
    """The latest event of each partition, by its key (None: not partitioned), the latest first. ``cut``: older events
    were not looked through, so that partitions which code does not define any more may be missing."""

    def __init__(self, events: Sequence[Materialization]) -> None:
        self.latest: dict[str | None, Materialization] = {}
        self.cut = False
        self.take(events)

    def take(self, events: Sequence[Materialization]) -> None:
        for event in events:
            known = self.latest.get(event.partition)
            if known is None or known.timestamp < event.timestamp:
                self.latest[event.partition] = event

    @property
    def newest(self) -> Materialization | None:
        return max(self.latest.values(), key=lambda event: event.timestamp, default=None)


def histories(
    log: Events, nodes: Mapping[AssetKey, AssetNode], gone: Sequence[AssetKey], questions: Questions
) -> dict[AssetKey, History]:
    """Of assets in code (``nodes``) and of those that are only in the event log (``gone``)."""
    plain = [key for key, node in nodes.items() if not node.is_partitioned]
    partitioned = [key for key, node in nodes.items() if node.is_partitioned]
    asked = [(keys, 1) for keys in batches(plain, _PLAIN)]
    asked += [(keys, _FIRST) for keys in batches(partitioned, _PARTITIONED)]
    pages = questions.ask("events", lambda one: log.materializations_of(*one), asked)
    answered = {key: events for page in pages for key, events in page.items()}
    whole_in_one = {*plain, *(key for key, events in answered.items() if len(events) < _FIRST)}
    found = {key: History(events) for key, events in answered.items() if key in whole_in_one}
    long = [key for key in partitioned if key not in found]
    whole = questions.ask("histories", lambda key: _whole(log, key, nodes.get(key)), [*long, *gone])
    found.update(zip([*long, *gone], whole, strict=True))
    return found


def defined_partitions(node: AssetNode | None) -> list[str]:
    """The partition keys that code defines, as Dagster writes them: of several dimensions the keys in the order of the
    dimensions' names, joined by bars."""
    if node is None or not node.dimensions:
        return []
    keys = [""]
    for place, (_, own) in enumerate(sorted(node.dimensions)):
        keys = [f"{start}|{key}" if place else key for start in keys for key in own]
    return keys


def _whole(log: Events, key: AssetKey, node: AssetNode | None) -> History:
    history = History([])
    before: int | None = None
    for _ in range(_PAGES):
        limit = _PAGE if before is not None or node is not None else _FIRST
        page = log.materializations(key, limit=limit, before=before)
        history.take(page)
        if len(page) < limit or (node is None and set(history.latest) == {None}):
            return history
        oldest = page[-1].timestamp + 1  # events of the same millisecond may be on both pages; none may be on neither
        if before is not None and oldest >= before:
            break
        before = oldest
    history.cut = True
    missing = [partition for partition in defined_partitions(node) if partition not in history.latest]
    for chunk in batches(missing, _CHUNK):
        history.take(log.latest_of_partitions(key, chunk))
    return history
