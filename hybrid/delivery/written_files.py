"""Text files that are made in a checkout: written at once, never through a link, and taken away again when they are
nobody else's."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Collection, Mapping
from pathlib import Path

from hybrid.errors import SettingsError


def write_files(root: Path, files: Mapping[str, str]) -> tuple[str, ...]:
    """Write each of ``files`` (text by path relative to ``root``) that differs; the paths that were written.

    All are first written beside their places, so that a full disk leaves everything as it was. Raises
    ``SettingsError`` when a place is no plain file in plain folders, or cannot be written.
    """
    changed = [path for path, text in files.items() if _present(root, path) != text]
    beside: dict[str, Path] = {}
    try:
        for path in changed:
            place = root / path
            place.parent.mkdir(parents=True, exist_ok=True)
            beside[path] = place.with_name(f".{place.name}.{secrets.token_hex(4)}")
            with beside[path].open("x", encoding="utf-8", newline="") as file:
                file.write(files[path])
                file.flush()
                os.fsync(file.fileno())
        for path in changed:
            beside[path].replace(root / path)
    except OSError as error:
        raise SettingsError(
            f"{error.filename or root} cannot be written.",
            why=error.strerror,
            next_step="make room or mend permissions, and run the same command again.",
        ) from None
    finally:
        for temporary in beside.values():
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
    return tuple(changed)


def remove_leftovers(root: Path, folder: str, keep: Collection[str], *, mark: str) -> tuple[str, ...]:
    """Remove the files below ``folder`` that begin with the line ``mark`` and are not in ``keep``, and folders that are
    empty then; the paths of the files that were removed. Links are not followed."""
    _refuse_links(root, folder)
    removed = []
    for path, _, names in os.walk(root / folder, topdown=False):
        for name in sorted(names):
            place = Path(path) / name
            relative = place.relative_to(root).as_posix()
            if relative not in keep and not place.is_symlink() and _begins_with(place, mark):
                place.unlink()
                removed.append(relative)
        with contextlib.suppress(OSError):  # not empty
            Path(path).rmdir()
    return tuple(sorted(removed))


def _begins_with(place: Path, mark: str) -> bool:
    with contextlib.suppress(OSError, UnicodeDecodeError), place.open(encoding="utf-8") as file:
        return file.readline(len(mark) + 2).rstrip("\n") == mark
    return False


def _present(root: Path, path: str) -> str | None:
    _refuse_links(root, path)
    try:
        return (root / path).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError):
        raise _not_plain(path) from None


def _refuse_links(root: Path, path: str) -> None:
    place = root
    for part in Path(path).parts:
        place = place / part
        if place.is_symlink():
            raise _not_plain(path)


def _not_plain(path: str) -> SettingsError:
    return SettingsError(
        f"{path} is not a plain text file in plain folders.",
        why="It, or a folder on the way to it, is a symbolic link or something else.",
        next_step="move it away, and run the same command again.",
    )
