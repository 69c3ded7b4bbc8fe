"""Tokens: only their digests are kept.

Rests on: ``client`` for the form ``agent:<organization>:<secret>`` (dagster_cloud/auth/constants.py refuses ``user:``
tokens in agents); ``docs`` for the grant over the whole organization that a new agent token carries, for a user token
having its user's roles, and for a value that can be read at creation only; ``schema`` for the kinds; ``invented``: a
SCIM token is kept and good for nothing, because no SCIM is served.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from hybrid.emulator.organization.database import Database
from hybrid.emulator.organization.grants import Grant, Place, Scope
from hybrid.redaction import Token

__all__ = ["Grant", "Kind", "Scope", "TokenRecord", "Tokens"]

Kind = Literal["agent", "user", "scim"]
_ADMITTED: Final = ("agent", "user")
_COLUMNS: Final = "id, kind, digest, description, created_at, revoked_at, user_id, revoked_by"


@dataclass(frozen=True)
class TokenRecord:
    """What is known of a token. Times in seconds since the epoch.

    ``user_id`` is whose a user token is, or who made a SCIM token; ``revoked_by`` is a user's id too. ``grants`` are
    the token's own, and of a user token its user's.
    """

    id: int
    kind: Kind
    digest: str
    description: str | None
    created_at: float
    revoked_at: float | None
    user_id: int | None
    revoked_by: int | None
    grants: tuple[Grant, ...]

    @property
    def revoked(self) -> bool:
        return self.revoked_at is not None

    def serves(self, place: Place) -> bool:
        """Whether it may act there at all: as an agent, or with whatever role its user has."""
        return any(grant.applies_in(place) for grant in self.grants)


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

    def create(self, kind: Kind, description: str | None, user_id: int | None = None) -> tuple[TokenRecord, Token]:
        """A new token, a user's or an agent's; its value is not kept, so this is the only time it can be read."""
        token = Token(f"{kind}:{self._organization}:{secrets.token_hex(32)}")
        with self._lock:
            with self._database.transaction() as connection:
                cursor = connection.execute(
                    "INSERT INTO tokens (kind, digest, description, created_at, user_id) VALUES (?, ?, ?, ?, ?)",
                    (kind, _digest(token.reveal()), description, self._clock(), user_id),
                )
                if kind == "agent":
                    _insert_grant(connection, cursor.lastrowid, "ORGANIZATION", None)
            self._reload()
            return self._by_digest[_digest(token.reveal())], token

    def verify(self, value: str) -> TokenRecord | None:
        """The agent's or user's token that ``value`` is, unless it is unknown or revoked."""
        digest = _digest(value)
        record = self._by_digest.get(digest)
        if record is None or record.revoked or record.kind not in _ADMITTED:
            return None
        if not hmac.compare_digest(record.digest, digest):
            return None
        return record

    def all(self, kind: Kind) -> tuple[TokenRecord, ...]:
        """Those of one kind, revoked ones too, oldest first."""
        return tuple(record for record in self._by_id.values() if record.kind == kind)

    def get(self, number: int, kind: Kind) -> TokenRecord | None:
        record = self._by_id.get(number)
        return record if record and record.kind == kind else None

    def revoke(self, number: int, by: int | None = None) -> TokenRecord:
        """Refuse it from now on; ``by`` is the id of the user who does it.

        What is revoked stays revoked since the first time. Raises ``KeyError``.
        """
        with self._lock:
            self._by_id[number]
            with self._database.transaction() as connection:
                connection.execute(
                    "UPDATE tokens SET revoked_at = ?, revoked_by = ? WHERE id = ? AND revoked_at IS NULL",
                    (self._clock(), by, number),
                )
            self._reload()
            return self._by_id[number]

    def describe(self, number: int, description: str | None) -> TokenRecord:
        """Give it another description. Raises ``KeyError``."""
        with self._lock:
            self._by_id[number]
            with self._database.transaction() as connection:
                connection.execute("UPDATE tokens SET description = ? WHERE id = ?", (description, number))
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

    def reload(self) -> None:
        """Read all anew: users changed, or a deployment was deleted, and the grants with them."""
        with self._lock:
            self._reload()

    def _reload(self) -> None:
        own = self._database.rows("SELECT token_id AS holder, id, scope, deployment_id FROM grants ORDER BY id")
        users = self._database.rows(
            "SELECT user_id AS holder, id, scope, deployment_id, role FROM user_grants ORDER BY id"
        )
        by_token, by_user = _grants_by_holder(own), _grants_by_holder(users)
        records = [
            TokenRecord(
                **dict(row),
                grants=by_user.get(row["user_id"], ()) if row["kind"] == "user" else by_token.get(row["id"], ()),
            )
            for row in self._database.rows(f"SELECT {_COLUMNS} FROM tokens ORDER BY id")  # noqa: S608
        ]
        self._by_id = {record.id: record for record in records}
        self._by_digest = {record.digest: record for record in records}


def _digest(value: str) -> str:
    # No salt and no stretching: the value has 256 random bits, so there is nothing to guess.
    return hashlib.sha256(value.encode()).hexdigest()


def _grants_by_holder(rows: Sequence[sqlite3.Row]) -> dict[int, tuple[Grant, ...]]:
    found: dict[int, list[Grant]] = {}
    for row in rows:
        grant = {name: row[name] for name in row.keys() if name != "holder"}  # noqa: SIM118 (a row iterates its values)
        found.setdefault(row["holder"], []).append(Grant(**grant))
    return {holder: tuple(grants) for holder, grants in found.items()}


def _insert_grant(connection: sqlite3.Connection, token: int | None, scope: Scope, deployment_id: int | None) -> None:
    connection.execute(
        "INSERT OR IGNORE INTO grants (token_id, scope, deployment_id) VALUES (?, ?, ?)", (token, scope, deployment_id)
    )
