"""Users of the organization and their roles.

Rests on: ``schema`` for what a user has; ``docs`` for a removed user losing everything; ``invented``: nobody signs in
with an account here, so a user is an e-mail address that roles and tokens belong to. One user, the administrator, is
there from the start and stays what he is, so that the organization always has one who may administer it.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from hybrid.emulator.errors import EmulatorError
from hybrid.emulator.organization.database import Database
from hybrid.emulator.organization.grants import Grant, Role, Scope
from hybrid.emulator.organization.tokens import Tokens

ADMINISTRATOR: Final = "administrator@local"
_EMAIL: Final = re.compile(r"[^\s@\x00-\x1f\x7f]{1,64}@[A-Za-z0-9.-]{1,190}")


class EmailError(EmulatorError):
    """The text cannot be an e-mail address."""


class AdministratorError(EmulatorError):
    """The administrator would be removed, or be no administrator any more."""


@dataclass(frozen=True)
class UserRecord:
    """A user. Times in seconds since the epoch; one who was removed has no grants."""

    id: int
    email: str
    name: str | None
    created_at: float
    removed_at: float | None
    grants: tuple[Grant, ...]


class Users:
    """All users, written through to the database and read from memory. Thread-safe.

    A change counts for ``tokens`` as soon as the method returns.
    """

    def __init__(self, database: Database, tokens: Tokens, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._tokens = tokens
        self._clock = clock
        self._lock = threading.RLock()
        self._by_id: dict[int, UserRecord] = {}
        self.reload()

    @property
    def administrator(self) -> UserRecord:
        """Whoever can read the data folder."""
        return self._there(ADMINISTRATOR)

    def all(self) -> tuple[UserRecord, ...]:
        """Those who were not removed, oldest first."""
        return tuple(user for user in self._by_id.values() if user.removed_at is None)

    def get(self, number: int | None) -> UserRecord | None:
        """The user of that id, also one who was removed."""
        return self._by_id.get(number) if number is not None else None

    def named(self, email: str) -> UserRecord | None:
        """The user with that e-mail address, whatever the case of its letters."""
        wanted = _normalized(email)
        return next((user for user in self.all() if user.email == wanted), None)

    def add(self, email: str, roles: Iterable[tuple[Role, Scope, int | None]] = ()) -> UserRecord:
        """A new user with ``roles`` (role, scope, deployment's id); one who is there already stays as he is.

        One who was removed comes back with ``roles`` only: his former grants and tokens do not. Raises ``EmailError``.
        """
        wanted = _checked(email)
        with self._lock:
            if self.named(wanted) is None:
                with self._database.transaction() as connection:
                    connection.execute(
                        "INSERT INTO users (email, created_at) VALUES (?, ?)"
                        " ON CONFLICT (email) DO UPDATE SET removed_at = NULL",
                        (wanted, self._clock()),
                    )
                    connection.executemany(
                        "INSERT INTO user_grants (user_id, role, scope, deployment_id)"
                        " SELECT id, ?, ?, ? FROM users WHERE email = ?",
                        [(*role, wanted) for role in roles],
                    )
                self._changed()
            return self._there(wanted)

    def grant(self, email: str, role: Role, scope: Scope, deployment_id: int | None) -> UserRecord:
        """Give ``role`` in that scope, instead of the one that was there.

        Raises ``KeyError``, and ``AdministratorError`` when it would take the administrator's role away.
        """
        with self._lock:
            user = self._there(email)
            if user.email == ADMINISTRATOR and scope == "ORGANIZATION" and role != "ADMIN":
                raise _administrator_stays()
            with self._database.transaction() as connection:
                connection.execute(
                    "DELETE FROM user_grants WHERE user_id = ? AND scope = ? AND deployment_id IS ?",
                    (user.id, scope, deployment_id),
                )
                connection.execute(
                    "INSERT INTO user_grants (user_id, role, scope, deployment_id) VALUES (?, ?, ?, ?)",
                    (user.id, role, scope, deployment_id),
                )
            return self._changed(user.id)

    def withdraw(self, email: str, scope: Scope, deployment_id: int | None) -> UserRecord:
        """Take the role in that scope away; one that is not there is no error. Raises as ``grant`` does."""
        with self._lock:
            user = self._there(email)
            if user.email == ADMINISTRATOR and scope == "ORGANIZATION":
                raise _administrator_stays()
            with self._database.transaction() as connection:
                connection.execute(
                    "DELETE FROM user_grants WHERE user_id = ? AND scope = ? AND deployment_id IS ?",
                    (user.id, scope, deployment_id),
                )
            return self._changed(user.id)

    def remove(self, email: str, by: int | None = None) -> UserRecord:
        """Take all roles away and revoke all tokens; ``by`` is the id of the user who does it.

        Raises ``KeyError``, and ``AdministratorError`` for the administrator.
        """
        with self._lock:
            user = self._there(email)
            if user.email == ADMINISTRATOR:
                raise _administrator_stays()
            now = self._clock()
            with self._database.transaction() as connection:
                connection.execute("UPDATE users SET removed_at = ? WHERE id = ?", (now, user.id))
                connection.execute("DELETE FROM user_grants WHERE user_id = ?", (user.id,))
                connection.execute(
                    "UPDATE tokens SET revoked_at = ?, revoked_by = ? WHERE user_id = ? AND kind = 'user'"
                    " AND revoked_at IS NULL",
                    (now, by, user.id),
                )
            return self._changed(user.id)

    def reload(self) -> None:
        """Read all anew: a deployment was deleted, and the grants for it."""
        grants: dict[int, list[Grant]] = {}
        with self._lock:
            for row in self._database.rows(
                "SELECT user_id, id, scope, deployment_id, role FROM user_grants ORDER BY id"
            ):
                grant = Grant(row["id"], row["scope"], row["deployment_id"], row["role"])
                grants.setdefault(row["user_id"], []).append(grant)
            rows = self._database.rows("SELECT id, email, name, created_at, removed_at FROM users ORDER BY id")
            self._by_id = {row["id"]: UserRecord(**dict(row), grants=tuple(grants.get(row["id"], ()))) for row in rows}

    def _changed(self, number: int | None = None) -> UserRecord:
        self._tokens.reload()
        self.reload()
        return self._by_id[number] if number is not None else self.administrator

    def _there(self, email: str) -> UserRecord:
        user = self.named(email)
        if user is None:
            raise KeyError(email)
        return user


def _normalized(email: str) -> str:
    return email.strip().lower()


def _checked(email: str) -> str:
    wanted = _normalized(email)
    if not _EMAIL.fullmatch(wanted) or not wanted.isprintable():
        raise EmailError(
            f"'{email[:80]}' cannot be a user's e-mail address.",
            why="It takes a name, an @ and a host, without spaces.",
            next_step="give the address as name@host.",
        )
    return wanted


def _administrator_stays() -> AdministratorError:
    return AdministratorError(
        f"{ADMINISTRATOR} stays an administrator of the organization.",
        why="It is whoever can read the embedded Dagster+'s data folder.",
        next_step="revoke single tokens of it instead.",
    )
