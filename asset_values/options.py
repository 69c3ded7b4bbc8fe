"""How to copy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_MIB: Final = 1024 * 1024


@dataclass(frozen=True)
class CopyOptions:
    """``threads``: values at once; 32, as many as the speed is measured with. ``memory``: bytes of values in memory at
    once. ``large``: from this size on a value goes in parts of ``part`` bytes, one or two such values at a time.
    ``rate``: values a second at most; None, no limit. ``attempts``: how often a value is tried. ``overwrite_newer``:
    also over values that somebody else wrote later. ``again``: ask both ends also about values that are done and of
    whose change nothing tells. Raises ``ValueError`` where a number cannot be."""

    threads: int = 32
    memory: int = 64 * _MIB
    large: int = 16 * _MIB
    part: int = 6 * _MIB
    rate: float | None = None
    attempts: int = 5
    overwrite_newer: bool = False
    again: bool = False

    def __post_init__(self) -> None:
        for name in ("threads", "memory", "large", "part", "attempts"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it has to be 1 at least")
        if self.rate is not None and not self.rate > 0:
            raise ValueError(f"rate is {self.rate}; it has to be more than 0 values a second")
