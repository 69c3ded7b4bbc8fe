"""Uploaded definitions on disk, each under the sha1 of its text, so that a restart finds the workspace again.

A job's snapshot is found by its id in Dagster, because that id *is* the sha1 of its serialized text (``client``:
dagster_shared/serdes/utils.py ``create_snapshot_id``; the agent passes on the text that the code server made, so this
holds across Dagster versions).
"""

from __future__ import annotations

import hashlib
import re
import zlib
from pathlib import Path
from typing import Final

from dagster_cloud.api.dagster_cloud_api import FileFormat, SnapshotType, StoredSnapshot

from hybrid.emulator.atomic import write_atomically
from hybrid.emulator.runtime.uploads.body import RefusedUpload, measure_text

TYPES: Final = (SnapshotType.ERROR, SnapshotType.JOB, SnapshotType.REPOSITORY)
FORMATS: Final = (FileFormat.GZIPPED_JSON, FileFormat.JSON)
_SHA1: Final = re.compile(r"[0-9a-f]{40}")
_URI: Final = re.compile(r"blob://([a-z]+)/([0-9a-f]{40})")


class SnapshotStore:
    """Texts by type and sha1, kept compressed. Thread-safe: a text is written whole, and the same one twice is one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, kind: str, sha1: str) -> StoredSnapshot | None:
        path = self._path(kind, sha1)
        return self._stored(kind, sha1, measure_text(path.read_bytes()).size) if path.exists() else None

    def put(self, kind: str, sha1: str, form: str, body: bytes) -> StoredSnapshot:
        """Store an uploaded body. Raises ``RefusedUpload`` unless its text has that sha1."""
        path = self._path(kind, sha1)
        packed = body if form == FileFormat.GZIPPED_JSON else zlib.compress(body)
        found = measure_text(packed)
        if found.sha1 != sha1:
            raise RefusedUpload(400, f"The text has sha1 {found.sha1}, not {sha1} as it was announced.")
        if not path.exists():
            write_atomically(path, packed)
        return self._stored(kind, sha1, found.size)

    def add(self, kind: str, text: str) -> StoredSnapshot:
        raw = text.encode()
        sha1 = hashlib.sha1(raw, usedforsecurity=False).hexdigest()
        path = self._path(kind, sha1)
        if not path.exists():
            write_atomically(path, zlib.compress(raw))
        return self._stored(kind, sha1, len(raw))

    def read(self, uri: str) -> str:
        """The text of a stored snapshot. Raises ``RefusedUpload`` when there is none such."""
        found = _URI.fullmatch(uri)
        path = self._path(found.group(1), found.group(2)) if found else None
        if path is None or not path.exists():
            raise RefusedUpload(400, f"There is no uploaded snapshot {uri[:100]}.")
        return self._text(path).decode()

    def job(self, snapshot_id: str) -> str:
        return self.read(self.uri(SnapshotType.JOB, snapshot_id))

    def has_job(self, snapshot_id: str) -> bool:
        return self._path(SnapshotType.JOB, snapshot_id).exists()

    @staticmethod
    def uri(kind: str, sha1: str) -> str:
        return f"blob://{kind}/{sha1}"

    def _stored(self, kind: str, sha1: str, size: int) -> StoredSnapshot:
        return StoredSnapshot(
            sha1=sha1, format=FileFormat.GZIPPED_JSON, uri=self.uri(kind, sha1), decompressed_size=size
        )

    def _path(self, kind: str, sha1: str) -> Path:
        if kind not in TYPES:
            raise RefusedUpload(400, f"A snapshot is one of {', '.join(TYPES)}, not {kind[:40]!r}.")
        if not _SHA1.fullmatch(sha1):
            raise RefusedUpload(400, f"{sha1[:60]!r} is not a sha1.")
        return self._folder / kind / sha1[:2] / sha1

    @staticmethod
    def _text(path: Path) -> bytes:
        return zlib.decompress(path.read_bytes())
