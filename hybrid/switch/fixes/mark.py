"""The first line of a file that a fix wholly makes: a hash of the rest, so that an edited one is told from others."""

from __future__ import annotations

import hashlib
import re
from typing import Final

_LINE: Final = re.compile(r"# Written by `hybrid switch plan`; [^\n]* sha256:([0-9a-f]{64})\n")


def marked(text: str) -> str:
    """``text`` with its first line, a comment in a Dockerfile and in YAML alike."""
    return f"# Written by `hybrid switch plan`; once edited it is left alone. sha256:{_hash(text)}\n{text}"


def is_unedited(present: str) -> bool:
    """Whether it is a file that was written so, by this or another version. Line ends that git changed are no edit."""
    text = present.replace("\r\n", "\n")
    found = _LINE.match(text)
    return found is not None and found[1] == _hash(text[found.end() :])


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
