"""A copy as a process of its own, to be killed: it prints a line before and after each write at the destination.

Called with the manifest's path, the source, the destination (a folder, or ``s3://bucket/prefix``) and S3's endpoint.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from asset_values.copier import Copier, CopyOptions
from asset_values.manifest import Identity, Manifest
from asset_values.model import Condition, Entry, Item, Note
from asset_values.stores.credentials import FixedKeys
from asset_values.stores.folder import FolderStore
from asset_values.stores.places import S3Place
from asset_values.stores.s3 import S3Store
from tests.aws.moto_server import REGION

VALUES = 600


class Told:
    """A destination whose writes are told. The store's own copying is left to it where ``server``."""

    def __init__(self, store: Any) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def put(self, key: str, data: bytes, note: Note, condition: Condition) -> str:
        print("before", key, flush=True)
        version: str = self._store.put(key, data, note, condition)
        print("after", key, flush=True)
        return version

    def put_parts(
        self, key: str, parts: Iterator[bytes], size: int, note: Note, condition: Condition
    ) -> tuple[str, str]:
        print("before", key, flush=True)
        written: tuple[str, str] = self._store.put_parts(key, parts, size, note, condition)
        print("after", key, flush=True)
        return written


class Bytes(Told):
    can_copy_from = None  # every byte passes through here


class ByServer(Told):
    def can_copy_from(self, source: Any) -> bool:
        return bool(self._store.can_copy_from(source))

    def copy_from(self, source: Any, entry: Entry, key: str, condition: Condition) -> str:
        print("before", key, flush=True)
        version: str = self._store.copy_from(source, entry, key, condition)
        print("after", key, flush=True)
        return version


def store(place: str, endpoint: str) -> Any:
    if not place.startswith("s3://"):
        return FolderStore(Path(place))
    found = S3Place.of_url(place)
    there = S3Place(found.bucket, found.prefix, REGION, endpoint)
    return S3Store(there, FixedKeys("testing", "testing"), threads=8)


def main() -> None:
    manifest_path, source, destination, endpoint, way = sys.argv[1:]
    with Manifest(Path(manifest_path), Identity("hooli", "prod", source, destination)) as manifest:
        manifest.plan(Item("a", str(i), f"a/{i}", f"a/{i}") for i in range(VALUES))
        target: Any = (ByServer if way == "server" else Bytes)(store(destination, endpoint))
        outcome = Copier(store(source, endpoint), target, manifest, CopyOptions(threads=8)).run()
    print("ended", outcome.ok, outcome.counts.failures, outcome.given_up, flush=True)


if __name__ == "__main__":
    main()
