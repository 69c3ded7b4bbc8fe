"""A file of a checkout, reached so that no name, no ``..`` and no symbolic link leads out of it."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final

from hybrid.errors import HybridError

SUFFIXES: Final = (".yaml", ".yml")
_LARGEST: Final = 1_000_000  # bytes; what is larger was not written by people
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


def path_fault(path: str) -> str | None:
    """Why ``path`` cannot be a file's path in a checkout, or None when it can."""
    parts = path.split("/")
    if "\\" in path or any(not part.isprintable() for part in parts):
        return "must be a plain path with slashes"
    if path.startswith("/") or any(part in {"", ".", ".."} for part in parts):
        return "must be a path below the checkout, without '.' and '..'"
    if any(part.lower() == ".git" for part in parts):
        return "must not be in .git"
    if PurePosixPath(path).suffix not in SUFFIXES:
        return f"must end in {' or '.join(SUFFIXES)}"
    return None


def digest(text: str) -> str:
    """Names a file's text."""
    return hashlib.sha256(text.encode()).hexdigest()


class CheckoutFile:
    """The file at ``path`` below the folder ``checkout``, which may itself be reached by links."""

    def __init__(self, checkout: Path, path: str) -> None:
        fault = path_fault(path)
        if fault is not None:
            raise HybridError(f"The path '{path}' {fault}.", next_step="correct the path in the program.")
        self._checkout = checkout
        self._path = path
        *self._folders, self._name = path.split("/")

    def __str__(self) -> str:
        return str(self._checkout / self._path)

    def read(self) -> str | None:
        """Its text, or None when there is none."""
        with contextlib.suppress(FileNotFoundError), self._folder(make=False) as folder:
            return self._read(folder)
        return None

    def write(self, text: str, *, expected: str | None) -> None:
        """Replace the file at once by one with this text. Raises ``HybridError`` when it is not ``expected`` any more,
        where None means that there is none."""
        with self._folder(make=True) as folder:
            beside = f".{self._name}.{secrets.token_hex(4)}"
            mode = self._mode(folder)
            handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode, dir_fd=folder)
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(text.encode())
                    file.flush()
                    os.fsync(file.fileno())
                self._expect(folder, expected)
                os.rename(beside, self._name, src_dir_fd=folder, dst_dir_fd=folder)
            finally:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(beside, dir_fd=folder)

    def delete(self, *, expected: str) -> None:
        """Remove it. Raises ``HybridError`` when it is not ``expected`` any more."""
        with self._folder(make=False) as folder:
            self._expect(folder, expected)
            os.unlink(self._name, dir_fd=folder)

    def _expect(self, folder: int, expected: str | None) -> None:
        try:
            present = self._read(folder)
        except FileNotFoundError:
            present = None
        if present != expected:
            raise HybridError(
                f"{self} changed while it was worked on.",
                why="Somebody else wrote it, and what they wrote would be lost.",
                next_step="run the same command again: it starts from what is there now.",
            )

    def _read(self, folder: int) -> str:
        try:
            handle = os.open(self._name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
        except OSError as error:
            raise self._refused(error) from error
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            os.close(handle)
            raise self._not_a_file()
        with os.fdopen(handle, "rb") as file:
            content = file.read(_LARGEST + 1)
        if len(content) > _LARGEST:
            raise HybridError(f"{self} has more than {_LARGEST} bytes.", next_step="look at what it is.")
        try:
            return content.decode()
        except UnicodeDecodeError:
            raise HybridError(f"{self} is no text in UTF-8.", next_step="look at what it is.") from None

    def _mode(self, folder: int) -> int:
        try:
            return stat.S_IMODE(os.stat(self._name, dir_fd=folder, follow_symlinks=False).st_mode)
        except FileNotFoundError:
            return 0o644

    @contextlib.contextmanager
    def _folder(self, *, make: bool) -> Iterator[int]:
        """The file's folder as a descriptor, opened step by step: a step that is a link is refused, also when it
        becomes one meanwhile."""
        with contextlib.ExitStack() as opened:
            folder = os.open(self._checkout, os.O_RDONLY | os.O_DIRECTORY)
            opened.callback(os.close, folder)
            for part in self._folders:
                if make:
                    with contextlib.suppress(FileExistsError):
                        os.mkdir(part, dir_fd=folder)
                try:
                    folder = os.open(part, _FOLDER, dir_fd=folder)
                except OSError as error:
                    raise self._refused(error) from error
                opened.callback(os.close, folder)
            yield folder

    def _refused(self, error: OSError) -> OSError | HybridError:
        # a link that is opened as a folder is "not a directory", one that is opened as a file "too many links"
        return self._not_a_file() if error.errno in {errno.ELOOP, errno.ENOTDIR, errno.EISDIR} else error

    def _not_a_file(self) -> HybridError:
        return HybridError(
            f"{self} is not a file of the checkout.",
            why="It, or a folder on the way to it, is a symbolic link or something else that is no plain file.",
            next_step="put a plain file there, or correct the path in the program.",
        )
