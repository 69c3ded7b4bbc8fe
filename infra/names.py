"""Names within AWS's limits, shortened the same way each time and still unique."""

from __future__ import annotations

import hashlib

_DIGITS = 8


def shortened(name: str, limit: int) -> str:
    """``name`` if it has no more than ``limit`` characters, else its beginning and a hash of the whole.

    ``limit``: characters, at least 10. Two long names with one beginning stay apart.
    """
    if len(name) <= limit:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:_DIGITS]
    return f"{name[: limit - _DIGITS - 1].rstrip('-_./')}-{digest}"
