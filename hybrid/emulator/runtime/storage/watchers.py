"""Who is told when a run gets a new event: the live view of a run in Dagster's UI.

Dagster's consolidated SQLite event log watches its file with watchdog, which sees nothing while SQLite writes to the
WAL (dagster/_core/storage/event_log/sqlite/consolidated_sqlite_event_log.py ``watch``). Every event of the emulator
is stored by this process, so it can tell the watchers itself.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from dagster._core.event_api import EventLogCursor
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.event_log.base import EventLogConnection

Callback = Callable[[EventLogEntry, str], object]
ReadEvents = Callable[[str, str | None], EventLogConnection]

_log = logging.getLogger(__name__)


class Watchers:
    """Callbacks by run, each with the cursor up to which it has been told. Thread-safe; tells in order, each once."""

    def __init__(self, read: ReadEvents) -> None:
        self._read = read
        self._lock = threading.RLock()
        self._cursors: dict[str, dict[Callback, str | None]] = {}

    def add(self, run_id: str, cursor: str | None, callback: Callback) -> None:
        """Watch from ``cursor`` on; what is already there behind it is told at once."""
        with self._lock:
            self._cursors.setdefault(run_id, {})[callback] = cursor
            self.tell(run_id)

    def remove(self, run_id: str, callback: Callback) -> None:
        with self._lock:
            callbacks = self._cursors.get(run_id, {})
            callbacks.pop(callback, None)
            if not callbacks:
                self._cursors.pop(run_id, None)

    def tell(self, run_id: str) -> None:
        """Tell the run's watchers what is new since they were last told."""
        if run_id not in self._cursors:
            return
        with self._lock:
            for callback, cursor in list(self._cursors.get(run_id, {}).items()):
                events = self._read(run_id, cursor)
                self._cursors[run_id][callback] = events.cursor or cursor
                for record in events.records:
                    self._call(callback, record.event_log_entry, record.storage_id)

    def _call(self, callback: Callback, entry: EventLogEntry, storage_id: int) -> None:
        try:
            callback(entry, str(EventLogCursor.from_storage_id(storage_id)))
        except Exception:  # a viewer that has gone away must not fail the worker that stores the event
            _log.exception("A watcher of run %s failed.", entry.run_id)
