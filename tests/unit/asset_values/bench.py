"""A source, a destination and a manifest in memory, and values that are copied between them."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from asset_values.copier import Copier, CopyOptions, Outcome
from asset_values.faults import Fault, FaultKind
from asset_values.manifest import Identity, Manifest
from asset_values.model import Item
from asset_values.progress import Progress
from tests.unit.asset_values.memory_store import Clock, CopyingStore, MemoryStore

IDENTITY = Identity("hooli", "prod", "memory", "memory")


class Bench:
    """A source, a destination and a manifest, with ``number`` values at the source."""

    def __init__(self, folder: Path, number: int = 0, *, server: bool = False, lists: bool = True, notes: bool = True):
        self.clock = Clock()
        self.source = MemoryStore("source", lists=lists, clock=self.clock)
        self.destination = (CopyingStore if server else MemoryStore)("destination", notes=notes, clock=self.clock)
        self.path = folder / "manifest.sqlite"
        self.keys = [str(i) for i in range(number)]
        for key in self.keys:
            self.source.write(f"s/{key}", f"value {key}".encode())
        self.hint: str | None = "h1"

    def copy(self, stop: threading.Event | None = None, told: list[Progress] | None = None, **options) -> Outcome:
        with Manifest(self.path, IDENTITY) as manifest:
            manifest.plan(Item("a", key, f"s/{key}", f"d/{key}", self.hint) for key in self.keys)
            return Copier(
                self.source,
                self.destination,
                manifest,
                CopyOptions(**{"threads": 8, **options}),
                stop=stop,
                on_progress=told.append if told is not None else None,
                sleep=lambda seconds: None,
            ).run()

    def is_right(self) -> bool:
        return all(self.destination.data(f"d/{key}") == self.source.data(f"s/{key}") for key in self.keys)

    def forget_calls(self) -> None:
        self.source.calls.clear()
        self.destination.calls.clear()

    def operations(self) -> Counter[str]:
        return Counter(operation for operation, _ in self.source.calls + self.destination.calls)


def failing(kind: FaultKind, times: int, on: str, keys: Sequence[str] | None = None) -> Callable[[str, str], None]:
    left = Counter[str]()
    lock = threading.Lock()

    def before(operation: str, key: str) -> None:
        if operation == on and (keys is None or key in keys):
            with lock:
                left[key] += 1
                if left[key] > times:
                    return
            raise Fault(kind, "on order", action="s3:GetObject" if kind is FaultKind.DENIED else None)

    return before
