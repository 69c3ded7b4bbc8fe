"""Which version of each component's state a deployment's locations load; the state itself is an artifact.

Rests on: ``client`` (dagster_cloud/storage/defs_state, dagster_dg_cli/utils/plus/defs_state_storage.py): the state is
uploaded under a key with its version in it, and then the version is set; no version drops the key. What agents get is
Dagster's ``DefsStateInfo`` (dagster_shared/serdes/objects/models/defs_state_info.py) as it serializes itself, which
is written here by hand, because the control plane answers before Dagster is loaded; a test holds the two together.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass

from hybrid.emulator.organization.database import Database


@dataclass(frozen=True)
class StateVersion:
    """``created_at`` in seconds since the epoch."""

    key: str
    version: str
    created_at: float


class DefinitionsState:
    """The versions of all deployments. Thread-safe."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock

    def versions(self, deployment: str) -> tuple[StateVersion, ...]:
        """Those of a deployment, by key."""
        rows = self._database.rows(
            "SELECT key, info FROM definitions_state WHERE deployment = ? ORDER BY key", (deployment,)
        )
        return tuple(StateVersion(row["key"], **json.loads(row["info"])) for row in rows)

    def latest(self, deployment: str) -> str | None:
        """The serialized ``DefsStateInfo`` of a deployment; None when nothing was ever set."""
        versions = self.versions(deployment)
        if not versions:
            return None
        by_key = {
            found.key: {
                "__class__": "DefsKeyStateInfo",
                "create_timestamp": found.created_at,
                "version": found.version,
            }
            for found in versions
        }
        return json.dumps({"__class__": "DefsStateInfo", "info_mapping": by_key})

    def set_version(self, deployment: str, key: str, version: str | None) -> None:
        """Set the version of ``key``; None drops the key.

        Raises ``ValueError`` for the key that Dagster's own serialization could not tell from a class.
        """
        if not key or key.startswith("__"):
            raise ValueError("The key of a component's state has at least one letter and does not begin with __.")
        with self._database.transaction() as connection:
            if version is None:
                connection.execute("DELETE FROM definitions_state WHERE deployment = ? AND key = ?", (deployment, key))
                return
            info = json.dumps({"version": version, "created_at": self._clock()})
            connection.execute("INSERT OR REPLACE INTO definitions_state VALUES (?, ?, ?)", (deployment, key, info))
