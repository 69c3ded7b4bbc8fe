"""Which files of a context Docker sends: ``.dockerignore``, read as BuildKit reads it.

Source of the rules, quirks included: github.com/moby/patternmatcher v0.6.0 (``MatchesUsingParentResults`` and
ignorefile) and github.com/tonistiigi/fsutil filter.go of 2025-04.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from hybrid.delivery.images.errors import ContextError

Matched = tuple[bool, ...]
"""For each pattern whether it matched a path or one of the folders above it."""

_GLOB: Final = frozenset("*[]?^\\")
_PLAIN: Final = frozenset(".+()|{}$")


@dataclass(frozen=True)
class Pattern:
    """One line. ``excepts``: it began with ``!`` and takes back what lines above it left out."""

    text: str
    excepts: bool
    matches: Callable[[str], bool]

    @property
    def below(self) -> str:
        """The folder that its matches are in, with a slash; it is plain when there is no pattern character in it."""
        return self.text.removesuffix("/**").removesuffix("/*") + "/"


class IgnoreRules:
    """The lines of one ``.dockerignore``. Without any, all files are sent."""

    def __init__(self, text: str, origin: str = ".dockerignore") -> None:
        """Raises ``ContextError`` with the line that cannot be read."""
        self.text = text
        self.patterns = tuple(_patterns(text, origin))
        self.has_exceptions = any(pattern.excepts for pattern in self.patterns)
        self._plain_exceptions = not any(pattern.excepts and _GLOB & set(pattern.below) for pattern in self.patterns)

    def ignored(self, path: str, above: Matched) -> tuple[bool, Matched]:
        """Whether ``path``, with slashes, is left out; ``above`` is what this gave for its folder, or empty."""
        matched, found = False, []
        for index, pattern in enumerate(self.patterns):
            hit = bool(above) and above[index]
            # a line is only looked at when it could change the answer; that the folder's answer is not looked up
            # again for a line that was passed over there is Docker's own quirk
            if not hit and pattern.excepts == matched:
                hit = pattern.matches(path)
            found.append(hit)
            if hit:
                matched = not pattern.excepts
        return matched, tuple(found)

    def leaves_out(self, path: str) -> bool:
        """Whether a file of this path would not be sent, looked at from the top as Docker does. The file need not be
        there."""
        above: Matched = ()
        ignored = False
        parts = path.split("/")
        for depth in range(1, len(parts) + 1):
            below = "/".join(parts[:depth])
            ignored, above = self.ignored(below, above)
            if ignored and depth < len(parts) and not self.may_hold_exceptions(below):
                return True
        return ignored

    def may_hold_exceptions(self, folder: str) -> bool:
        """Whether something in the ignored ``folder`` may be sent after all."""
        if not self.has_exceptions or not self._plain_exceptions:
            return self.has_exceptions
        return any(pattern.excepts and pattern.below.startswith(f"{folder}/") for pattern in self.patterns)


def _patterns(text: str, origin: str) -> list[Pattern]:
    found = []
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), start=1):
        stripped = line.strip()
        if line.startswith("#") or not stripped:
            continue
        excepts = stripped.startswith("!")
        body = stripped[1:].strip() if excepts else stripped
        try:
            cleaned = _cleaned(body)
            if excepts and cleaned in {"", "/"}:
                raise ValueError("'!' stands alone.")
            found.append(Pattern(cleaned, excepts, _matcher(cleaned)))
        except ValueError as error:
            raise ContextError(
                f"{origin}, line {number}: '{stripped}' is no pattern.",
                why=str(error),
                next_step="correct the line, or put a backslash before the character that is meant as it stands.",
            ) from None
    return found


def _cleaned(body: str) -> str:
    if not body:
        return body
    path = posixpath.normpath(body)
    return path.lstrip("/") or "/" if path.startswith("/") else path


def _matcher(pattern: str) -> Callable[[str], bool]:
    """What a pattern matches. Docker has four kinds, of which only one is a regular expression."""
    _refuse_malformed(pattern)
    expression, kind = _translated(pattern)
    if kind == "exact":
        return lambda path: path == pattern
    if kind == "prefix":
        # `a/**`, and `a**`, too: only the stars are taken off
        return lambda path, start=pattern[:-2]: path.startswith(start)  # type: ignore[misc]
    if kind == "suffix":
        end = pattern[2:]
        return lambda path: path.endswith(end) or (end.startswith("/") and path == end[1:])
    try:
        compiled = re.compile(expression, re.ASCII)
    except re.error as error:
        raise ValueError(f"It cannot be read: {error}.") from None
    return lambda path: compiled.fullmatch(path) is not None


def _translated(pattern: str) -> tuple[str, str]:
    """The regular expression, and the kind: exact, prefix, suffix or expression."""
    written, kind, at, step = "", "exact", 0, 0
    while at < len(pattern):
        character = pattern[at]
        at += 1
        if character == "*" and pattern[at : at + 1] == "*":
            at += 1
            at += pattern[at : at + 1] == "/"
            if at < len(pattern):
                written, kind = written + "(?:.*/)?", "expression"
            elif kind == "exact":
                kind = "prefix"
            else:
                written, kind = written + ".*", "expression"
            kind = "suffix" if step == 0 else kind
        elif character in "*?":
            written, kind = written + ("[^/]*" if character == "*" else "[^/]"), "expression"
        elif character in _PLAIN:
            written += f"\\{character}"
        elif character == "\\" and at < len(pattern):
            written, kind = written + f"\\{pattern[at]}", "expression"
            at += 1
        elif character in "[]":
            written, kind = written + character, "expression"
        else:
            written += character
        step += 1
    return written, kind


def _refuse_malformed(pattern: str) -> None:
    """What Go's filepath.Match calls a bad pattern: sets that are not closed or empty, a backslash at the end.

    Docker finds some of these only when a file is held against them."""
    at = 0
    while at < len(pattern):
        if pattern[at] == "\\":
            at += 1
            if at == len(pattern):
                raise ValueError("It ends with a backslash, which stands before a character.")
        elif pattern[at] == "[":
            at = _set_end(pattern, at + 1)
        at += 1


def _set_end(pattern: str, at: int) -> int:
    """Where the set that began before ``at`` is closed."""
    at += pattern[at : at + 1] == "^"
    first = at
    while pattern[at : at + 1] != "]" or at == first:
        at = _member_end(pattern, at)
        if pattern[at : at + 1] == "-":
            at = _member_end(pattern, at + 1)
    return at


def _member_end(pattern: str, at: int) -> int:
    at += pattern[at : at + 1] == "\\"
    if at >= len(pattern) or (pattern[at] in "-]" and pattern[at - 1] != "\\"):
        raise ValueError("A '[' begins a set of characters, which has no end, is empty or has a '-' beside nothing.")
    return at + 1
