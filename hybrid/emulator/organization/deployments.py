"""The organization and its deployments: full ones, and branch deployments of them.

Rests on: ``schema`` for the fields (``DagsterCloudDeployment``, ``DagsterCloudOrganization``) and for a branch
deployment being known by its repository and branch; ``invented``: the numbers, the names of branch deployments (40
hexadecimal digits of repository, branch and parent), that a deleted deployment leaves nothing behind, and how many
commits of a branch deployment are listed.
"""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from hybrid.emulator.errors import DataFolderError, EmulatorError
from hybrid.emulator.organization.database import Database

AgentType = Literal["HYBRID", "SERVERLESS"]
COMMITS_KEPT: Final = 50
_NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,62})")
_TAKEN: Final = frozenset(
    # A deployment's name is the first part of a path, and so are these: the emulator's own, and the stock UI's pages.
    {"graphql", "health", "hybrid", "presigned"}
    | {"asset-groups", "assets", "automation", "backfills", "catalog", "concurrency", "config", "definitions"}
    | {"deployment", "home", "instance", "instigators", "integrations", "jobs", "lineage"}
    | {"locations", "logs", "nodes", "notebook", "overview", "partitions", "pipelines", "resources", "robots"}
    | {"runs", "schedules", "search", "selection", "sensors", "server_info", "settings", "snapshots", "static"}
    | {"timeline", "workspace"}
)
_COLUMNS: Final = "id, name, type, agent_type, settings, parent_id, git, commits, created_at, agent_type_since"


class DeploymentError(EmulatorError):
    """A deployment cannot be made or changed so; the text says why."""


class DuplicateDeploymentError(DeploymentError):
    """The name is taken."""


@dataclass(frozen=True)
class Deployment:
    """A deployment. ``type`` and ``agent_type`` are values of the public schema's enums.

    ``settings`` is its settings document. Of a branch deployment: ``parent_id`` is the full deployment's, ``git`` has
    the fields of ``CreateOrUpdateBranchDeploymentInput`` (``repoName``, ``branchName``, …) and ``commits``, the latest
    first, those of ``DeploymentCommitInput``. Times in seconds since the epoch; ``agent_type_since`` is when
    ``agent_type`` was last changed, or 0.
    """

    id: int
    name: str
    type: str
    agent_type: AgentType
    settings: dict[str, Any]
    parent_id: int | None
    git: dict[str, Any] | None
    commits: tuple[dict[str, Any], ...]
    created_at: float
    agent_type_since: float

    @property
    def is_branch(self) -> bool:
        return self.type == "BRANCH"


Listener = Callable[[Deployment], None]


class Deployments:
    """The deployments of the organization, written through to the database and read from memory. Thread-safe.

    Listeners are called in the thread that made the change, after it was committed.
    """

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock
        self._lock = threading.RLock()
        self._on_change: list[Listener] = []
        self._on_delete: list[Listener] = []
        self._by_id: dict[int, Deployment] = {}
        self._by_name: dict[str, Deployment] = {}
        self._reload()

    def all(self) -> tuple[Deployment, ...]:
        """Oldest first, the organization's first deployment before all."""
        return tuple(self._by_id.values())

    def full(self) -> tuple[Deployment, ...]:
        return tuple(found for found in self.all() if not found.is_branch)

    def branches(self) -> tuple[Deployment, ...]:
        return tuple(found for found in self.all() if found.is_branch)

    def named(self, name: str) -> Deployment | None:
        return self._by_name.get(name)

    def numbered(self, number: int) -> Deployment | None:
        return self._by_id.get(number)

    def parent(self, deployment: Deployment) -> Deployment | None:
        """The full deployment that a branch deployment is of."""
        return self._by_id.get(deployment.parent_id) if deployment.parent_id is not None else None

    def when_changed(self, listener: Listener) -> None:
        """Call ``listener`` with each deployment that is made or changed, as it is then."""
        self._on_change.append(listener)

    def when_deleted(self, listener: Listener) -> None:
        """Call ``listener`` with each deployment that was deleted."""
        self._on_delete.append(listener)

    def create(self, name: str, agent_type: AgentType = "HYBRID") -> Deployment:
        """A new full deployment. Raises ``DeploymentError`` when the name cannot be one or is taken."""
        check_name(name)
        with self._lock:
            if name in self._by_name:
                raise DuplicateDeploymentError(f"There is a deployment '{name}' already.")
            with self._database.transaction() as connection:
                number = _insert(connection, name, "PRODUCTION", agent_type, self._clock())
        return self._changed(number)

    def put_branch(self, parent: Deployment, git: Mapping[str, Any], commit: Mapping[str, Any]) -> Deployment:
        """The branch deployment of ``git["repoName"]`` and ``git["branchName"]``, made first if it is not there.

        A commit that is listed already moves to the front.
        """
        name = branch_name(parent, str(git["repoName"]), str(git["branchName"]))
        with self._lock:
            before = self._by_name.get(name)
            older = [known for known in (before.commits if before else ()) if _hash(known) != _hash(commit)]
            commits = json.dumps([dict(commit), *older][:COMMITS_KEPT])
            with self._database.transaction() as connection:
                number = before.id if before else _insert(connection, name, "BRANCH", parent.agent_type, self._clock())
                connection.execute(
                    "UPDATE deployments SET parent_id = ?, git = ?, commits = ?, agent_type = ? WHERE id = ?",
                    (parent.id, json.dumps(dict(git)), commits, parent.agent_type, number),
                )
        return self._changed(number)

    def set_agent_type(self, number: int, agent_type: AgentType) -> Deployment:
        """Change it, for the branch deployments of a full deployment too. Raises ``KeyError``."""
        with self._lock:
            before = self._by_id[number]
            if before.agent_type == agent_type:
                return before
            with self._database.transaction() as connection:
                connection.execute(
                    "UPDATE deployments SET agent_type = ?, agent_type_since = ? WHERE id = ? OR parent_id = ?",
                    (agent_type, self._clock(), number, number),
                )
            branches = [found.id for found in self.branches() if found.parent_id == number]
        changed = self._changed(number)
        for branch in branches:
            self._changed(branch)
        return changed

    def set_settings(self, number: int, settings: Mapping[str, Any]) -> Deployment:
        """Replace the settings document. Raises ``KeyError``."""
        with self._lock:
            self._by_id[number]
            with self._database.transaction() as connection:
                connection.execute(
                    "UPDATE deployments SET settings = ? WHERE id = ?", (json.dumps(dict(settings)), number)
                )
        return self._changed(number)

    def delete(self, number: int) -> Deployment:
        """Delete it with all that is known of it; a full deployment's branch deployments go with it.

        Raises ``KeyError``, and ``DeploymentError`` for the organization's first deployment: clients that name no
        deployment mean that one.
        """
        with self._lock:
            deployment = self._by_id[number]
            if deployment == self.all()[0]:
                raise DeploymentError(
                    f"The deployment '{deployment.name}' is the one that this embedded Dagster+ was founded with; "
                    "it stays."
                )
            gone = [*(found for found in self.branches() if found.parent_id == number), deployment]
            with self._database.transaction() as connection:
                for found in gone:
                    _delete(connection, found)
            self._reload()
        for found in gone:
            for listener in self._on_delete:
                listener(found)
        return deployment

    def _changed(self, number: int) -> Deployment:
        with self._lock:
            self._reload()
            changed = self._by_id[number]
        for listener in self._on_change:
            listener(changed)
        return changed

    def _reload(self) -> None:
        rows = self._database.rows(f"SELECT {_COLUMNS} FROM deployments ORDER BY id")  # noqa: S608
        records = [_deployment(row) for row in rows]
        self._by_id = {record.id: record for record in records}
        self._by_name = {record.name: record for record in records}


@dataclass(frozen=True)
class Identity:
    """The organization's own row."""

    public_id: str
    name: str


def founded(
    database: Database, organization: str, deployment: str, agent_type: AgentType = "HYBRID"
) -> tuple[Identity, Deployments]:
    """The organization in ``database``, founded with ``deployment`` if there is none yet.

    ``agent_type`` is for founding only; later it is changed as on Dagster+, by the API. Raises ``DeploymentError`` when
    a name cannot be one, and ``DataFolderError`` when another organization or first deployment lives there: tokens
    and locations carry the names, so they are not changed under them.
    """
    for name in (organization, deployment):
        check_name(name)
    with database.transaction() as connection:
        row = connection.execute("SELECT public_id, name FROM organization").fetchone()
        if row is None:
            connection.execute(
                "INSERT INTO organization (id, public_id, name) VALUES (1, ?, ?)", (uuid.uuid4().hex, organization)
            )
            _insert(connection, deployment, "PRODUCTION", agent_type, time.time())
            row = connection.execute("SELECT public_id, name FROM organization").fetchone()
    deployments = Deployments(database)
    there, asked = f"{row['name']}/{deployments.all()[0].name}", f"{organization}/{deployment}"
    if there != asked:
        raise DataFolderError(
            f"{database.path.parent} holds {there}, and {asked} was asked for.",
            why="Its tokens and locations carry those names.",
            next_step=f"serve {there} from it, or give another data folder.",
        )
    return Identity(row["public_id"], row["name"]), deployments


def check_name(name: str) -> None:
    """Raises ``DeploymentError`` when an organization or a deployment cannot be called that."""
    if not _NAME.fullmatch(name) or name in _TAKEN:
        raise DeploymentError(
            f"'{name[:80]}' cannot be the name of an organization or deployment here.",
            why="It takes up to 63 letters, digits, dashes and underscores, a letter or digit first, and may not be a "
            "path of the embedded Dagster+ or of its UI, as graphql, hybrid or runs.",
            next_step="choose another name.",
        )


def built_in_environment(deployment: Deployment) -> dict[str, str]:
    """What code of a deployment finds set in its environment.

    Rests on ``docs`` for the names
    (https://docs.dagster.io/dagster-plus/managing-deployments/reserved-environment-variables); ``invented``: ``0`` for
    a full deployment, and that what is not known is not set. A branch deployment's are those of its latest commit.
    """
    git, commit = deployment.git or {}, dict(deployment.commits[0]) if deployment.commits else {}
    timestamp = commit.get("timestamp")
    found: dict[str, Any] = {
        "DAGSTER_CLOUD_DEPLOYMENT_NAME": deployment.name,
        "DAGSTER_CLOUD_IS_BRANCH_DEPLOYMENT": "1" if deployment.is_branch else "0",
        "DAGSTER_CLOUD_GIT_SHA": commit.get("commitHash"),
        "DAGSTER_CLOUD_GIT_TIMESTAMP": None if timestamp is None else int(timestamp),
        "DAGSTER_CLOUD_GIT_AUTHOR_EMAIL": commit.get("authorEmail"),
        "DAGSTER_CLOUD_GIT_AUTHOR_NAME": commit.get("authorName"),
        "DAGSTER_CLOUD_GIT_MESSAGE": commit.get("commitMessage"),
        "DAGSTER_CLOUD_GIT_BRANCH": git.get("branchName"),
        "DAGSTER_CLOUD_GIT_REPO": git.get("repoName"),
        "DAGSTER_CLOUD_PULL_REQUEST_ID": git.get("pullRequestNumber"),
        "DAGSTER_CLOUD_PULL_REQUEST_STATUS": git.get("pullRequestStatus"),
    }
    return {name: str(value) for name, value in found.items() if value is not None}


def branch_name(parent: Deployment, repository: str, branch: str) -> str:
    """What the branch deployment of that branch is called."""
    known_by = json.dumps([parent.id, repository, branch])
    return hashlib.sha1(known_by.encode(), usedforsecurity=False).hexdigest()


def _hash(commit: Mapping[str, Any]) -> Any:
    return commit.get("commitHash")


def _insert(connection: sqlite3.Connection, name: str, kind: str, agent_type: str, now: float) -> int:
    cursor = connection.execute(
        "INSERT INTO deployments (name, type, agent_type, created_at) VALUES (?, ?, ?, ?)",
        (name, kind, agent_type, now),
    )
    return int(cursor.lastrowid or 0)


def _delete(connection: sqlite3.Connection, deployment: Deployment) -> None:
    for table in ("locations", "agents", "requests", "secrets", "alert_policies", "issues", "definitions_state"):
        connection.execute(f"DELETE FROM {table} WHERE deployment = ?", (deployment.name,))  # noqa: S608
    for table in ("grants", "user_grants"):
        connection.execute(f"DELETE FROM {table} WHERE deployment_id = ?", (deployment.id,))  # noqa: S608
    connection.execute("DELETE FROM deployments WHERE id = ?", (deployment.id,))


def _deployment(row: sqlite3.Row) -> Deployment:
    return Deployment(
        id=row["id"],
        name=row["name"],
        type=row["type"],
        agent_type=row["agent_type"],
        settings=json.loads(row["settings"]),
        parent_id=row["parent_id"],
        git=json.loads(row["git"]) if row["git"] else None,
        commits=tuple(json.loads(row["commits"])),
        created_at=row["created_at"],
        agent_type_since=row["agent_type_since"],
    )
