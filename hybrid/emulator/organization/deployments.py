"""The organization and its deployment.

Rests on: ``schema`` for the fields (``DagsterCloudDeployment``, ``DagsterCloudOrganization``); ``invented`` that there
is exactly one full deployment, that it is HYBRID from the start, and the numbers.
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from typing import Final

from hybrid.emulator.errors import DataFolderError, EmulatorError
from hybrid.emulator.organization.database import Database

_NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,62})")
_TAKEN: Final = frozenset({"graphql", "health", "hybrid"})  # paths, as a deployment's name is one


@dataclass(frozen=True)
class Deployment:
    """A full deployment. ``type`` and ``agent_type`` are values of the public schema's enums."""

    id: int
    name: str
    type: str
    agent_type: str


class Deployments:
    """The deployments of the organization; they do not change while it serves."""

    def __init__(self, records: tuple[Deployment, ...]) -> None:
        self._by_name = {record.name: record for record in records}
        self._by_id = {record.id: record for record in records}

    def all(self) -> tuple[Deployment, ...]:
        return tuple(self._by_name.values())

    def named(self, name: str) -> Deployment | None:
        return self._by_name.get(name)

    def numbered(self, number: int) -> Deployment | None:
        return self._by_id.get(number)


@dataclass(frozen=True)
class Identity:
    """The organization's own row."""

    public_id: str
    name: str


def founded(database: Database, organization: str, deployment: str) -> tuple[Identity, Deployments]:
    """The organization in ``database``, founded with ``deployment`` if there is none yet.

    Raises ``EmulatorError`` when a name cannot be one, and ``DataFolderError`` when another organization or deployment
    lives there: tokens and locations carry the names, so they are not changed under them.
    """
    for name in (organization, deployment):
        _check_name(name)
    with database.transaction() as connection:
        row = connection.execute("SELECT public_id, name FROM organization").fetchone()
        if row is None:
            connection.execute(
                "INSERT INTO organization (id, public_id, name) VALUES (1, ?, ?)", (uuid.uuid4().hex, organization)
            )
            connection.execute(
                "INSERT INTO deployments (name, type, agent_type) VALUES (?, 'PRODUCTION', 'HYBRID')", (deployment,)
            )
            row = connection.execute("SELECT public_id, name FROM organization").fetchone()
        records = tuple(
            Deployment(**dict(found))
            for found in connection.execute("SELECT id, name, type, agent_type FROM deployments ORDER BY id")
        )
    there, asked = f"{row['name']}/{records[0].name}", f"{organization}/{deployment}"
    if there != asked:
        raise DataFolderError(
            f"{database.path.parent} holds {there}, and {asked} was asked for.",
            next_step="give the names it was founded with, or another data folder.",
        )
    return Identity(public_id=row["public_id"], name=row["name"]), Deployments(records)


def _check_name(name: str) -> None:
    """Names become part of tokens and of paths."""
    if not _NAME.fullmatch(name) or name in _TAKEN:
        raise EmulatorError(
            f"'{name}' cannot be the name of an organization or deployment here.",
            why=f"It takes letters, digits, dashes and underscores, and none of {', '.join(sorted(_TAKEN))}.",
            next_step="choose another name.",
        )
