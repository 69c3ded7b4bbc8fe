"""Where values lie at both ends, and whether what an event says fits. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from asset_values.value_key import fallback_key, value_key
from hybrid.assets.inventory import StoredValue
from hybrid.plus.assets import AssetKey

KeyOf = Callable[[AssetKey, str | None, Mapping[str, str] | None], str]


@dataclass(frozen=True)
class Layout:
    """The two ends by name, and where each keeps a value (``asset_values.ends.End.key``). ``destination_base``: what
    events name as the place below which values lie at the destination; None where they do not."""

    source_name: str
    destination_name: str
    source: KeyOf = value_key
    destination: KeyOf = value_key
    destination_base: str | None = None

    def is_at_destination(self, asset: AssetKey, value: StoredValue) -> bool:
        """Whether the event says that the value was stored where a copy of it would be written."""
        if self.destination_base is None or value.path is None:
            return False
        return value.path == f"{self.destination_base}/{self.destination_key(asset, value)}"

    def fits(self, asset: AssetKey, value: StoredValue) -> bool:
        """Whether the value lies as Serverless's own IO managers store it: relative to a base that they do not name.
        An event without a path says nothing against it (a value of None has none)."""
        path = value.path
        if path is None:
            return True
        if path.startswith("/") or "://" in path:
            return False
        return any(path == key or path.endswith(f"/{key}") for key in _keys(asset, value))

    def source_key(self, asset: AssetKey, value: StoredValue) -> str:
        """Where it is read: the canonical key, or the one with bars where its event names that."""
        others = _keys(asset, value)[1:]
        path = value.path or ""
        for key in others:
            if path == key or path.endswith(f"/{key}"):
                return self.source(asset, value.partition, None)
        return self.source(asset, value.partition, dict(value.dimensions) or None)

    def destination_key(self, asset: AssetKey, value: StoredValue) -> str:
        """Always the canonical one."""
        return self.destination(asset, value.partition, dict(value.dimensions) or None)


def _keys(asset: AssetKey, value: StoredValue) -> tuple[str, ...]:
    canonical = value_key(asset, value.partition, dict(value.dimensions) or None)
    if value.partition is None or not value.dimensions:
        return (canonical,)
    return canonical, fallback_key(asset, value.partition)
