"""The texts of a repository as fixes read them: what git does not ignore, never through a link that leads out."""

from __future__ import annotations

import posixpath
from collections import defaultdict
from functools import cached_property
from typing import Final

from hybrid.errors import SettingsError
from hybrid.switch.repository_files import RepositoryFiles

_NOT_THE_LOCATION: Final = frozenset({"tests", "test", "venv", "node_modules", "site-packages"})


class RepositoryContents:
    """``Contents`` of a folder on this machine."""

    def __init__(self, files: RepositoryFiles) -> None:
        self._files = files

    def text(self, path: str) -> str | None:
        if not self._files.has(path):
            return None
        try:
            content = self._files.content(path)
            return None if content is None else content.decode("utf-8")
        except (SettingsError, UnicodeDecodeError):
            return None

    def names(self, folder: str) -> tuple[str, ...]:
        return tuple(sorted(self._by_folder.get(folder, ())))

    def python_files(self, folder: str) -> tuple[str, ...]:
        start = f"{folder}/" if folder else ""
        return tuple(
            path
            for path in self._files.paths
            if path.endswith(".py")
            and path.startswith(start)
            and not _NOT_THE_LOCATION & set(path[len(start) :].split("/")[:-1])
        )

    @cached_property
    def _by_folder(self) -> dict[str, list[str]]:
        found = defaultdict(list)
        for path in self._files.paths:
            folder, name = posixpath.split(path)
            found[folder].append(name)
        return found
