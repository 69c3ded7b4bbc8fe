"""What an environment or an event says, taken only where it has the shape of what it should be.

Branch names, titles and whole events are written by whoever opens a pull request. What has another shape is as if it
were not there, so that no caller meets a branch that git or a shell would read as an option.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any, Final

# What git refuses in a reference (git-check-ref-format), and a leading dash, which plumbing can make.
_BRANCH: Final = re.compile(r"(?!-)(?!/)(?!.*(?:\.\.|//|@\{))[^\x00-\x20\x7f~^:?*\[\\]{1,1024}")
_SHA: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_REPOSITORY: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(?:/[A-Za-z0-9_.][A-Za-z0-9_.-]*)+")
_NUMBER: Final = re.compile(r"[1-9][0-9]{0,9}")
_ADDRESS: Final = re.compile(r"https?://[^\s<>\"'`\x00-\x20\x7f]{1,2000}")
_HEADS: Final = "refs/heads/"


def text(value: Any) -> str | None:
    """A text that is not empty."""
    return value.strip() or None if isinstance(value, str) else None


def branch(value: Any) -> str | None:
    """A branch's name, with or without ``refs/heads/``; of a tag or a pull request's reference None."""
    if not isinstance(value, str):
        return None
    name = value.removeprefix(_HEADS)
    if name == value and value.startswith("refs/"):
        return None
    return name if _BRANCH.fullmatch(name) else None


def sha(value: Any) -> str | None:
    """A commit: 40 or 64 hexadecimal digits. The zeros that stand for no commit are None."""
    found = value.lower() if isinstance(value, str) else ""
    return found if _SHA.fullmatch(found) and found.strip("0") else None


def repository(value: Any) -> str | None:
    """``owner/name``, or ``group/sub/name``."""
    if not isinstance(value, str) or not _REPOSITORY.fullmatch(value):
        return None
    return None if {".", ".."} & set(value.split("/")) else value


def number(value: Any) -> int | None:
    """The number of a pull request: a positive integer, or the digits of one."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    return int(value) if _NUMBER.fullmatch(str(value)) else None


def address(value: Any) -> str | None:
    """An http or https address that can stand in a Markdown link."""
    return value if isinstance(value, str) and _ADDRESS.fullmatch(value) else None


def part(value: Any, *keys: str) -> Any:
    """What lies at ``keys`` of nested mappings; None when one of them is not there."""
    for key in keys:
        if not isinstance(value, Mapping):
            return None
        value = value.get(key)
    return value


def one_line(value: str, longest: int = 255) -> str:
    """A title that somebody wrote, as one line without what moves a terminal's cursor or turns text around."""
    spaced = "".join(" " if unicodedata.category(c) in {"Cc", "Zl", "Zp"} else c for c in value)
    # Cf: direction marks, zero widths. Cs: halves of surrogates, which cannot be encoded.
    words = "".join(c for c in spaced if unicodedata.category(c) not in {"Cf", "Cs"}).split()
    line = " ".join(words)
    return line if len(line) <= longest else line[: longest - 1] + "…"
