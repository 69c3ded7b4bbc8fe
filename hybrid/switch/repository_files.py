"""A repository's files as git sees them, read with suspicion: bounded, inside the repository, never through a link that
leads out of it. Nothing of it is run."""

from __future__ import annotations

import os
import stat
import subprocess
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final

from hybrid.errors import SettingsError, UsageError

MOST_FILES: Final = 200_000
"""More is a checkout of data, or of everything that somebody has ever installed."""
MOST_BYTES: Final = 1024 * 1024
"""The largest file that is looked into; code that people write is some kilobytes."""

_SECONDS: Final = 60
_SKIPPED: Final = frozenset({"node_modules", "__pycache__", "venv", "site-packages"})
_HIDDEN_BUT_READ: Final = frozenset({".github", ".gitlab", ".circleci", ".buildkite"})


@dataclass(frozen=True)
class RepositoryFiles:
    """``paths`` are relative to ``root``, with ``/``, sorted: what git tracks and what it does not ignore; without git
    all but hidden folders, environments and caches. ``commit`` is HEAD, None without git or before the first one."""

    root: Path
    paths: tuple[str, ...]
    commit: str | None
    is_git: bool
    _present: frozenset[str] = field(default=frozenset(), repr=False, compare=False)

    @classmethod
    def of(cls, root: Path) -> RepositoryFiles:
        """Raises ``UsageError`` when ``root`` is no folder, or holds more files than anybody's code."""
        root = root.resolve()
        if not root.is_dir():
            raise UsageError(f"{root} is not a folder.", next_step="give the checkout of the code to --repository.")
        listed = _git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
        names = _walked(root) if listed is None else {os.fsdecode(name) for name in listed.split(b"\0") if name}
        if len(names) > MOST_FILES:
            raise UsageError(
                f"{root} has more than {MOST_FILES} files.",
                next_step="give the folder with the code to --repository, or have git ignore what is none.",
            )
        commit = _git(root, "rev-parse", "--verify", "-q", "HEAD") if listed is not None else None
        paths = tuple(sorted(names))
        return cls(root, paths, commit.decode().strip() if commit else None, listed is not None, frozenset(paths))

    def has(self, path: str) -> bool:
        """Whether it is among the files."""
        return path in self._present

    def content(self, path: str, *, limit: int = MOST_BYTES) -> bytes | None:
        """The file's bytes; None when it is gone, or no plain file (git lists links and other repositories too).

        Raises ``SettingsError`` for one that lies outside once links are followed, is too large, or cannot be read.
        """
        place = self.root / path
        try:
            if not stat.S_ISREG(place.stat().st_mode):
                return None
            if not place.resolve().is_relative_to(self.root):
                raise SettingsError(f"{path} leads out of the repository.", next_step="put the file itself there.")
            with place.open("rb") as file:
                found = file.read(limit + 1)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, RuntimeError) as error:  # also links in a circle, names with a NUL
            why = error.strerror if isinstance(error, OSError) else str(error)
            raise SettingsError(f"{path} cannot be read.", why=why, next_step="mend its permissions.") from None
        if len(found) > limit:
            raise SettingsError(f"{path} is larger than {limit // 1024} KiB.", next_step="look into it by hand.")
        return found

    def text(self, path: str, *, limit: int = MOST_BYTES) -> str | None:
        """As ``content``, as text. What is not UTF-8 in it is replaced: only words are looked for."""
        found = self.content(path, limit=limit)
        return None if found is None else found.decode("utf-8-sig", errors="replace")


def folder_of(path: str) -> str:
    """The folder of a file, ``.`` for the root."""
    return PurePosixPath(path).parent.as_posix()


def is_below(path: str, folder: str) -> bool:
    """Whether the file lies in the folder or deeper."""
    return folder == "." or path.startswith(f"{folder}/")


def _walked(root: Path) -> set[str]:
    found: set[str] = set()
    for folder, below, names in os.walk(root):
        place = Path(folder)
        below[:] = [
            name
            for name in below
            if name not in _SKIPPED
            and (not name.startswith(".") or name in _HIDDEN_BUT_READ)
            and not (place / name / "pyvenv.cfg").exists()
        ]
        found |= {(place / name).relative_to(root).as_posix() for name in names}
        if len(found) > MOST_FILES:
            break
    return found


def _git(root: Path, *arguments: str) -> bytes | None:
    """What git answers; None when it does not: no git, no repository, a repository of another user."""
    try:
        answer = subprocess.run(
            # a repository's own configuration may name a program to be asked for changes
            ["git", "-c", "core.fsmonitor=false", "-c", "core.quotePath=false", *arguments],
            cwd=root,
            env={**os.environ, "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return None
    return answer.stdout if answer.returncode == 0 else None
