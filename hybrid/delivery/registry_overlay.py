"""``registry`` in the ``build.<environment>.yaml`` of each location: the one key that `up` writes there, and whether
what is in the checkout is what it would write."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from hybrid.delivery.catalog import CodeLocationFolder
from hybrid.delivery.environment import BUILD, overlay
from hybrid.delivery.repository import repositories_of
from hybrid.delivery.sources import Place, YamlMapping

_SECONDS: Final = 30  # git's answer about a few files


def registry_overlay(location: CodeLocationFolder, root: Path, environment: str) -> str | None:
    """The file's path relative to the checkout ``root``.

    None where `up` writes none: for an image that is built elsewhere, a folder outside of the checkout, and a folder
    that several locations share, which have one such file and different repositories.
    """
    root = root.resolve()
    if location.kind == "image" or location.image or location.shares_folder or not location.folder.is_relative_to(root):
        return None
    return (location.folder.relative_to(root) / overlay(BUILD, environment)).as_posix()


def registry_faults(
    locations: Sequence[CodeLocationFolder], *, root: Path, environment: str, address: str
) -> tuple[str, ...]:
    """What is wrong with the files, a sentence each: another registry than `up` would set, or not committed.

    Outside of a git repository the latter is not looked at. Raises ``SettingsError`` for a location whose name can be
    no repository's.
    """
    repositories = repositories_of(address, [location.name for location in locations if location.kind == "folder"])
    expected = {
        path: repositories[location.name]
        for location in locations
        if (path := registry_overlay(location, root, environment)) is not None
    }
    faults = [_fault(root, path, repository) for path, repository in expected.items()]
    right = [path for path, fault in zip(expected, faults, strict=True) if fault is None]
    uncommitted = [f"{path} is not committed as it is." for path in _uncommitted(root, right)]
    return tuple([fault for fault in faults if fault] + uncommitted)


def _fault(root: Path, path: str, repository: str) -> str | None:
    folder = (root / path).parent
    source = Place(folder, folder.relative_to(root).as_posix()).read(Path(path).name)
    if source is None:
        return f"{path} is not there; its `registry` is to be {repository}."
    file = YamlMapping(source)
    registry = file.values.get("registry")
    if registry == repository:
        return None
    if registry is None:
        return f"{path} has no `registry`; it is to be {repository}."
    return f"{path}, line {file.line('registry')}: `registry` is {registry}, not {repository}."


def _uncommitted(root: Path, paths: Sequence[str]) -> list[str]:
    """Those of ``paths`` that are not in git's HEAD as they are; empty outside of a repository or without git."""
    if not paths:
        return []
    try:
        answer = subprocess.run(
            ["git", "status", "--porcelain", "-z", "--no-renames", "--ignored", "--untracked-files=all", "--", *paths],
            cwd=root,
            env={**os.environ, "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0", "GIT_LITERAL_PATHSPECS": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    if answer.returncode != 0:
        return []
    # each entry is two letters, a blank and the path as seen from the repository's top
    named = [entry[3:] for entry in os.fsdecode(answer.stdout).split("\0") if len(entry) > 3]
    return [path for path in paths if any(name == path or name.endswith(f"/{path}") for name in named)]
