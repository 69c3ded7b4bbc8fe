"""A git repository with a bare remote, for tests."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path


class GitRepository:
    """On the branch ``main``, which follows that of ``origin``; with one commit, pushed."""

    def __init__(self, root: Path, *, remote: Path) -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True)
        self.git("init", "-q", "-b", "main")
        self.commit("first")
        self.git("init", "-q", "--bare", "-b", "main", str(remote))
        self.git("remote", "add", "origin", str(remote))
        self.push()

    def git(self, *arguments: str) -> str:
        identity = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false")
        environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
        return subprocess.run(
            ["git", *identity, *arguments], cwd=self.root, env=environment, check=True, capture_output=True, text=True
        ).stdout.strip()

    def commit(self, message: str) -> str:
        """All that changed, or nothing; the commit."""
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.head

    def push(self) -> None:
        self.git("push", "-q", "-u", "origin", "main")

    @property
    def head(self) -> str:
        return self.git("rev-parse", "HEAD")
