"""The memory of a copy: one SQLite file that says of every value what was planned and what came of it.

It is never the truth about the destination, only a help: whatever a kill has left unrecorded is found there again. So
it is written in batches and without waiting for the disk at each (``synchronous=NORMAL`` with a write-ahead log).
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Self

from asset_values.faults import FaultKind
from asset_values.model import Item
from asset_values.row import DONE, Counts, Identity, PlanChange, Result, Row, State

__all__ = [
    "Identity",
    "Manifest",
    "ManifestBusy",
    "ManifestError",
    "ManifestMismatch",
    "ManifestUnusable",
    "PlanConflict",
]

SCHEMA_VERSION: Final = 1
_APPLICATION: Final = 0x41535631  # "ASV1", by which SQLite files are told apart
_PAGE: Final = 500
_SCHEMA: Final = """
CREATE TABLE identity (organization TEXT, deployment TEXT, source TEXT, destination TEXT, plan INTEGER);
CREATE TABLE value (
    id INTEGER PRIMARY KEY, destination_key TEXT NOT NULL UNIQUE, source_key TEXT NOT NULL, asset TEXT NOT NULL,
    partition TEXT, hint TEXT, plan INTEGER NOT NULL, clash TEXT, state TEXT NOT NULL DEFAULT 'planned', done_hint TEXT,
    source_version TEXT, source_modified REAL, size INTEGER, sha256 TEXT, destination_version TEXT,
    ours INTEGER NOT NULL DEFAULT 0, reason TEXT, fault TEXT, recorded REAL);
CREATE INDEX value_source ON value (source_key);
"""
_COLUMNS: Final = (
    "id, asset, partition, source_key, destination_key, hint, state, plan, done_hint, source_version, source_modified,"
    " size, sha256, destination_version, ours, reason, fault, recorded"
)
# Another source key is another value: what was known of the source is forgotten, what lies at the destination is not.
_PLAN: Final = """
INSERT INTO value (asset, partition, source_key, destination_key, hint, plan) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (destination_key) DO UPDATE SET
    clash = CASE WHEN plan = excluded.plan AND source_key <> excluded.source_key THEN excluded.source_key END,
    state = CASE WHEN source_key = excluded.source_key THEN state ELSE 'planned' END,
    source_version = CASE WHEN source_key = excluded.source_key THEN source_version END,
    source_key = excluded.source_key, asset = excluded.asset, partition = excluded.partition, hint = excluded.hint,
    plan = excluded.plan
"""
_RECORD: Final = """
UPDATE value SET state = ?, done_hint = CASE WHEN ? THEN ? ELSE done_hint END,
    source_version = coalesce(?, source_version), source_modified = coalesce(?, source_modified),
    size = coalesce(?, size), sha256 = CASE WHEN ? THEN ? ELSE sha256 END,
    ours = CASE WHEN ? IS NULL THEN ours ELSE ? END, destination_version = coalesce(?, destination_version),
    reason = ?, fault = ?, recorded = ? WHERE id = ?
"""
_PENDING: Final = (
    "plan = :plan AND (state IN ('planned', 'failed', 'absent') OR (hint IS NOT NULL AND hint IS NOT done_hint))"
)


class ManifestError(Exception):
    """The manifest cannot be used; the text says why and what to do."""


class ManifestMismatch(ManifestError):
    """The manifest is of another copy."""


class ManifestBusy(ManifestError):
    """Another process works with the manifest."""


class ManifestUnusable(ManifestError):
    """The file is no manifest, damaged, or of a newer release."""


class PlanConflict(ManifestError):
    """Two values would be written to one key."""


class Manifest:
    """A manifest opened for work: of one process, which uses it from one thread at a time.

    Made where there is none. Raises ``ManifestMismatch`` when it is of another organization, deployment, source or
    destination, ``ManifestBusy`` when another process has it open, ``ManifestUnusable`` when it is no manifest.
    """

    identity: Identity
    _plan: int

    def __init__(self, path: Path, identity: Identity) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock: IO[bytes] | None = _locked(path)
        try:
            self._db = _opened(path)
            self._begin(identity)
        except BaseException:
            self.close()
            raise

    @classmethod
    def read_only(cls, path: Path) -> Manifest:
        """The manifest to look at, also while another process works with it. Raises ``FileNotFoundError`` and
        ``ManifestUnusable``."""
        if not path.is_file():
            raise FileNotFoundError(f"there is no manifest at {path}")
        manifest = cls.__new__(cls)
        manifest.path = path
        manifest._lock = None
        manifest._db = _connected(f"{path.resolve().as_uri()}?mode=ro", path)
        try:
            manifest._load()
        except BaseException:
            manifest.close()
            raise
        return manifest

    @staticmethod
    def identity_of(path: Path) -> Identity:
        """Of which copy the manifest is. Raises as ``read_only``."""
        with Manifest.read_only(path) as manifest:
            return manifest.identity

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        with suppress(AttributeError):
            self._db.close()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def save_to(self, path: Path) -> None:
        """A copy of it as one file, also while it is worked with: to be kept elsewhere."""
        copy = sqlite3.connect(path)
        try:
            self._db.backup(copy)
        finally:
            copy.close()

    # What is planned

    def plan(self, items: Iterable[Item]) -> PlanChange:
        """From now on these values are what is to be copied. Rows of values that are not among them stay, unplanned;
        what is known of values planned before stays too. Raises ``PlanConflict``; then nothing has changed."""
        plan = self._plan + 1
        had = self._number("SELECT count(*) FROM value")
        rows = ((i.asset, i.partition, i.source_key, i.destination_key, i.hint, plan) for i in items)
        with self._transaction():
            self._db.executemany(_PLAN, rows)
            self._refuse_clashes()
            self._db.execute("UPDATE identity SET plan = ?", (plan,))
        dropped = self._number("SELECT count(*) FROM value WHERE plan = ?", self._plan)
        self._plan = plan
        planned = self._number("SELECT count(*) FROM value WHERE plan = ?", plan)
        return PlanChange(planned, self._number("SELECT count(*) FROM value") - had, dropped, self.count_pending())

    def _refuse_clashes(self) -> None:
        for key, first, second in self._db.execute(
            "SELECT destination_key, source_key, clash FROM value WHERE clash IS NOT NULL LIMIT 1"
        ):
            raise PlanConflict(
                f"two values would be written to {key!r}, {first!r} and {second!r} among them: copy them in two plans "
                "to two destinations, or leave one out"
            )

    # What is known

    def pending(self, *, kept: bool = False) -> Iterator[Row]:
        """Planned values that have to be worked on: never done, failed, absent, or stored anew since by their hint.
        ``kept``: also those where the destination's newer value was left alone. Recording meanwhile is allowed."""
        yield from self._paged(self._pending_clause(kept), {"plan": self._plan})

    def count_pending(self, *, kept: bool = False) -> int:
        return self._number(f"SELECT count(*) FROM value WHERE {self._pending_clause(kept)}", self._plan)  # noqa: S608

    def rows(
        self, *, states: Sequence[State] = tuple(State), planned: bool = True, without_hint: bool = False
    ) -> Iterator[Row]:
        """Rows in these states, in the order of planning. ``planned`` False: also those no longer planned;
        ``without_hint``: only those of whose change no event tells. Recording meanwhile is allowed."""
        clause = f"state IN ({', '.join(repr(str(state)) for state in states)})"
        clause += " AND plan = :plan" if planned else ""
        clause += " AND hint IS NULL" if without_hint else ""
        yield from self._paged(clause, {"plan": self._plan})

    def by_source_keys(self, keys: Sequence[str]) -> list[Row]:
        """The planned rows that are read from these keys; at most some hundred keys."""
        marks = ", ".join("?" * len(keys))
        found = self._db.execute(
            f"SELECT {_COLUMNS} FROM value WHERE source_key IN ({marks}) AND plan = ?",  # noqa: S608
            (*keys, self._plan),
        )
        return [self._row(values) for values in found]

    def by_ids(self, ids: Sequence[int]) -> list[Row]:
        """The rows with these numbers; at most some hundred."""
        marks = ", ".join("?" * len(ids))
        found = self._db.execute(f"SELECT {_COLUMNS} FROM value WHERE id IN ({marks}) ORDER BY id", ids)  # noqa: S608
        return [self._row(values) for values in found]

    def ids(self, states: Sequence[State]) -> list[int]:
        """The numbers of planned rows in these states: 8 bytes a value, to choose a sample from."""
        marks = ", ".join("?" * len(states))
        found = self._db.execute(
            f"SELECT id FROM value WHERE plan = ? AND state IN ({marks}) ORDER BY id",  # noqa: S608
            (self._plan, *states),
        )
        return [number for (number,) in found]

    def failures(self) -> Iterator[Row]:
        """Planned values that should be at the destination and are not, with their reasons."""
        for row in self.rows(states=(State.FAILED, State.ABSENT)):
            if row.is_failure:
                yield row

    def counts(self) -> Counts:
        """Of what is planned now."""
        values, sizes, failures = dict.fromkeys(State, 0), dict.fromkeys(State, 0), 0
        for state, number, size, hinted in self._db.execute(
            "SELECT state, count(*), sum(size), count(hint) FROM value WHERE plan = ? GROUP BY state", (self._plan,)
        ):
            values[State(state)], sizes[State(state)] = number, size or 0
            failures += {State.FAILED: number, State.ABSENT: hinted}.get(State(state), 0)
        return Counts(values, sizes, failures)

    def source_range(self) -> tuple[str, str] | None:
        """The first and the last key at the source, by code points, of what is planned; None when nothing is."""
        first, last = self._db.execute(
            "SELECT min(source_key), max(source_key) FROM value WHERE plan = ?", (self._plan,)
        ).fetchone()
        return None if first is None else (first, last)

    def last_id(self) -> int:
        return self._number("SELECT coalesce(max(id), 0) FROM value")

    # What came of it

    def record(self, results: Sequence[Result]) -> None:
        """Write down what came of values, in one transaction."""
        if not results:
            return
        now = time.time()
        with self._transaction():
            self._db.executemany(_RECORD, (_recorded(result, now) for result in results))

    # Inside

    def _begin(self, identity: Identity) -> None:
        if self._number("PRAGMA application_id") == 0 and not self._number("SELECT count(*) FROM sqlite_master"):
            with self._transaction():
                for statement in _SCHEMA.split(";"):
                    self._db.execute(statement)
                self._db.execute(
                    "INSERT INTO identity VALUES (?, ?, ?, ?, 0)",
                    (identity.organization, identity.deployment, identity.source, identity.destination),
                )
                self._db.execute(f"PRAGMA application_id = {_APPLICATION}")
                self._db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        self._load()
        if self.identity != identity:
            raise ManifestMismatch(_difference(self.path, self.identity, identity))

    def _load(self) -> None:
        try:
            application, version = self._number("PRAGMA application_id"), self._number("PRAGMA user_version")
            if application != _APPLICATION:
                raise ManifestUnusable(f"{self.path} is a database, but no manifest of copied values: name another")
            if version > SCHEMA_VERSION:
                raise ManifestUnusable(
                    f"{self.path} was written by a newer release (schema {version}, this one knows {SCHEMA_VERSION}): "
                    "update, or use another file; values that are there already are found again"
                )
            *identity, self._plan = self._db.execute("SELECT * FROM identity").fetchone()
        except (sqlite3.DatabaseError, TypeError) as error:
            raise _unusable(self.path, error) from error
        self.identity = Identity(*identity)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    @staticmethod
    def _pending_clause(kept: bool) -> str:
        return f"({_PENDING}) OR (plan = :plan AND state = 'kept')" if kept else _PENDING

    def _paged(self, clause: str, values: dict[str, Any]) -> Iterator[Row]:
        """By pages after the last number seen: what is recorded meanwhile brings no row twice."""
        last = 0
        while True:
            page = self._db.execute(
                f"SELECT {_COLUMNS} FROM value WHERE id > :last AND ({clause}) ORDER BY id LIMIT {_PAGE}",  # noqa: S608
                {**values, "last": last},
            ).fetchall()
            for found in page:
                yield self._row(found)
            if len(page) < _PAGE:
                return
            last = page[-1][0]

    def _row(self, values: tuple[Any, ...]) -> Row:
        number, asset, partition, source, destination, hint, state, plan, done_hint, version, modified = values[:11]
        size, sha256, left, ours, reason, fault, recorded = values[11:]
        item = Item(asset, partition, source, destination, hint)
        kind = FaultKind(fault) if fault else None
        return Row(
            number, item, State(state), plan == self._plan, done_hint, version, modified, size, sha256, left,
            bool(ours), reason, kind, recorded,
        )  # fmt: skip

    def _number(self, query: str, *values: Any) -> int:
        return int(self._db.execute(query, values).fetchone()[0])


def _recorded(result: Result, now: float) -> tuple[Any, ...]:
    done = result.state in DONE
    return (
        result.state, done, result.row.item.hint, result.source_version, result.source_modified, result.size,
        result.source_version is not None, result.sha256, result.destination_version, result.ours,
        result.destination_version, result.reason, result.fault, now, result.row.id,
    )  # fmt: skip


def _locked(path: Path) -> IO[bytes]:
    """A lock beside the file, which ends with the process however it ends."""
    lock = path.with_name(f"{path.name}.lock").open("ab")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise ManifestBusy(f"another process is copying with {path}: wait for its end, or stop it") from error
    return lock


def _opened(path: Path) -> sqlite3.Connection:
    if not path.exists():  # SQLite's own files would be readable by all
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
    db = _connected(path.resolve().as_uri(), path)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
    except sqlite3.DatabaseError as error:
        db.close()
        raise _unusable(path, error) from error
    return db


def _connected(address: str, path: Path) -> sqlite3.Connection:
    try:
        return sqlite3.connect(address, uri=True, isolation_level=None, check_same_thread=False, timeout=10)
    except sqlite3.Error as error:
        raise _unusable(path, error) from error


def _unusable(path: Path, error: Exception) -> ManifestUnusable:
    return ManifestUnusable(
        f"{path} cannot be read as a manifest of copied values ({error}): move it away and copy again; values that "
        "are there already are found and not written twice"
    )


def _difference(path: Path, found: Identity, wanted: Identity) -> str:
    fields = ("organization", "deployment", "source", "destination")
    differing = [
        f"{field} {getattr(found, field)!r}, not {getattr(wanted, field)!r}"
        for field in fields
        if getattr(found, field) != getattr(wanted, field)
    ]
    return f"{path} is the manifest of another copy: of {', '.join(differing)}. Use another file for this one"
