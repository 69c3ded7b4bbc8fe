"""Tokens: only their digests are kept.

Rests on: ``client`` for the form ``agent:<organization>:<secret>`` (dagster_cloud/auth/constants.py refuses ``user:``
tokens in agents); ``docs`` for the grant over the whole organization that a new agent token carries, and for a value
that can be read at creation only; ``schema`` for the scopes; ``invented`` that an API token may do everything.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from hybrid.emulator.organization.database import Database
from hybrid.redaction import Token

Kind = Literal["agent", "api"]
Scope = Literal["ORGANIZATION", "ALL_BRANCH_DEPLOYMENTS", "DEPLOYMENT"]
_PREFIXES: Final[dict[Kind, str]] = {"agent": "agent", "api": "user"}


@dataclass(frozen=True)
class Grant:
    """The right of an agent token to serve. ``deployment_id`` is set in the scope DEPLOYMENT only."""

    id: int
    scope: Scope
    deployment_id: int | None


@dataclass(frozen=True)
class TokenRecord:
    """What is known of a token. Times in seconds since the epoch."""

    id: int
    kind: Kind
    digest: str
    description: str | None
    created_at: float
    revoked_at: float | None
    user_id: int | None
    grants: tuple[Grant, ...]

    @property
    def revoked(self) -> bool:
        return self.revoked_at is not None

    def serves(self, deployment_id: int) -> bool:
        """Whether it may act for that full deployment."""
        return self.kind == "api" or any(
            grant.scope == "ORGANIZATION" or grant.deployment_id == deployment_id for grant in self.grants
        )


class Tokens:
    """All tokens of the organization, written through to the database and checked in memory. Thread-safe."""

    def __init__(self, database: Database, organization: str, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._organization = organization
        self._clock = clock
        self._lock = threading.RLock()
        self._by_id: dict[int, TokenRecord] = {}
        self._by_digest: dict[str, TokenRecord] = {}
        self._reload()

    def create(self, kind: Kind, description: str | None) -> tuple[TokenRecord, Token]:
        """A new token; its value is not kept, so this is the only time it can be read."""
        token = Token(f"{_PREFIXES[kind]}:{self._organization}:{secrets.token_hex(32)}")
        with self._lock:
            with self._database.transaction() as connection:
                cursor = connection.execute(
                    "INSERT INTO tokens (kind, digest, description, created_at) VALUES (?, ?, ?, ?)",
                    (kind, _digest(token.reveal()), description, self._clock()),
                )
                if kind == "agent":
                    _insert_grant(connection, cursor.lastrowid, "ORGANIZATION", None)
            self._reload()
            return self._by_digest[_digest(token.reveal())], token

    def verify(self, value: str) -> TokenRecord | None:
        """The token that ``value`` is, unless it is unknown or revoked."""
        digest = _digest(value)
        record = self._by_digest.get(digest)
        if record is None or record.revoked or not hmac.compare_digest(record.digest, digest):
            return None
        return record

    def all(self, kind: Kind) -> tuple[TokenRecord, ...]:
        """Those of one kind, revoked ones too, oldest first."""
        return tuple(record for record in self._by_id.values() if record.kind == kind)

    def get(self, number: int, kind: Kind) -> TokenRecord | None:
        record = self._by_id.get(number)
        return record if record and record.kind == kind else None

    def revoke(self, number: int) -> TokenRecord:
        """Refuse it from now on; what is revoked stays revoked since the first time. Raises ``KeyError``."""
        with self._lock:
            self._by_id[number]
            with self._database.transaction() as connection:
                connection.execute(
                    "UPDATE tokens SET revoked_at = coalesce(revoked_at, ?) WHERE id = ?", (self._clock(), number)
                )
            self._reload()
            return self._by_id[number]

    def grant(self, number: int, scope: Scope, deployment_id: int | None) -> TokenRecord:
        """Add a grant; one that is there already stays. Raises ``KeyError``."""
        with self._lock:
            self._by_id[number]
            with self._database.transaction() as connection:
                _insert_grant(connection, number, scope, deployment_id)
            self._reload()
            return self._by_id[number]

    def withdraw(self, number: int, scope: Scope, deployment_id: int | None) -> TokenRecord:
        """Take a grant away; one that is not there is no error. Raises ``KeyError``."""
        with self._lock:
            self._by_id[number]
            with self._database.transaction() as connection:
                connection.execute(
                    "DELETE FROM grants WHERE token_id = ? AND scope = ? AND deployment_id IS ?",
                    (number, scope, deployment_id),
                )
            self._reload()
            return self._by_id[number]

    def _reload(self) -> None:
        grants: dict[int, list[Grant]] = {}
        for row in self._database.rows("SELECT id, token_id, scope, deployment_id FROM grants ORDER BY id"):
            grants.setdefault(row["token_id"], []).append(Grant(row["id"], row["scope"], row["deployment_id"]))
        records = [
            TokenRecord(**dict(row), grants=tuple(grants.get(row["id"], ())))
            for row in self._database.rows("SELECT * FROM tokens ORDER BY id")
        ]
        self._by_id = {record.id: record for record in records}
        self._by_digest = {record.digest: record for record in records}


def _digest(value: str) -> str:
    # No salt and no stretching: the value has 256 random bits, so there is nothing to guess.
    return hashlib.sha256(value.encode()).hexdigest()


def _insert_grant(connection: sqlite3.Connection, token: int | None, scope: Scope, deployment_id: int | None) -> None:
    connection.execute(
        "INSERT OR IGNORE INTO grants (token_id, scope, deployment_id) VALUES (?, ?, ?)", (token, scope, deployment_id)
    )
