"""A code location as Dagster+ takes it: the document of ``addOrUpdateLocationFromDocument``, and the hash that says
whether the code behind it changed.

Keys of the document: dagster_cloud/workspace/config_schema of dagster-cloud 1.13.27.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path, PurePosixPath
from typing import Any, Final

from hybrid.delivery.catalog import CodeLocationFolder
from hybrid.errors import SettingsError

CONTEXTS: Final = {"docker": "docker", "ecs": "ecs", "kubernetes": "k8s", "azure": "aca"}
"""The key in a container context of each kind of agent; a local one has none."""

MAX_BYTES: Final = 100 * 1024 * 1024
"""The most that a location's folder may hold. Code takes a few megabytes; more is data that does not belong there."""

MAX_FILES: Final = 20_000

_NOT_CODE: Final = frozenset(
    {
        ".DS_Store",
        ".git",
        ".hg",
        ".hypothesis",
        ".mypy_cache",
        ".nox",
        ".pytest_cache",
        ".ruff_cache",
        ".svn",
        ".tox",
        ".venv",
        "__pycache__",
    }
)
_NOT_CODE_ENDINGS: Final = (".pyc", ".pyo", ".swp", "~", ".egg-info")
# How the image is built and run: the document says what of it counts, and `up` itself writes one of these.
_OF_DELIVERY: Final = re.compile(r"(build|container_context)(\.[^.]+)?\.yaml")


def location_document(
    location: CodeLocationFolder,
    *,
    image: str | None = None,
    platform: str | None = None,
    executable_path: str | None = None,
    working_directory: str | None = None,
    commit_hash: str | None = None,
    repository_url: str | None = None,
) -> dict[str, Any]:
    """The document for ``location``; a new one each time, so that a caller may change it.

    Without an ``image`` (nor one in the folder's own settings) the location runs from its folder:
    ``working_directory`` is the folder's own, and a ``python_file`` is named by its whole path. With one,
    ``working_directory`` and ``executable_path`` are paths inside the image, by default those that the location's own
    files name.

    ``platform`` is the kind of the stack's agent: of the container contexts only its own is sent, since one that is
    wrong on another platform would be refused with the whole document. None: all are.
    """
    image = image or location.image
    code_source = location.code_source.document()
    if image is None:
        working_directory = working_directory or str(location.working_directory)
        if "python_file" in code_source:  # seen from where the code server is started, which is not its folder
            code_source["python_file"] = str(PurePosixPath(working_directory) / code_source["python_file"])
    else:
        working_directory = working_directory or location.directory_in_image
        executable_path = executable_path or location.executable_path
    git = {"commit_hash": commit_hash, "url": repository_url}
    document: dict[str, Any] = {
        "location_name": location.name,
        "code_source": code_source,
        "image": image,
        "executable_path": executable_path,
        "attribute": location.attribute,
        "working_directory": working_directory,
        "agent_queue": location.agent_queue,
        "container_context": {
            name: deepcopy(context)
            for name, context in location.container_context.items()
            if platform is None or name == CONTEXTS.get(platform)
        },
        "git": {key: value for key, value in git.items() if value},
    }
    return {key: value for key, value in document.items() if value}


def schema_errors(document: dict[str, Any]) -> tuple[str, ...]:
    """What the agent's own schema says against ``document``; empty: nothing. It imports dagster-cloud, which takes
    about a second; only a ``container_context`` can make a document of ``location_document`` wrong."""
    from dagster_cloud.workspace.config_schema import validate_workspace_location

    return tuple(validate_workspace_location(document) or ())


def content_hash(folder: Path) -> str:
    """A hash of every file below ``folder`` that can matter: its path, whether it is executable, its bytes.

    The same on every machine and checkout: times, owners and further permissions do not count, nor do version
    control, virtual environments, bytecode, caches, and the folder's build files. Raises ``SettingsError`` for what
    cannot be hashed or is too large.
    """
    digest = hashlib.sha256()
    size = 0
    for count, (path, state) in enumerate(_files(folder, folder), start=1):
        size += state.st_size
        if size > MAX_BYTES or count > MAX_FILES:
            raise SettingsError(
                f"{folder.name} holds more than {MAX_BYTES // 1024**2} MiB or {MAX_FILES} files (at {path.name}).",
                why="A code location is code; all of it is hashed, and copied into its image.",
                next_step="move data out of the folder.",
            )
        content = _content(path, state)
        if content is not None:
            kind, data = content
            name = os.fsencode(path.relative_to(folder).as_posix())
            digest.update(b"%s %d %s %d\n" % (kind, len(name), name, len(data)))
            digest.update(data)
    return digest.hexdigest()


def is_code(path: PurePosixPath) -> bool:
    """Whether a file of this path, relative to the location's folder, counts in its ``content_hash``."""
    if any(part in _NOT_CODE or part.endswith(_NOT_CODE_ENDINGS) for part in path.parts):
        return False
    return len(path.parts) > 1 or not _OF_DELIVERY.fullmatch(path.name)


def _files(folder: Path, root: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """All files below ``folder``, links as links, in an order that does not depend on the machine."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: os.fsencode(entry.name))
    except OSError as error:
        raise _unreadable(folder, error) from None
    for entry in entries:
        if entry.name in _NOT_CODE or entry.name.endswith(_NOT_CODE_ENDINGS):
            continue
        if folder == root and _OF_DELIVERY.fullmatch(entry.name):
            continue
        path = Path(entry.path)
        if entry.is_dir(follow_symlinks=False):
            yield from _files(path, root)
        elif entry.is_symlink() and not path.resolve().is_relative_to(root.resolve()):
            raise SettingsError(
                f"{path} leads out of the location's folder.",
                why="What lies outside is neither in its image nor in its content hash.",
                next_step="put what it leads to into the folder.",
            )
        else:
            try:
                yield path, entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue  # an editor's temporary file, gone since


def _content(path: Path, state: os.stat_result) -> tuple[bytes, bytes] | None:
    """What kind of file it is and its bytes; None when it is gone."""
    try:
        if stat.S_ISLNK(state.st_mode):
            return b"link", os.fsencode(path.readlink())
        if stat.S_ISREG(state.st_mode):
            return (b"program" if state.st_mode & stat.S_IXUSR else b"file"), path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SettingsError(
            f"{path} cannot be read.", why=str(error.strerror), next_step="mend its permissions."
        ) from None
    raise SettingsError(f"{path} is neither a file nor a folder.", next_step="remove it.")


def _unreadable(path: Path, error: OSError) -> SettingsError:
    return SettingsError(f"{path} cannot be read.", why=str(error.strerror), next_step="mend its permissions.")
