"""Values in a folder of this machine, or of a share that is mounted here."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import stat
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO, Final

from asset_values.faults import Fault, FaultKind
from asset_values.model import Condition, Entry, Note, Reading
from asset_values.stores.places import KEPT_BY_US

DRAFT: Final = ".asset-values-"
"""How the name of what is not yet whole begins. A value's key has no such name in it."""
_LONGEST_NAME: Final = 255  # bytes, of most file systems
_DRAFT_AGE: Final = 3600.0  # seconds after which a draft is of somebody who was killed
_CHUNK: Final = 1 << 20
_LOCKS: Final = 64
_KINDS: Final = {
    errno.ENOENT: FaultKind.ABSENT,
    errno.EACCES: FaultKind.DENIED,
    errno.EPERM: FaultKind.DENIED,
    errno.EROFS: FaultKind.DENIED,
    errno.ENOSPC: FaultKind.FULL,
    errno.EDQUOT: FaultKind.FULL,
    errno.EFBIG: FaultKind.FULL,
    errno.ENAMETOOLONG: FaultKind.UNUSABLE,
    errno.EILSEQ: FaultKind.UNUSABLE,
    errno.EINVAL: FaultKind.UNUSABLE,
    errno.ENOTDIR: FaultKind.UNUSABLE,
    errno.EISDIR: FaultKind.UNUSABLE,
    errno.EIO: FaultKind.UNREACHABLE,
    errno.ESTALE: FaultKind.UNREACHABLE,
    errno.ETIMEDOUT: FaultKind.UNREACHABLE,
}
_WITHOUT_LINKS: Final = {errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK}


class FolderStore:
    """Source and destination; a value's key is its path below ``path``. For many threads.

    The version is the file's time, size and number. Nothing is noted beside a value, so ``sha256`` and ``copied_from``
    are None. A value appears whole or not at all: it is written beside its place, flushed to the disk and moved there.
    Where nothing may lie there yet the file system itself sees to it; a replacement compares right before it moves, so
    that what another process writes within those microseconds is lost. A power cut may still take a move back.
    """

    can_list = True

    def __init__(self, path: Path | str) -> None:
        self._root = Path(path).absolute()
        self._real = os.path.realpath(self._root)
        self._locks = [threading.Lock() for _ in range(_LOCKS)]

    @property
    def name(self) -> str:
        return str(self._root)

    def check(self) -> None:
        """Make the folder if there is none, and clear away what was left by who was killed. Raises ``Fault``."""
        with self._faults():
            self._root.mkdir(parents=True, exist_ok=True)
            if not os.access(self._root, os.R_OK | os.W_OK | os.X_OK):
                raise PermissionError(errno.EACCES, "not writable")
            oldest = time.time() - _DRAFT_AGE
            for folder, _, names in os.walk(self._root):
                for draft in (Path(folder, name) for name in names if name.startswith(DRAFT)):
                    with contextlib.suppress(FileNotFoundError):
                        if draft.stat().st_mtime < oldest:
                            draft.unlink()

    def entries(self, prefix: str = "") -> Iterator[Entry]:
        """Drafts, what lies below ``.asset-values/`` and links that lead out of the folder are left out."""
        top = self._path(prefix) if prefix else self._root
        with self._faults():
            for folder, folders, names in os.walk(top):
                folders.sort()
                if Path(folder) == self._root and KEPT_BY_US.rstrip("/") in folders:
                    folders.remove(KEPT_BY_US.rstrip("/"))
                for name in sorted(names):
                    path = Path(folder, name)
                    key = path.relative_to(self._root).as_posix()
                    if not name.startswith(DRAFT) and (entry := self._entry(key, path)) is not None:
                        yield entry

    def head(self, key: str) -> Entry | None:
        with self._faults():
            return self._entry(key, self._path(key))

    def _entry(self, key: str, path: Path) -> Entry | None:
        try:
            if path.is_symlink() and not self._is_inside(os.path.realpath(path)):
                return None
            found = path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        return entry_of(key, found) if stat.S_ISREG(found.st_mode) else None

    def open(self, key: str) -> AbstractContextManager[Reading]:
        path = self._path(key)
        with self._faults():
            try:
                if path.is_symlink() and not self._is_inside(os.path.realpath(path)):
                    raise Fault(FaultKind.UNUSABLE, f"In {self.name} lies a link there that leads out of the folder.")
                return _OpenFile(self, key, path.open("rb"))
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                raise Fault(FaultKind.ABSENT, f"Nothing lies there in {self.name}.") from None

    def put(self, key: str, data: bytes, note: Note, condition: Condition) -> str:
        return self._put(key, iter([data]), len(data), condition)[0]

    def put_parts(
        self, key: str, parts: Iterator[bytes], size: int, note: Note, condition: Condition
    ) -> tuple[str, str]:
        return self._put(key, parts, size, condition)

    def digest(self, key: str) -> tuple[Entry, str]:
        digest = hashlib.sha256()
        with self.open(key) as reading:
            for part in reading.parts(_CHUNK):
                digest.update(part)
            return reading.entry, digest.hexdigest()

    def _put(self, key: str, parts: Iterator[bytes], size: int, condition: Condition) -> tuple[str, str]:
        path = self._path(key)
        draft = path.parent / f"{DRAFT}{os.getpid()}-{uuid.uuid4().hex}"
        with self._faults():
            self._make_room(path)
            try:
                digest = _written(draft, parts, size)
                with self._locks[hash(key) % _LOCKS]:
                    return self._placed(draft, path, condition), digest
            finally:
                draft.unlink(missing_ok=True)

    def _make_room(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise Fault(FaultKind.UNUSABLE, f"In {self.name} a value lies where this key needs a folder.") from None

    def _placed(self, draft: Path, path: Path, condition: Condition) -> str:
        """Move it to where it belongs. The version is the draft's: a move keeps time, size and number."""
        version = version_of(draft.stat())
        if path.is_dir():
            raise Fault(FaultKind.UNUSABLE, f"In {self.name} a folder lies where this key needs a file.")
        if condition.expected is None:
            try:
                os.link(draft, path)
                return version
            except FileExistsError:
                raise self._changed() from None
            except OSError as error:
                if error.errno not in _WITHOUT_LINKS:
                    raise
        found = path.stat() if path.exists() else None
        if (version_of(found) if found else None) != condition.expected:
            raise self._changed()
        draft.replace(path)
        return version

    def _changed(self) -> Fault:
        return Fault(FaultKind.CHANGED, f"In {self.name} lies something else than was expected.")

    def _path(self, key: str) -> Path:
        """Where ``key`` lies. Raises ``Fault`` (UNUSABLE) for what would be another file than the key says."""
        parts = key.split("/")
        try:
            longest = max(len(os.fsencode(part)) for part in parts)
        except UnicodeEncodeError:
            raise Fault(FaultKind.UNUSABLE, "The key cannot be the name of a file here.") from None
        if "\x00" in key or any(part in ("", ".", "..") for part in parts):
            raise Fault(FaultKind.UNUSABLE, "The key has an empty name, '.', '..' or a NUL in it: no path in a folder.")
        if longest > _LONGEST_NAME:
            raise Fault(FaultKind.UNUSABLE, f"A file's name has at most {_LONGEST_NAME} bytes, and this one {longest}.")
        if any(part.startswith(DRAFT) for part in parts):
            raise Fault(FaultKind.UNUSABLE, f"Names that begin with {DRAFT} are kept for what is not yet whole.")
        path = self._root.joinpath(*parts)
        with self._faults():
            if len(parts) > 1 and not self._is_inside(os.path.realpath(path.parent)):
                raise Fault(FaultKind.UNUSABLE, f"In {self.name} a link leads out of the folder there.")
        return path

    def _is_inside(self, real: str) -> bool:
        return real == self._real or real.startswith(self._real.rstrip("/") + "/")

    @contextlib.contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            kind = _KINDS.get(error.errno or 0, FaultKind.OTHER)
            action = "write" if kind is FaultKind.DENIED else None
            words = re.sub(r"\s+", " ", error.strerror or type(error).__name__)
            raise Fault(kind, f"{self.name}: {words}.", action=action) from None


class _OpenFile:
    """A file that is read. It closes when the block ends."""

    def __init__(self, store: FolderStore, key: str, file: BinaryIO) -> None:
        self._store = store
        self._file = file
        self._before = os.fstat(file.fileno())
        self.entry = entry_of(key, self._before)

    def __enter__(self) -> Reading:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def whole(self) -> bytes:
        with self._store._faults():
            self._file.seek(0)
            data = self._file.read()
        self._check(len(data))
        return data

    def parts(self, size: int) -> Iterator[bytes]:
        read = 0
        with self._store._faults():
            self._file.seek(0)
            while part := self._file.read(size):
                read += len(part)
                # Before the last is handed over: it must not be taken for whole.
                if read >= self.entry.size:
                    self._check(read)
                yield part
        self._check(read)

    def _check(self, read: int) -> None:
        """Who writes in place, as Dagster's own IO manager for files does, changes what is being read."""
        if read != self.entry.size or version_of(os.fstat(self._file.fileno())) != self.entry.version:
            raise Fault(FaultKind.CHANGED, f"The value was changed in {self._store.name} while it was read.")


def _written(draft: Path, parts: Iterator[bytes], size: int) -> str:
    """``parts`` in a new file, flushed; its SHA-256 (hex)."""
    digest, length = hashlib.sha256(), 0
    with draft.open("xb") as file:
        for part in parts:
            digest.update(part)
            length += file.write(part)
        if length != size:
            raise Fault(FaultKind.CORRUPT, f"{length} bytes came where {size} were announced; nothing was written.")
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest()


def entry_of(key: str, found: os.stat_result) -> Entry:
    return Entry(key, found.st_size, version_of(found), found.st_mtime)


def version_of(found: os.stat_result) -> str:
    """Two writes within one tick of the clock differ by the file's number."""
    return f"{found.st_mtime_ns}-{found.st_size}-{found.st_ino}"
