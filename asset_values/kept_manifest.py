"""A manifest that lives at the destination: a run has no disk that outlives it, and the next one goes on from there.

It is written under the condition that nobody else has written it since, so that two runs that copy the same notice.
"""

from __future__ import annotations

import gzip
import tempfile
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol, Self

from asset_values.faults import Fault, FaultKind
from asset_values.manifest import Manifest
from asset_values.model import Condition, Destination, Note, Source

FOLDER: Final = ".asset-values"
_ENDING: Final = ".sqlite.gz"
_LIST: Final = ".txt"
_LIST_TRIES: Final = 5
_EVERY: Final = 20.0  # seconds: what a kill loses is found again at the destination, one request a value


class AnotherRunError(Exception):
    """Another run copies to the same place with the same manifest, or did between two writes of this one."""


class Keeper(Source, Destination, Protocol):
    """A store that reads and writes."""


class KeptManifest:
    """The manifest of the copy ``name`` (``digest``: of which source), worked with as the file ``path`` and kept at
    ``destination`` while it is in use; ``stop`` is set when somebody else has written it."""

    def __init__(self, destination: Keeper, name: str, digest: str, path: Path, stop: threading.Event) -> None:
        self.key = f"{FOLDER}/{name}-{digest}{_ENDING}"
        self._name = name
        self._destination = destination
        self._path = path
        self._stop = stop
        self._version: str | None = None
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self.error: AnotherRunError | None = None

    def restore(self) -> bool:
        """Fetch what an earlier run has kept; False when there is nothing that can be used. Raises ``Fault``."""
        self._version, usable = _fetched(self._destination, self.key, self._path)
        _list(self._destination, self._name, self.key)
        return usable

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._keep, name="asset-values-manifest", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
        if self.error is None:
            self._try_save()
        if self.error is not None and kind is None:
            raise self.error

    def save(self) -> None:
        """Keep it as it is now. Raises ``Fault`` and ``AnotherRunError``."""
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder, "manifest")
            with Manifest.read_only(self._path) as manifest:  # a connection of its own: the copier writes meanwhile
                manifest.save_to(copy)
            data = gzip.compress(copy.read_bytes(), compresslevel=1, mtime=0)
        try:
            self._version = self._destination.put(self.key, data, Note("manifest"), Condition(self._version))
        except Fault as fault:
            if fault.kind is FaultKind.CHANGED:
                raise AnotherRunError(
                    f"{self._destination.name}/{self.key} was written by somebody else: another run copies to the same "
                    "place. This one stops; nothing is lost. Wait for the other, or end it, and run this one again."
                ) from None
            raise

    def _keep(self) -> None:
        while not self._ended.wait(_EVERY) and self.error is None:
            self._try_save()

    def _try_save(self) -> None:
        try:
            self.save()
        except AnotherRunError as error:
            self.error = error
            self._stop.set()
        except (Fault, FileNotFoundError):
            return  # the next time, or the next run finds the values themselves


def kept_manifests(store: Keeper, name: str, folder: Path) -> Iterator[Manifest]:
    """The manifests that copies of that name have kept in ``store``, each to look at and to close, as files of
    ``folder``. Raises ``Fault`` and ``ManifestError``."""
    for number, key in enumerate(_listed(store, name)[0]):
        path = folder / f"{number}.sqlite"
        if _fetched(store, key, path)[1]:
            yield Manifest.read_only(path)


def _listed(store: Keeper, name: str) -> tuple[list[str], str | None]:
    """The keys of the manifests of that name, from a list beside them (a listing of values leaves them out), and the
    list's version."""
    try:
        with store.open(f"{FOLDER}/{name}{_LIST}") as reading:
            return reading.whole().decode().split(), reading.entry.version
    except Fault as fault:
        if fault.kind is FaultKind.ABSENT:
            return [], None
        raise


def _list(store: Keeper, name: str, key: str) -> None:
    for _ in range(_LIST_TRIES):
        keys, version = _listed(store, name)
        if key in keys:
            return
        text = "\n".join([*keys, key]).encode()
        try:
            store.put(f"{FOLDER}/{name}{_LIST}", text, Note("manifest"), Condition(version))
        except Fault as fault:
            if fault.kind is not FaultKind.CHANGED:
                raise


def _fetched(store: Source, key: str, path: Path) -> tuple[str | None, bool]:
    """Its version (None: there is none), and whether it could be unpacked."""
    try:
        with store.open(key) as reading:
            version, data = reading.entry.version, reading.whole()
    except Fault as fault:
        if fault.kind is FaultKind.ABSENT:
            return None, False
        raise
    try:
        path.write_bytes(gzip.decompress(data))
    except (OSError, EOFError, zlib.error):
        return version, False
    return version, True
