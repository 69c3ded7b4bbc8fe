"""The first line of a written file: a hash of the rest, by which a file that nobody has edited is told from others."""

from __future__ import annotations

import hashlib
import re
from typing import Final, Literal

Standing = Literal["new", "same", "outdated", "edited"]
"""``outdated``: as it was once written. ``edited``: somebody changed it, or it was never written by this."""

_LINE: Final = re.compile(r"# Written by `hybrid ci init \w+`; [^\n]* sha256:([0-9a-f]{64})\n")


def marked(text: str, forge: str) -> str:
    """``text`` with its first line."""
    return f"# Written by `hybrid ci init {forge}`; once edited it is left alone. sha256:{_hash(text)}\n{text}"


def standing(present: str | None, wanted: str) -> Standing:
    """What a file is beside what would be written. Line ends that git changed are no edit."""
    if present is None:
        return "new"
    if _plain(present) == wanted:
        return "same"
    return "outdated" if is_unedited(present) else "edited"


def is_unedited(present: str) -> bool:
    """Whether it is a file that was written so, by this or another version."""
    text = _plain(present)
    found = _LINE.match(text)
    return found is not None and found[1] == _hash(text[found.end() :])


def _plain(text: str) -> str:
    return text.replace("\r\n", "\n")


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
