"""The organization that the embedded Dagster+ serves: who may do what, what is deployed, who was heard, what is asked.

Kept in ``organization.sqlite``. Nothing here knows Dagster's objects: what they serialize to is kept as text.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from hybrid.emulator.organization.administrator import ensure_api_token
from hybrid.emulator.organization.agents import AgentRecord, AgentReport, Agents
from hybrid.emulator.organization.database import Database
from hybrid.emulator.organization.deployments import Deployment, Deployments, founded
from hybrid.emulator.organization.locations import LocationRecord, Locations
from hybrid.emulator.organization.requests import AgentRequest, Requests
from hybrid.emulator.organization.tokens import Grant, TokenRecord, Tokens

__all__ = [
    "AgentRecord",
    "AgentReport",
    "AgentRequest",
    "Agents",
    "Deployment",
    "Deployments",
    "Grant",
    "LocationRecord",
    "Locations",
    "Organization",
    "Requests",
    "TokenRecord",
    "Tokens",
]

DATABASE_FILE: Final = "organization.sqlite"
TOKEN_FILE: Final = "api-token"  # noqa: S105


class Organization:
    """One organization with one full deployment, opened from (or founded in) the folder ``data``.

    Every method of its parts is thread-safe, and its effect is committed when it returns. Raises ``DataFolderError``
    when the folder cannot be used, now or later.
    """

    def __init__(self, data: Path, name: str = "local", deployment: str = "prod") -> None:
        self._database = Database(data / DATABASE_FILE)
        try:
            identity, self.deployments = founded(self._database, name, deployment)
            self.name = identity.name
            self.public_id = identity.public_id
            self.deployment = self.deployments.all()[0]
            self.tokens = Tokens(self._database, self.name)
            self.locations = Locations(self._database)
            self.agents = Agents(self._database)
            self.requests = Requests(self._database)
            ensure_api_token(data / TOKEN_FILE, self.tokens)
        except BaseException:
            self._database.close()
            raise

    def close(self) -> None:
        """Let go of the folder; whoever waits for an agent's answer is let go too."""
        self.requests.close()
        self._database.close()
