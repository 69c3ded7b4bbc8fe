"""Proposed files beside those that are there: what is new, what would change, what was edited and is left alone."""

from __future__ import annotations

import contextlib
import difflib
import os
import secrets
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from hybrid.errors import SettingsError
from hybrid.switch.fixes import mark
from hybrid.switch.fixes.fix import ProposedFile
from hybrid.workflows import mark as workflow_mark

Standing = Literal["new", "same", "outdated", "edit", "edited"]
"""``outdated``: as it was once written. ``edit``: a person's file, with something added. ``edited``: a person's, and
what is proposed would replace what they wrote, so it is left alone."""


@dataclass(frozen=True, slots=True)
class Beside:
    """A proposed file beside the one that is there."""

    path: str
    present: str | None
    text: str
    standing: Standing

    @property
    def difference(self) -> str:
        """A unified diff; empty when there is none."""
        lines = difflib.unified_diff(
            _lines(self.present or ""),
            _lines(self.text),
            "/dev/null" if self.present is None else self.path,
            self.path,
        )
        return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def beside(root: Path, proposed: Sequence[ProposedFile]) -> list[Beside]:
    """Raises ``SettingsError`` for a place that is no plain text file in plain folders below ``root``."""
    found = []
    for file in proposed:
        content = _present(root, file.path)
        try:
            present = None if content is None else content.decode()
        except UnicodeDecodeError:
            raise _not_plain(file.path) from None
        found.append(Beside(file.path, present, file.text, _standing(file, present)))
    return found


def write(root: Path, files: Sequence[Beside]) -> tuple[str, ...]:
    """Write what is ``new``, ``outdated`` or an ``edit``; the paths that were written.

    All are laid beside their places first, so that a full disk leaves everything as it was; a file keeps its
    permissions. Raises ``SettingsError`` when a file is not any more what it was when it was looked at.
    """
    changing = [each for each in files if each.standing in {"new", "outdated", "edit"}]
    laid: list[tuple[Path, Beside]] = []
    try:
        for each in changing:
            laid.append((_laid_beside(root, each), each))
        for temporary, each in laid:
            if _present(root, each.path) != (None if each.present is None else each.present.encode()):
                raise SettingsError(
                    f"{each.path} changed while it was worked on.",
                    why="Somebody else wrote it, and what they wrote would be lost.",
                    next_step="run the same command again: it starts from what is there now.",
                )
            temporary.replace(root / each.path)
    except OSError as error:
        raise SettingsError(
            f"{error.filename or root} cannot be written.",
            why=error.strerror,
            next_step="make room or mend permissions, and run the same command again.",
        ) from None
    finally:
        for temporary, _ in laid:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
    return tuple(each.path for each in changing)


def _standing(file: ProposedFile, present: str | None) -> Standing:
    if present == file.text or (present is not None and present.replace("\r\n", "\n") == file.text):
        return "same"
    if file.before is not None:
        return "edit" if present == file.before else "edited"
    if present is None:
        return "new"
    return "outdated" if mark.is_unedited(present) or workflow_mark.is_unedited(present) else "edited"


def _laid_beside(root: Path, each: Beside) -> Path:
    place = root / each.path
    place.parent.mkdir(parents=True, exist_ok=True)
    mode = 0o666 if each.present is None else stat.S_IMODE(place.stat().st_mode)
    temporary = place.with_name(f".{place.name}.{secrets.token_hex(4)}")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(each.text.encode())
            file.flush()
            if each.present is not None:
                os.fchmod(file.fileno(), mode)  # whatever this person's umask is
            os.fsync(file.fileno())
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    return temporary


def _present(root: Path, path: str) -> bytes | None:
    place = root
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts:
        raise _not_plain(path)
    for part in parts:
        place = place / part
        if place.is_symlink():
            raise _not_plain(path)
    try:
        return place.read_bytes()
    except FileNotFoundError:
        return None
    except OSError:
        raise _not_plain(path) from None


def _lines(text: str) -> list[str]:
    """Lines as diffs have them: a carriage return belongs to its line."""
    parts = text.split("\n")
    lines = [f"{part}\n" for part in parts[:-1]]
    return [*lines, parts[-1]] if parts[-1] else lines


def _not_plain(path: str) -> SettingsError:
    return SettingsError(
        f"{path} is not a plain text file in plain folders.",
        why="It, or a folder on the way to it, is a symbolic link or something else, or it is not UTF-8.",
        next_step="move it away, and run the same command again.",
    )
