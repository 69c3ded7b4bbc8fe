"""The files of the base commit that say what stacks and locations are, laid out in a folder of their own.

Nothing of them is run, unless the whole is asked for, with the program. The working tree and git's own folder stay as
they are: no worktree is registered.
"""

from __future__ import annotations

import os
import subprocess
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Final, cast

from hybrid.errors import UsageError
from hybrid.redaction import redact
from hybrid.workspace import Workspace

_ALWAYS: Final = ("stacks", "locations", "Pulumi.yaml", "pyproject.toml", "dg.toml")
_PROGRAM: Final = ("agent", "hybrid", "infra", "policies", "requirements.lock")
_SECONDS: Final = 120
_LARGEST_FILE: Final = 4 * 1024 * 1024
"""Bytes. What says something of a location is small; data that lies beside it is not laid out."""


@dataclass(frozen=True)
class BaseTree:
    """The checkout as it was at ``commit``, as far as settings and locations need it."""

    commit: str
    workspace: Workspace
    whole: bool = False
    """Whether its program is there, too."""

    @classmethod
    @contextmanager
    def at(cls, checkout: Path, commit: str, further: Sequence[str] = (), *, whole: bool = False) -> Iterator[BaseTree]:
        """For the time of a ``with``. ``further`` are folders of locations that lie elsewhere in the checkout;
        ``whole``: with the program, to be run.

        Raises ``UsageError`` when git cannot give the commit's files.
        """
        with TemporaryDirectory(prefix="hybrid-base-") as folder:
            root = Path(folder).resolve()
            wanted = _present(checkout, commit, [*_ALWAYS, *(_PROGRAM if whole else ()), *further])
            if wanted:
                _lay_out(checkout, commit, wanted, root)
            yield cls(commit, Workspace(root), whole)


def _present(checkout: Path, commit: str, paths: Sequence[str]) -> list[str]:
    """Those of ``paths`` that the commit has; git's archive refuses the others."""
    listed = _git(checkout, "ls-tree", "-z", "--name-only", commit, "--", *paths)
    return [os.fsdecode(name) for name in listed.split(b"\0") if name]


def _lay_out(checkout: Path, commit: str, paths: Sequence[str], root: Path) -> None:
    command = ["git", "archive", "--format=tar", commit, "--", *paths]
    with subprocess.Popen(
        command,
        cwd=checkout,
        env=_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            with tarfile.open(fileobj=cast(IO[bytes], process.stdout), mode="r|") as archive:
                for member in archive:
                    _take(archive, member, root)
        except tarfile.TarError:
            pass  # git's own words tell more
        words = redact(os.fsdecode(process.stderr.read() if process.stderr else b"").strip())
    if process.returncode != 0:
        raise _no_base(words)


def _take(archive: tarfile.TarFile, member: tarfile.TarInfo, root: Path) -> None:
    """Files and folders only: a link could lead anywhere, and says nothing of a location."""
    if member.isdir() or (member.isreg() and member.size <= _LARGEST_FILE):
        archive.extract(member, root, filter="data")


def _git(checkout: Path, *arguments: str) -> bytes:
    try:
        answer = subprocess.run(
            ["git", *arguments],
            cwd=checkout,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
    except (FileNotFoundError, subprocess.TimeoutExpired) as error:
        raise _no_base(str(error)) from None
    if answer.returncode != 0:
        raise _no_base(redact(os.fsdecode(answer.stderr).strip()))
    return answer.stdout


def _environment() -> dict[str, str]:
    return {**os.environ, "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0"}


def _no_base(words: str) -> UsageError:
    return UsageError(
        "git cannot give the files of the base commit.",
        why=words or None,
        next_step="`git fetch` (in GitHub Actions: actions/checkout with `fetch-depth: 0`).",
    )
