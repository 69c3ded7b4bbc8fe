"""Artifacts: files that clients keep with the organization or with a deployment, by a key of their own.

Rests on: ``client`` for the two scopes and for a later upload taking the place of the former
(dagster_cloud_cli/core/artifacts.py, dagster_cloud/storage/defs_state); ``invented`` for where they lie.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hybrid.emulator.organization.database import Database

ORGANIZATION: Final = "organization"
_FOLDER: Final = "artifacts"


@dataclass(frozen=True)
class Artifact:
    """``file`` has the content; ``size`` in bytes, ``stored_at`` in seconds since the epoch."""

    key: str
    sha256: str
    size: int
    stored_at: float
    file: Path


def deployment_scope(name: str) -> str:
    """The scope of a deployment's artifacts; no deployment's is the organization's."""
    return f"deployment:{name}"


class Artifacts:
    """All artifacts: content in files named by their digest, keys in the database. Thread-safe."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock
        self._lock = threading.RLock()
        self.folder = database.path.parent / _FOLDER

    def put(self, scope: str, key: str, draft: Path) -> Artifact:
        """Keep the file ``draft`` under ``key``; it is moved away from where it is."""
        with draft.open("rb") as content:
            sha256 = hashlib.file_digest(content, "sha256").hexdigest()
        size = draft.stat().st_size
        with self._lock:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            draft.replace(self.folder / sha256)
            return self._recorded(scope, key, sha256, size)

    def find(self, scope: str, key: str) -> Artifact | None:
        rows = self._database.rows("SELECT * FROM artifacts WHERE scope = ? AND key = ?", (scope, key))
        if not rows:
            return None
        row = rows[0]
        return self._artifact(row["key"], row["sha256"], row["size"], row["stored_at"])

    def forget(self, deployment: str) -> None:
        """The deployment was deleted: so are its artifacts."""
        with self._lock:
            scope = deployment_scope(deployment)
            held = self._database.rows("SELECT DISTINCT sha256 FROM artifacts WHERE scope = ?", (scope,))
            with self._database.transaction() as connection:
                connection.execute("DELETE FROM artifacts WHERE scope = ?", (scope,))
            for row in held:
                self._drop_unused(row["sha256"])

    def _recorded(self, scope: str, key: str, sha256: str, size: int) -> Artifact:
        before = self.find(scope, key)
        now = self._clock()
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO artifacts (scope, key, sha256, size, stored_at) VALUES (?, ?, ?, ?, ?)",
                (scope, key, sha256, size, now),
            )
        if before is not None and before.sha256 != sha256:
            self._drop_unused(before.sha256)
        return self._artifact(key, sha256, size, now)

    def _drop_unused(self, sha256: str) -> None:
        if not self._database.rows("SELECT 1 FROM artifacts WHERE sha256 = ?", (sha256,)):
            (self.folder / sha256).unlink(missing_ok=True)

    def _artifact(self, key: str, sha256: str, size: int, stored_at: float) -> Artifact:
        return Artifact(key, sha256, size, stored_at, self.folder / sha256)
