"""One SQLite file shared by many threads: pooled connections, and writers that queue instead of polling.

Dagster's SQLite storages make a new engine for every call (dagster/_core/storage/runs/sqlite/sqlite_run_storage.py
``connect``): each compiles its statements anew and opens the file anew. And writers that meet in SQLite itself wait
by polling (its busy handler sleeps up to 100 ms at a time). Here one engine keeps its compiled statements and a few
connections, and a lock in the process puts writers in a queue.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import sqlalchemy
from sqlalchemy import event
from sqlalchemy.engine import Connection
from sqlalchemy.pool import QueuePool

CONNECTIONS: Final = 6
"""Connections per file: readers beyond it wait. Each costs up to 2 MB of SQLite's page cache."""

BUSY_TIMEOUT_SECONDS: Final = 30
"""Only for another process that holds the file, such as a backup; threads of this one queue on the lock."""

_READING: Final = ("SELECT", "PRAGMA", "WITH", "EXPLAIN")


class Database:
    """A SQLite file in WAL mode.

    ``connect`` gives the thread its connection within a transaction that ends with the block; blocks nest, and the
    outermost decides. A block takes the write lock with its first statement that writes; ``transaction`` takes it at
    once, so that what it reads cannot change before it writes.

    Durability: WAL with ``synchronous=NORMAL`` loses nothing when this process is killed; a power cut may take the
    last commits.
    """

    def __init__(self, path: Path) -> None:
        self._engine = sqlalchemy.create_engine(
            f"sqlite:///{path}",
            poolclass=QueuePool,
            pool_size=CONNECTIONS,
            max_overflow=0,
            pool_timeout=60,
            connect_args={"timeout": BUSY_TIMEOUT_SECONDS, "check_same_thread": False},
        )
        event.listen(self._engine, "connect", _prepare_connection)
        event.listen(self._engine, "before_cursor_execute", self._queue_before_writing)
        self._write_lock = threading.Lock()
        self._thread = _ThreadState()
        self._tables: set[str] = set()

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """The thread's connection, within a transaction that is committed when the outermost block ends well."""
        current = self._thread.connection
        if current is not None:
            yield current
            return
        with self._engine.connect() as connection:
            self._thread.connection = connection
            try:
                with connection.begin():
                    yield connection
            finally:
                self._thread.connection = None
                self._release()

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """As ``connect``, but alone among the writers from the start."""
        with self.connect() as connection:
            if not self._thread.writing:
                self._acquire()
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection

    def has_table(self, name: str) -> bool:
        """Whether the table exists; one that does is remembered, tables do not go away."""
        if name not in self._tables:
            with self.connect() as connection:
                if sqlalchemy.inspect(connection).has_table(name):
                    self._tables.add(name)
        return name in self._tables

    def dispose(self) -> None:
        """Close the pooled connections; the last one writes the WAL back into the file."""
        self._engine.dispose()

    def _queue_before_writing(self, *arguments: Any) -> None:
        statement: str = arguments[2]
        if not self._thread.writing and not statement.lstrip()[:8].upper().startswith(_READING):
            self._acquire()

    def _acquire(self) -> None:
        self._write_lock.acquire()
        self._thread.writing = True

    def _release(self) -> None:
        if self._thread.writing:
            self._thread.writing = False
            self._write_lock.release()


class _ThreadState(threading.local):
    connection: Connection | None = None
    writing: bool = False


def _prepare_connection(connection: Any, _record: Any) -> None:
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
