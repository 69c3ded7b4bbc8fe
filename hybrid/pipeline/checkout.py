"""The checkout that a pipeline works on, as git tells of it. What git does not know is None; nothing is changed."""

from __future__ import annotations

import os
import re
import subprocess
import urllib.parse
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from hybrid.delivery.images.revision import without_credentials
from hybrid.plus import Commit
from hybrid.redaction import redact

SHA: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")

_SECONDS: Final = 60  # of one git command; `ls-remote` goes over the network
_LONGEST: Final = 500  # characters of a commit's subject or author that are handed on
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]+")


@dataclass(frozen=True)
class GitCheckout:
    """One checkout. Asked again, git is asked again, but for ``head`` and ``remote``."""

    root: Path

    @cached_property
    def head(self) -> str | None:
        """The commit that is checked out."""
        return self._sha("HEAD")

    @property
    def branch(self) -> str | None:
        """None when HEAD is detached, as CI leaves it."""
        return self._asked("symbolic-ref", "--quiet", "--short", "HEAD") or None

    @cached_property
    def remote(self) -> str | None:
        """The address of ``origin`` without user and password; None for one that is a path of this machine."""
        return without_credentials(self._asked("config", "--get", "remote.origin.url") or "") or None

    @property
    def repository(self) -> str | None:
        """``owner/name``, from the address of ``origin``."""
        if self.remote is None:
            return None
        path = urllib.parse.urlsplit(self.remote).path if "://" in self.remote else self.remote.partition(":")[2]
        return path.strip("/").removesuffix(".git") or None

    @property
    def is_changed(self) -> bool:
        """Whether something differs from the commit that is checked out, new files included."""
        return bool(self._asked("status", "--porcelain", "--untracked-files=normal"))

    def commit(self, sha: str) -> Commit | None:
        """What git knows of the commit; None when it is not here, as in a shallow clone.

        Its time is the committer's, which an amended or rebased commit gets anew, and the author's does not.
        """
        if not SHA.fullmatch(sha):
            return None
        told = self._asked("log", "-1", "--no-show-signature", "--format=%H%n%ct%n%s%n%an%n%ae", sha, "--")
        lines = (told or "").split("\n")
        if len(lines) < 5 or lines[0] != sha:
            return None
        subject, name, email = (_line(text) for text in lines[2:5])
        return Commit(sha, float(lines[1]), subject, None, name, email)

    def is_merge_of(self, sha: str) -> bool:
        """Whether what is checked out is a merge that has ``sha`` as a parent: what GitHub checks out of a pull
        request. Also known in a shallow clone, whose commits keep their parents' names."""
        raw = self._asked("cat-file", "commit", "HEAD") or ""
        parents = [line[len("parent ") :] for line in raw.partition("\n\n")[0].split("\n") if line[:7] == "parent "]
        return len(parents) > 1 and sha in parents

    def contains(self, descendant: str, ancestor: str) -> bool:
        """Whether ``ancestor`` is known to be in the history of ``descendant``."""
        if not (SHA.fullmatch(descendant) and SHA.fullmatch(ancestor)):
            return False
        return self._asked("merge-base", "--is-ancestor", ancestor, descendant) is not None

    def remote_branches(self) -> frozenset[str] | None:
        """The branches that ``origin`` has now; None when it does not answer."""
        told = self._asked("ls-remote", "--heads", "origin")
        if told is None:
            return None
        heads = (line.partition("\t")[2] for line in told.split("\n"))
        return frozenset(head.removeprefix("refs/heads/") for head in heads if head.startswith("refs/heads/"))

    def _sha(self, name: str) -> str | None:
        told = self._asked("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}") or ""
        return told if SHA.fullmatch(told) else None

    def _asked(self, *arguments: str) -> str | None:
        """What git says; None when it says no, or is not there."""
        environment = {**os.environ, "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"}
        try:
            answer = subprocess.run(
                ["git", *arguments],
                cwd=self.root,
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        return os.fsdecode(answer.stdout).strip("\n") if answer.returncode == 0 else None


def _line(text: str) -> str | None:
    """A text of somebody's as one line that can be sent on: surrogates of bytes that are no text are replaced."""
    readable = text.encode("utf-8", "replace").decode("utf-8")
    return redact(_CONTROL.sub(" ", readable)).strip()[:_LONGEST] or None
