"""Where an image's sources come from, for its labels: the commit, and the repository without what may be secret in its
address. Neither counts as content."""

from __future__ import annotations

import subprocess
import urllib.parse
from pathlib import Path
from typing import Final

REVISION: Final = "org.opencontainers.image.revision"
SOURCE: Final = "org.opencontainers.image.source"
_SECONDS: Final = 10


def revision_labels(root: Path) -> dict[str, str]:
    """Labels of the OCI image specification for the checkout ``root``; none outside of git.

    The commit is the one that is checked out, with ``-dirty`` when something tracked is changed.
    """
    commit = _git(root, "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*")
    source = without_credentials(_git(root, "config", "--get", "remote.origin.url"))
    return {name: value for name, value in ((REVISION, commit), (SOURCE, source)) if value}


def without_credentials(address: str) -> str:
    """A remote's address without user and password; empty for one that is a path of this machine."""
    if "://" not in address:
        _, at, rest = address.rpartition("@")
        return f"{rest}" if at and ":" in rest else ""
    try:
        parts = urllib.parse.urlsplit(address)
        host = parts.hostname or ""
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return ""
    if parts.scheme == "file" or not host:
        return ""
    return urllib.parse.urlunsplit((parts.scheme, f"{host}{port}", parts.path, "", ""))


def _git(root: Path, *arguments: str) -> str:
    try:
        answer = subprocess.run(
            ["git", "-C", str(root), *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stdout.strip() if answer.returncode == 0 else ""
