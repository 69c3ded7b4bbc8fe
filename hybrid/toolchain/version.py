"""Versions of tools, as far as they are compared here: three numbers."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

_NUMBERS: Final = re.compile(r"(\d+)\.(\d+)(?:\.(\d+))?")


class Version(NamedTuple):
    """``v3.259.0``, ``go1.25.11`` and ``git version 2.39.5`` all hold one; what follows the numbers is not compared."""

    major: int
    minor: int
    patch: int

    @classmethod
    def within(cls, text: str) -> Version | None:
        """The first version in ``text``."""
        found = _NUMBERS.search(text)
        return cls(int(found[1]), int(found[2]), int(found[3] or 0)) if found else None

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"
