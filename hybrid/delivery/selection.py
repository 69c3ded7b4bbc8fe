"""Which code locations a change concerns: those whose folder, or folder to build from, holds a changed file."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from hybrid.errors import UsageError
from hybrid.redaction import redact

_SECONDS: Final = 120  # of one git command; a large repository's untracked files take a while
_REFERENCE: Final = re.compile(r"(?!-)(?!.*\.\.)[^\s\x00-\x1f\x7f\\]{1,250}")


class Located(Protocol):
    """A code location, as far as this needs to know it."""

    @property
    def name(self) -> str: ...


@dataclass(frozen=True)
class Changes:
    """What changed in a repository since a commit, the working tree and untracked files included."""

    repository: Path
    """Its top folder, without links."""
    paths: tuple[Path, ...]
    """Relative to ``repository``; also of files that are gone, and of both names of a renamed one."""
    base: str = ""
    """The commit where HEAD's branch left."""
    head: str = ""
    """The commit of HEAD."""
    uncommitted: bool = False
    """Whether the working tree has changes, or files, that no commit has."""


@dataclass(frozen=True)
class Concern:
    """What a change is about."""

    names: tuple[str, ...]
    """The concerned locations, in the order in which they were asked about."""
    unknown: tuple[str, ...]
    """Those of them that lie outside of the repository: whether they changed cannot be told, so they count."""
    elsewhere: tuple[Path, ...]
    """Changed files that are no location's."""


def changes_since(checkout: Path, reference: str) -> Changes:
    """What changed in the repository of ``checkout`` since the branch of HEAD left ``reference`` (git's ``...``).

    Raises ``UsageError``: no git, no repository, no such commit, or a clone that is too shallow to tell.
    """
    if not _REFERENCE.fullmatch(reference):
        raise UsageError(
            f"'{reference}' is not a commit, branch or tag.",
            next_step="give one, for example --changed-since origin/main.",
        )
    repository = Path(_git(checkout, "rev-parse", "--show-toplevel").rstrip("\n")).resolve()
    commit = _commit(repository, reference)
    listing = ("--name-only", "-z", "--no-renames", "--no-ext-diff", "--ignore-submodules=none")
    base = _left_at(repository, commit, reference)
    committed = _git(repository, "diff", *listing, base, "HEAD", "--")
    uncommitted = _git(repository, "diff", *listing, "HEAD", "--")
    untracked = _git(repository, "ls-files", "-z", "--others", "--exclude-standard")
    names = {name for text in (committed, uncommitted, untracked) for name in text.split("\0") if name}
    head = _git(repository, "rev-parse", "HEAD").strip()
    paths = tuple(Path(name) for name in sorted(names))
    return Changes(repository, paths, base, head, uncommitted=bool(uncommitted or untracked))


def concerned(changes: Changes, places: Sequence[tuple[Located, Iterable[Path]]]) -> Concern:
    """Which of the locations ``changes`` are about. ``places`` are each location with its folders, none for one whose
    image is built elsewhere: a change of files never concerns it."""
    found, unknown, claimed = [], [], set()
    for location, folders in places:
        inside = [folder.resolve() for folder in folders]
        outside = [folder for folder in inside if not folder.is_relative_to(changes.repository)]
        mine = {path for path in changes.paths if any(_holds(folder, changes.repository / path) for folder in inside)}
        claimed |= mine
        if mine or outside:
            found.append(location.name)
        if outside and not mine:
            unknown.append(location.name)
    elsewhere = tuple(path for path in changes.paths if path not in claimed)
    return Concern(tuple(found), tuple(unknown), elsewhere)


def _holds(folder: Path, changed: Path) -> bool:
    # git names a submodule, not the files below it
    return changed.is_relative_to(folder) or folder.is_relative_to(changed)


def _commit(repository: Path, reference: str) -> str:
    try:
        return _git(repository, "rev-parse", "--verify", "--quiet", f"{reference}^{{commit}}").strip()
    except UsageError:
        shallow = _is_shallow(repository)
        raise UsageError(
            f"git knows no commit '{reference}'.",
            why="This clone is shallow: it has only the latest commits." if shallow else None,
            next_step=_DEEPEN if shallow else "`git fetch`, then give a commit, branch or tag that is there.",
        ) from None


def _left_at(repository: Path, commit: str, reference: str) -> str:
    try:
        return _git(repository, "merge-base", commit, "HEAD").strip()
    except UsageError as error:
        # without a common commit git ends with 1 and says nothing
        if error.why and not error.why.startswith("`git merge-base` ended"):
            raise
        raise _no_common_commit(repository, reference, error) from None


def _no_common_commit(repository: Path, reference: str, error: UsageError) -> UsageError:
    if _is_shallow(repository):
        return UsageError(
            f"Where HEAD left '{reference}' cannot be told in a shallow clone.", why=error.why, next_step=_DEEPEN
        )
    return UsageError(
        f"HEAD and '{reference}' have no commit in common.", next_step="give a commit of the same history."
    )


_DEEPEN: Final = "`git fetch --unshallow` (in GitHub Actions: actions/checkout with `fetch-depth: 0`)."


def _is_shallow(repository: Path) -> bool:
    return _git(repository, "rev-parse", "--is-shallow-repository").strip() == "true"


def _git(folder: Path, *arguments: str) -> str:
    """What git answers. Raises ``UsageError`` with git's own words."""
    environment = {**os.environ, "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0"}
    try:
        answer = subprocess.run(
            ["git", "-c", "core.quotePath=false", *arguments],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
    except FileNotFoundError:
        raise UsageError(
            "git is not on this machine, so what changed cannot be told.",
            next_step="install git, or name the locations with --only.",
        ) from None
    except subprocess.TimeoutExpired:
        raise UsageError(
            f"`git {arguments[0]}` did not end within {_SECONDS} s.", next_step="name the locations with --only."
        ) from None
    if answer.returncode != 0:
        words = redact(os.fsdecode(answer.stderr).strip())
        raise UsageError(
            "git cannot tell what changed.",
            why=words or f"`git {arguments[0]}` ended with {answer.returncode}.",
            next_step="mend that, or name the locations with --only.",
        )
    return os.fsdecode(answer.stdout)
