"""The organization's SQLite file.

One connection, shared by all threads under one lock: statements here take microseconds, and one writer at a time is
what SQLite gives anyway. Write-ahead log with ``synchronous=NORMAL``: what was committed survives the death of the
process; only a failure of the machine itself may lose the last commits.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hybrid.emulator.errors import DataFolderError
from hybrid.emulator.organization.schema import VERSIONS


class Database:
    """``organization.sqlite``, opened for as long as this process serves.

    Raises ``DataFolderError`` when it cannot be read or written, and when a newer version of this package wrote it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        try:
            self._connection = self._opened()
        except sqlite3.Error as error:
            raise self._refused(error) from error

    def _opened(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, check_same_thread=False, isolation_level=None, timeout=5)
        try:
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("PRAGMA foreign_keys = ON")
            self._bring_up_to_date(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _bring_up_to_date(self, connection: sqlite3.Connection) -> None:
        version: int = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > len(VERSIONS):
            raise DataFolderError(
                f"{self.path} was written by a newer version of the embedded Dagster+.",
                why=f"Its format is {version}; this version reads up to {len(VERSIONS)}.",
                next_step="update this checkout, or give another data folder.",
            )
        for number, statements in enumerate(VERSIONS[version:], start=version + 1):
            connection.executescript(f"BEGIN IMMEDIATE; {statements} PRAGMA user_version = {number}; COMMIT;")

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing; committed when the block ends. Raises ``DataFolderError`` when SQLite cannot write."""
        with self._lock:
            connection = self._open_connection()
            try:
                connection.execute("BEGIN IMMEDIATE")
                yield connection
                connection.execute("COMMIT")
            except BaseException as error:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.IntegrityError):
                    raise self._refused(error) from error
                raise

    def rows(self, statement: str, parameters: tuple[Any, ...] = ()) -> list[sqlite3.Row]:
        """What ``statement`` selects."""
        with self._lock:
            try:
                return self._open_connection().execute(statement, parameters).fetchall()
            except sqlite3.DatabaseError as error:
                raise self._refused(error) from error

    def close(self) -> None:
        """Write the log back into the file and let go of it. A second call does nothing."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _open_connection(self) -> sqlite3.Connection:
        if self._connection is None:
            raise DataFolderError(f"{self.path} is closed.", why="The embedded Dagster+ is shutting down.")
        return self._connection

    def _refused(self, error: sqlite3.Error) -> DataFolderError:
        return DataFolderError(
            f"{self.path} cannot be used: {error}.",
            next_step=f"make room and see to it that {self.path.parent} can be written, then start again.",
        )
