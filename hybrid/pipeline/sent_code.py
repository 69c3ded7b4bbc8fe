"""Which code each location of a branch deployment was last sent with, for agents that run locations from their folders:
there the document stays the same when the code changes, and says nothing of it.

Kept on this machine, in the stack's folder, since that is where such an agent and its code are. What is lost is sent
once more, which only reloads.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from pathlib import Path


class SentCode:
    """Content hashes by location, of one branch deployment."""

    def __init__(self, folder: Path, deployment: str) -> None:
        # the name is Dagster+'s to choose, so it is not made a path
        self._path = folder / f"{hashlib.sha256(deployment.encode()).hexdigest()[:32]}.json"

    def of(self, location: str) -> str | None:
        return self._read().get(location)

    def note(self, location: str, content: str | None) -> None:
        """None: it is not known any more."""
        known = self._read()
        known.pop(location, None)
        if content is not None:
            known[location] = content
        elif not self._path.exists():
            return
        self._write(known)

    def forget(self) -> None:
        """The branch deployment is gone."""
        self._path.unlink(missing_ok=True)

    def _read(self) -> dict[str, str]:
        try:
            known = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return {str(name): str(content) for name, content in known.items()} if isinstance(known, dict) else {}

    def _write(self, known: dict[str, str]) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=self._path.parent, prefix=".sent-")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(known, file, sort_keys=True)
            Path(name).replace(self._path)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(name).unlink()
            raise
