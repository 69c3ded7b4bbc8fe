"""A build context as Docker would send it, and its hash.

What counts is what BuildKit transfers and compares: paths, kinds, permission bits, bytes, links' targets. Times and
owners do not count (BuildKit sets owners to root); extended attributes are not looked at.
"""

from __future__ import annotations

import hashlib
import os
import posixpath
import re
import stat
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from hybrid.delivery.images.errors import ContextError
from hybrid.delivery.images.ignore import IgnoreRules, Matched

MOST_ENTRIES: Final = 100_000
MOST_BYTES: Final = 2 * 1024**3
"""A location's code with its data. More is nearly always a virtual environment or a cache that nobody meant to send."""

_CHUNK: Final = 1024 * 1024
_DIGITS: Final = 16  # hexadecimal digits of a file's own hash that are shown; the context's hash has all of them
_MOST_LITERALS: Final = 2000
_NOT_PLAIN: Final = re.compile(r"([^A-Za-z0-9_/.\-\u0080-\U0010ffff])")


@dataclass(frozen=True)
class Context:
    """What is sent. ``entries``: path, with a slash at the end for a folder, to its mode and the start of its hash."""

    entries: Mapping[str, str]
    hash: str
    size: int
    ignore_text: str = field(repr=False)
    """A ``.dockerignore`` that makes every version of Docker send exactly these files."""


def read_context(
    folder: Path, rules: IgnoreRules, *, most_entries: int = MOST_ENTRIES, most_bytes: int = MOST_BYTES
) -> Context:
    """Walk and hash ``folder``. Raises ``ContextError`` for what cannot be sent: links out of it, sockets and pipes,
    files that cannot be read, names that are not UTF-8, and more entries or bytes than the limits."""
    walk = _Walk(folder, rules, most_entries, most_bytes)
    try:
        walk.enter("", ())
    except OSError as error:
        name = error.filename if isinstance(error.filename, str) else str(folder)
        raise ContextError(
            f"{name} cannot be read.",
            why=error.strerror,
            next_step="correct its permissions, or name it in the .dockerignore file.",
        ) from None
    total = hashlib.sha256()
    for path in sorted(walk.lines):
        total.update(f"{path}\0{walk.lines[path]}\n".encode())
    entries = {path: _shown(walk.lines[path]) for path in sorted(walk.lines)}
    return Context(entries, total.hexdigest(), walk.bytes, walk.ignore_text())


def folded(entries: Mapping[str, str], most: int = 2000) -> dict[str, str]:
    """``entries``, or when there are more than ``most`` one entry a folder, as deep as that number allows: what a state
    keeps is to stay small, and a difference still names the folder."""
    if len(entries) <= most:
        return dict(entries)
    deepest = max(path.rstrip("/").count("/") for path in entries)
    for depth in range(deepest, -1, -1):
        groups: dict[str, list[str]] = {}
        for path, value in entries.items():
            parts = path.rstrip("/").split("/")
            # an entry above that depth stays itself: it cannot be folded into a folder that is as deep
            key = "/".join(parts[:depth]) + "/…" if len(parts) > depth else path
            groups.setdefault(key, []).append(f"{path}\0{value}\n")
        if len(groups) <= most or depth == 0:
            return {key: f"{len(lines)} entries {_digest(''.join(lines))}" for key, lines in sorted(groups.items())}
    raise AssertionError("depth 0 is one group")


class _Walk:
    def __init__(self, folder: Path, rules: IgnoreRules, most_entries: int, most_bytes: int) -> None:
        self.lines: dict[str, str] = {}
        self.bytes = 0
        self._folder = os.fspath(folder)
        self._rules = rules
        self._most_entries = most_entries
        self._most_bytes = most_bytes
        self._left_out: list[str] = []
        self._buffer = memoryview(bytearray(_CHUNK))

    def enter(self, below: str, above: Matched) -> bool:
        """Take the entries of one folder; whether there was any."""
        with os.scandir(f"{self._folder}/{below}") as listing:
            entries = sorted(listing, key=lambda entry: entry.name)
        found = False
        for entry in entries:
            path = f"{below}{entry.name}"
            ignored, matched = self._rules.ignored(path, above) if self._rules.patterns else (False, ())
            is_folder = entry.is_dir(follow_symlinks=False)
            if is_folder and (not ignored or self._rules.may_hold_exceptions(path)):
                found |= self._take_folder(entry, path, ignored, matched)
            elif ignored:
                self._left_out.append(path)
            else:
                self._take(entry, path)
                found = True
        return found

    def ignore_text(self) -> str:
        """Versions of Docker differ in how they read ``!``: where there is one, the files that are left out are named
        one by one instead, as far as that can be said."""
        names = self._left_out
        if not self._rules.has_exceptions or len(names) > _MOST_LITERALS or any("\n" in name for name in names):
            return self._rules.text
        return "".join(f"{_literal(name)}\n" for name in names)

    def _take_folder(self, entry: os.DirEntry[str], path: str, ignored: bool, matched: Matched) -> bool:
        before = len(self._left_out)
        found = self.enter(f"{path}/", matched)
        if ignored and not found:
            del self._left_out[before:]
            self._left_out.append(path)
            return False
        self._add(f"{path}/", f"{stat.S_IMODE(entry.stat(follow_symlinks=False).st_mode):04o} folder", 0)
        return True

    def _take(self, entry: os.DirEntry[str], path: str) -> None:
        status = entry.stat(follow_symlinks=False)
        if stat.S_ISREG(status.st_mode):
            self._add(path, f"{stat.S_IMODE(status.st_mode):04o} {self._hashed(entry.path)}", status.st_size)
        elif stat.S_ISLNK(status.st_mode):
            self._add(path, f"link {_target(entry.path, path)}", 0)
        else:
            raise ContextError(
                f"{entry.path} is no file, folder or link, and cannot be part of an image.",
                why="It is a socket, a pipe or a device.",
                next_step="remove it, or name it in the .dockerignore file.",
            )

    def _add(self, path: str, line: str, size: int) -> None:
        try:
            path.encode()
        except UnicodeEncodeError:
            raise ContextError(
                f"A file below {self._folder} has a name that is not UTF-8: {path!a}.",
                next_step="rename it, or leave out its folder in the .dockerignore file.",
            ) from None
        self.lines[path] = line
        self.bytes += size
        if len(self.lines) > self._most_entries or self.bytes > self._most_bytes:
            raise self._too_much()

    def _too_much(self) -> ContextError:
        counted = Counter(path.partition("/")[0] for path in self.lines)
        largest = ", ".join(f"{name} ({count})" for name, count in counted.most_common(3))
        return ContextError(
            f"The build context {self._folder} has more than {self._most_entries} files or "
            f"{self._most_bytes // 1024**2} MB.",
            why=f"Most files are in {largest}.",
            next_step="name what the image does not need in the .dockerignore file.",
        )

    def _hashed(self, path: str) -> str:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            count = os.readv(handle, [self._buffer])
            if count < _CHUNK:
                # a short read of a plain file is its end
                return hashlib.sha256(self._buffer[:count]).hexdigest()
            digest = hashlib.sha256()
            while count:
                digest.update(self._buffer[:count])
                count = os.readv(handle, [self._buffer])
            return digest.hexdigest()
        finally:
            os.close(handle)


def _target(shown: str, path: str) -> str:
    target = os.readlink(shown)  # noqa: PTH115 - what the link says, not a path that exists
    inner = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
    if target.startswith("/") or inner == ".." or inner.startswith("../"):
        raise ContextError(
            f"{shown} is a link that leads out of the build context.",
            why=f"It points to {target}, which will not be there in the image.",
            next_step="put the file itself there, or name the link in the .dockerignore file.",
        )
    return target


def _literal(path: str) -> str:
    """A pattern that matches this path alone, in each version of Docker."""
    escaped = _NOT_PLAIN.sub(r"\\\1", path)
    # a line's trailing blanks are cut off, also those with a backslash before them
    return f"{escaped[:-2]}[{path[-1]}]" if path[-1].isspace() else escaped


def _shown(line: str) -> str:
    kind, _, value = line.partition(" ")
    return line if kind == "link" or value == "folder" else f"{kind} {value[:_DIGITS]}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]
