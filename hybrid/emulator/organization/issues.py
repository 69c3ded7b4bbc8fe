"""Issues: notes on what is wrong with a deployment, with the runs and assets that they are about.

Rests on: ``client`` for the fields and the filter (dagster_rest_resources/queries/issue.graphql and
…/__generated__/input_types.py); ``invented``: an issue is its deployment's, its id is a number, a new one is OPEN, and
the latest is listed first.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from hybrid.emulator.errors import EmulatorError
from hybrid.emulator.organization.database import Database
from hybrid.emulator.organization.deployments import Deployment

LONGEST_TITLE: Final = 500
LONGEST_TEXT: Final = 100_000


class IssueError(EmulatorError):
    """An issue cannot be made or changed so."""


@dataclass(frozen=True)
class Link:
    """What an issue is about: a run by its id, or an asset by its key."""

    run_id: str | None = None
    asset_key: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Issue:
    """An issue. ``created_by`` is a user's id; ``created_at`` in seconds since the epoch."""

    id: int
    deployment: str
    title: str
    description: str
    status: str
    context: str | None
    links: tuple[Link, ...]
    created_by: int | None
    created_at: float


class Issues:
    """The issues of the organization. Thread-safe."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock
        self._lock = threading.Lock()

    def get(self, deployment: Deployment, number: str) -> Issue | None:
        rows = self._database.rows(
            "SELECT * FROM issues WHERE deployment = ? AND CAST(id AS TEXT) = ?", (deployment.name, number)
        )
        return _issue(rows[0]) if rows else None

    def page(
        self,
        deployment: Deployment,
        limit: int,
        before: int | None = None,
        *,
        statuses: Collection[str] | None = None,
        created_by: int | None = None,
        created_after: float | None = None,
        created_before: float | None = None,
    ) -> tuple[list[Issue], bool]:
        """At most ``limit``, those older than the issue ``before``; and whether there are more."""
        found = [
            issue
            for issue in map(
                _issue,
                self._database.rows("SELECT * FROM issues WHERE deployment = ? ORDER BY id DESC", (deployment.name,)),
            )
            if (before is None or issue.id < before)
            and (statuses is None or issue.status in statuses)
            and (created_by is None or issue.created_by == created_by)
            and (created_after is None or issue.created_at > created_after)
            and (created_before is None or issue.created_at < created_before)
        ]
        return found[: max(0, limit)], len(found) > max(0, limit)

    def create(
        self,
        deployment: Deployment,
        title: str,
        description: str,
        status: str | None = None,
        link: Link | None = None,
        by: int | None = None,
    ) -> Issue:
        """Raises ``IssueError``."""
        links = (link,) if link else ()
        issue = Issue(0, deployment.name, title, description, status or "OPEN", None, links, by, self._clock())
        _check(issue)
        with self._database.transaction() as connection:
            cursor = connection.execute(
                "INSERT INTO issues (deployment, title, description, status, context, links, created_by, created_at) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                _row(issue),
            )
            return replace(issue, id=int(cursor.lastrowid or 0))

    def change(self, deployment: Deployment, number: str, change: Callable[[Issue], Issue]) -> Issue:
        """Store what ``change`` makes of the issue. Raises ``IssueError``, also when there is none of that id."""
        with self._lock:
            before = self.get(deployment, number)
            if before is None:
                raise IssueError(f"The deployment '{deployment.name}' has no issue '{number[:80]}'.")
            after = change(before)
            _check(after)
            with self._database.transaction() as connection:
                connection.execute(
                    "UPDATE issues SET deployment = ?, title = ?, description = ?, status = ?, context = ?, "
                    "links = ?, created_by = ?, created_at = ? WHERE id = ?",
                    (*_row(after), after.id),
                )
            return after


def changed(issue: Issue, given: Mapping[str, Any]) -> Issue:
    """``issue`` with those of ``status``, ``title``, ``description`` and ``context`` that are given."""
    keys = ("status", "title", "description", "context")
    return replace(issue, **{key: given[key] for key in keys if given.get(key) is not None})


def linked(issue: Issue, link: Link) -> Issue:
    """``issue`` with the link, once."""
    return issue if link in issue.links else replace(issue, links=(*issue.links, link))


def unlinked(issue: Issue, link: Link) -> Issue:
    """``issue`` without the link, whether it had it or not."""
    return replace(issue, links=tuple(one for one in issue.links if one != link))


def _check(issue: Issue) -> None:
    if not 0 < len(issue.title) <= LONGEST_TITLE:
        raise IssueError(f"An issue has a title of at most {LONGEST_TITLE} letters.")
    if max(len(issue.description), len(issue.context or "")) > LONGEST_TEXT:
        raise IssueError(f"An issue's description and context have at most {LONGEST_TEXT} letters.")


def _row(issue: Issue) -> tuple[Any, ...]:
    return (
        issue.deployment,
        issue.title,
        issue.description,
        issue.status,
        issue.context,
        json.dumps([vars(link) for link in issue.links]),
        issue.created_by,
        issue.created_at,
    )


def _issue(row: sqlite3.Row) -> Issue:
    links = [
        Link(link["run_id"], tuple(link["asset_key"]) if link["asset_key"] is not None else None)
        for link in json.loads(row["links"])
    ]
    return Issue(**{**dict(row), "links": tuple(links)})
