"""A source where values of several dimensions may lie at the key with bars instead."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager

from asset_values.faults import Fault, FaultKind
from asset_values.model import Entry, Reading, Source


class WithFallback:
    """``inner``, which is asked for ``fallbacks[key]`` where nothing lies at ``key``: as Dagster's IO managers do for
    what ``migrate_io_storage`` has written."""

    can_list = False

    def __init__(self, inner: Source, fallbacks: Mapping[str, str]) -> None:
        self.name = inner.name
        self._inner = inner
        self._fallbacks = fallbacks

    def entries(self, prefix: str = "") -> Iterator[Entry]:
        return self._inner.entries(prefix)

    def head(self, key: str) -> Entry | None:
        found = self._inner.head(key)
        if found is None and key in self._fallbacks:
            return self._inner.head(self._fallbacks[key])
        return found

    @contextmanager
    def open(self, key: str) -> Iterator[Reading]:
        with ExitStack() as opened:
            try:
                reading = opened.enter_context(self._inner.open(key))
            except Fault as fault:
                if fault.kind is not FaultKind.ABSENT or key not in self._fallbacks:
                    raise
                reading = opened.enter_context(self._inner.open(self._fallbacks[key]))
            yield reading

    def prefetch(self, keys: Iterable[str]) -> None:
        ahead = getattr(self._inner, "prefetch", None)
        if ahead is not None:
            ahead(keys)
