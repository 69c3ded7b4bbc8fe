"""Secrets: environment variables whose values agents hand to user code.

Rests on: ``docs`` for what a name and a value may be, for how many there may be and for secrets of branch deployments
being kept with their full deployment (deployment/dagster-plus/management/environment-variables); ``schema`` for the
scopes; ``client`` for a secret of one location going before one of all locations (dagster_cloud/secrets/loader.py) and
for writing by scope and location (dagster_dg_cli/cli/plus/create/env.py); ``invented``: two secrets of one name may
not meet (have a scope in common and either both no location or one in common), the scope of one branch deployment goes
before that of all, and values are kept as they are, in the file that the data folder's rights protect.
"""

from __future__ import annotations

import json
import re
import sqlite3
import threading
import time
import uuid
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from hybrid.emulator.errors import EmulatorError
from hybrid.emulator.organization.database import Database
from hybrid.emulator.organization.deployments import Deployment

MOST: Final = 1_000
LONGEST_NAME: Final = 512
LONGEST_VALUE: Final = 4_096  # bytes
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_BUILT_IN: Final = frozenset(
    {"DAGSTER_CLOUD_DEPLOYMENT_NAME", "DAGSTER_CLOUD_IS_BRANCH_DEPLOYMENT"}
    | {f"DAGSTER_CLOUD_GIT_{part}" for part in ("SHA", "TIMESTAMP", "AUTHOR_EMAIL", "AUTHOR_NAME", "MESSAGE")}
    | {"DAGSTER_CLOUD_GIT_BRANCH", "DAGSTER_CLOUD_GIT_REPO"}
    | {"DAGSTER_CLOUD_PULL_REQUEST_ID", "DAGSTER_CLOUD_PULL_REQUEST_STATUS"}
)


class SecretError(EmulatorError):
    """A secret is not taken; the text never has its value."""


class SecretTakenError(SecretError):
    """There is one of that name for the same scope and location."""


class TooManySecretsError(SecretError):
    """The deployment has as many as it may have."""


class NoSuchSecretError(SecretError):
    """The deployment has none of that id."""


@dataclass(frozen=True)
class Scopes:
    """Where a secret is for. ``branch`` is the name of one branch deployment."""

    full: bool = False
    all_branches: bool = False
    branch: str | None = None
    local: bool = False

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Scopes:
        """Of a ``SecretScopesInput``."""
        return cls(
            full=bool(given.get("fullDeploymentScope")),
            all_branches=bool(given.get("allBranchDeploymentsScope")),
            branch=given.get("specificBranchDeploymentScope") or None,
            local=bool(given.get("localDeploymentScope")),
        )

    def __bool__(self) -> bool:
        return self.full or self.all_branches or self.local or self.branch is not None

    def __and__(self, other: Scopes) -> Scopes:
        return Scopes(
            self.full and other.full,
            self.all_branches and other.all_branches,
            self.branch if self.branch == other.branch else None,
            self.local and other.local,
        )

    def __sub__(self, other: Scopes) -> Scopes:
        return Scopes(
            self.full and not other.full,
            self.all_branches and not other.all_branches,
            self.branch if self.branch != other.branch else None,
            self.local and not other.local,
        )


@dataclass(frozen=True)
class NewSecret:
    """A secret as it is asked for. No ``locations`` means all. The value is not shown by ``repr``."""

    name: str
    value: str = field(repr=False)
    scopes: Scopes
    locations: tuple[str, ...] = ()


@dataclass(frozen=True)
class Secret(NewSecret):
    """A secret of a full deployment. ``updated_by`` is a user's id; ``updated_at`` in seconds since the epoch."""

    id: str = ""
    deployment: str = ""
    updated_by: int | None = None
    updated_at: float = 0.0

    def is_for(self, location: str | None) -> bool:
        """Whether a location gets it; no location, what belongs to none."""
        return not self.locations or location in self.locations

    def meets(self, other: NewSecret) -> bool:
        """Whether both would be given for the same name, scope and place, so that neither goes before the other."""
        same_place = bool(set(self.locations) & set(other.locations)) or not (self.locations or other.locations)
        return self.name == other.name and same_place and bool(self.scopes & other.scopes)


class Secrets:
    """The secrets of the organization, written through to the database and read from memory. Thread-safe.

    A change raises ``SecretError`` or one of its kinds, and then changes nothing.
    """

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock
        self._lock = threading.RLock()
        rows = database.rows("SELECT * FROM secrets ORDER BY name, updated_at, id")
        self._by_id = {row["id"]: _secret(row) for row in rows}

    def all(self, deployment: Deployment) -> list[Secret]:
        """The secrets of a full deployment, by name."""
        with self._lock:
            found = [secret for secret in self._by_id.values() if secret.deployment == deployment.name]
        return sorted(found, key=lambda secret: (secret.name, secret.locations, secret.id))

    def for_code(self, deployment: Deployment, parent: Deployment | None, location: str | None) -> list[Secret]:
        """What the code of ``location`` in ``deployment`` gets, at most one a name: the most specific.

        ``parent`` is the full deployment of a branch deployment, whose secrets these are. Without a location: what is
        for all.
        """
        best: dict[str, Secret] = {}
        for secret in self.all(parent or deployment):
            if not secret.is_for(location) or not _reaches(secret.scopes, deployment):
                continue
            known = best.get(secret.name)
            if known is None or _rank(secret, deployment) > _rank(known, deployment):
                best[secret.name] = secret
        return list(best.values())

    def create(self, deployment: Deployment, wanted: NewSecret, by: int | None = None) -> Secret:
        """A new secret. Raises ``SecretTakenError`` when it meets another."""
        with self._lock:
            secret = self._made(deployment, wanted, by)
            self._replace([], [secret])
            return secret

    def update(self, deployment: Deployment, number: str, wanted: NewSecret, by: int | None = None) -> Secret:
        """Make the secret of that id another. Raises ``NoSuchSecretError``."""
        with self._lock:
            before = self._there(deployment, number)
            secret = replace(self._made(deployment, wanted, by, instead_of=[before]), id=before.id)
            self._replace([before], [secret])
            return secret

    def delete(self, deployment: Deployment, number: str) -> None:
        """Raises ``NoSuchSecretError``."""
        with self._lock:
            self._replace([self._there(deployment, number)], [])

    def put(self, deployment: Deployment, wanted: NewSecret, by: int | None = None) -> Secret:
        """Let ``wanted`` hold in its scopes for its place, whatever there was.

        One of the same name and place loses those scopes, and goes when it has none left. Raises ``SecretTakenError``
        when one of several locations is in the way.
        """
        with self._lock:
            met = [known for known in self.all(deployment) if known.meets(wanted)]
            for known in met:
                if set(known.locations) != set(wanted.locations):
                    raise SecretTakenError(
                        f"The environment variable {wanted.name} is set for several locations at once: "
                        f"{', '.join(known.locations)}.",
                        next_step="change that one, by its id.",
                    )
            kept = [replace(known, scopes=known.scopes - wanted.scopes) for known in met]
            absorbed = next((known for known, left in zip(met, kept, strict=True) if not left.scopes), None)
            secret = self._made(deployment, wanted, by, instead_of=met)
            secret = replace(secret, id=absorbed.id) if absorbed else secret
            self._replace(met, [*(left for left in kept if left.scopes), secret])
            return secret

    def sync(
        self, deployment: Deployment, wanted: Sequence[NewSecret], by: int | None = None
    ) -> tuple[list[Secret], list[str]]:
        """Let the deployment have ``wanted`` and no others. Returns these, and the names of those that went.

        One that keeps its name, scopes and locations keeps its id.
        """
        with self._lock:
            before = self.all(deployment)
            made: list[Secret] = []
            for one in wanted:
                same = next((known for known in before if _same_place(known, one)), None)
                secret = self._made(deployment, one, by, instead_of=before, beside=made)
                made.append(replace(secret, id=same.id) if same else secret)
            self._replace(before, made)
            names = {secret.name for secret in made}
            return made, sorted({known.name for known in before} - names)

    def forget(self, deployment: str) -> None:
        """The deployment was deleted, its rows with it."""
        with self._lock:
            self._by_id = {key: secret for key, secret in self._by_id.items() if secret.deployment != deployment}

    def _made(
        self,
        deployment: Deployment,
        wanted: NewSecret,
        by: int | None,
        *,
        instead_of: Collection[Secret] = (),
        beside: Iterable[Secret] = (),
    ) -> Secret:
        _check(wanted)
        gone = {known.id for known in instead_of}
        others = [*(known for known in self.all(deployment) if known.id not in gone), *beside]
        for known in others:
            if known.meets(wanted):
                raise SecretTakenError(
                    f"There is an environment variable {wanted.name} for the same scope and location already.",
                    next_step="change that one, or choose scopes or locations that they do not share.",
                )
        if len(others) >= MOST:
            raise TooManySecretsError(f"A deployment has at most {MOST} environment variables.")
        return Secret(
            wanted.name,
            wanted.value,
            wanted.scopes,
            tuple(dict.fromkeys(wanted.locations)),
            id=uuid.uuid4().hex,
            deployment=deployment.name,
            updated_by=by,
            updated_at=self._clock(),
        )

    def _there(self, deployment: Deployment, number: str) -> Secret:
        secret = self._by_id.get(number)
        if secret is None or secret.deployment != deployment.name:
            raise NoSuchSecretError(f"The deployment '{deployment.name}' has no environment variable of that id.")
        return secret

    def _replace(self, gone: Iterable[Secret], come: Iterable[Secret]) -> None:
        gone, come = list(gone), list(come)
        with self._database.transaction() as connection:
            for secret in gone:
                connection.execute("DELETE FROM secrets WHERE id = ?", (secret.id,))
            for secret in come:
                connection.execute("INSERT INTO secrets VALUES (?, ?, ?, ?, ?, ?, ?, ?)", _row(secret))
        self._by_id = {
            **{key: known for key, known in self._by_id.items() if key not in {secret.id for secret in gone}},
            **{secret.id: secret for secret in come},
        }


def _check(wanted: NewSecret) -> None:
    """Raises ``SecretError`` when the secret cannot be one."""
    shown = wanted.name[:80]
    if len(wanted.name) > LONGEST_NAME or not _NAME.fullmatch(wanted.name):
        raise SecretError(
            f"'{shown}' cannot be the name of an environment variable.",
            why=f"It takes up to {LONGEST_NAME} letters, digits and underscores, no digit first.",
        )
    if wanted.name in _BUILT_IN:
        raise SecretError(f"{shown} is set by Dagster+ itself.", next_step="choose another name.")
    if len(wanted.value.encode("utf-8", "surrogatepass")) > LONGEST_VALUE or "\0" in wanted.value:
        raise SecretError(
            f"The value of {shown} cannot be an environment variable's.",
            why=f"It takes at most {LONGEST_VALUE} bytes, and no NUL.",
        )
    if not wanted.scopes:
        raise SecretError(f"{shown} has no scope.", next_step="say for which deployments it is: full, branch or local.")
    if not all(isinstance(name, str) and name for name in wanted.locations):
        raise SecretError(f"{shown} names a location without a name.")


def _reaches(scopes: Scopes, deployment: Deployment) -> bool:
    return scopes.all_branches or scopes.branch == deployment.name if deployment.is_branch else scopes.full


def _rank(secret: Secret, deployment: Deployment) -> tuple[bool, bool]:
    return (bool(secret.locations), deployment.is_branch and secret.scopes.branch == deployment.name)


def _same_place(known: Secret, wanted: NewSecret) -> bool:
    return (known.name, known.scopes, set(known.locations)) == (wanted.name, wanted.scopes, set(wanted.locations))


def _secret(row: sqlite3.Row) -> Secret:
    return Secret(
        row["name"],
        row["value"],
        Scopes(**json.loads(row["scopes"])),
        tuple(json.loads(row["locations"])),
        id=row["id"],
        deployment=row["deployment"],
        updated_by=row["updated_by"],
        updated_at=row["updated_at"],
    )


def _row(secret: Secret) -> tuple[Any, ...]:
    return (
        secret.id,
        secret.deployment,
        secret.name,
        secret.value,
        json.dumps(vars(secret.scopes)),
        json.dumps(secret.locations),
        secret.updated_by,
        secret.updated_at,
    )
