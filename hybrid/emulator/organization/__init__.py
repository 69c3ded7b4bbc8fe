"""The organization that the embedded Dagster+ serves: who may do what, what is deployed, who was heard, what is asked.

Kept in ``organization.sqlite``. Nothing here knows Dagster's objects: what they serialize to is kept as text.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from hybrid.emulator.organization.administrator import ensure_api_token
from hybrid.emulator.organization.agents import AgentRecord, AgentReport, Agents
from hybrid.emulator.organization.alert_policies import AlertPolicies
from hybrid.emulator.organization.artifacts import Artifacts
from hybrid.emulator.organization.atlan import Atlan
from hybrid.emulator.organization.database import Database
from hybrid.emulator.organization.definitions_state import DefinitionsState
from hybrid.emulator.organization.deployments import (
    AgentType,
    Deployment,
    DeploymentError,
    Deployments,
    DuplicateDeploymentError,
    founded,
)
from hybrid.emulator.organization.issues import Issues
from hybrid.emulator.organization.locations import LocationRecord, Locations
from hybrid.emulator.organization.requests import AgentRequest, Requests
from hybrid.emulator.organization.secrets import Secrets
from hybrid.emulator.organization.settings import Settings
from hybrid.emulator.organization.tokens import Grant, TokenRecord, Tokens
from hybrid.emulator.organization.users import UserRecord, Users
from hybrid.emulator.presigned import Signer
from hybrid.emulator.serverless.options import ServerlessOptions, visible_status

__all__ = [
    "AgentRecord",
    "AgentReport",
    "AgentRequest",
    "AgentType",
    "Agents",
    "AlertPolicies",
    "Artifacts",
    "Atlan",
    "DefinitionsState",
    "Deployment",
    "DeploymentError",
    "Deployments",
    "DuplicateDeploymentError",
    "Grant",
    "Issues",
    "LocationRecord",
    "Locations",
    "Organization",
    "Requests",
    "Secrets",
    "Settings",
    "TokenRecord",
    "Tokens",
    "UserRecord",
    "Users",
]

DATABASE_FILE: Final = "organization.sqlite"
KEY_FILE: Final = "presigning-key"
TOKEN_FILE: Final = "api-token"  # noqa: S105


class Organization:
    """One organization, opened from (or founded in) the folder ``data`` with one full deployment.

    ``deployment`` is that first one, which clients mean that name none. Every method of the parts is thread-safe, and
    its effect is committed when it returns. Raises ``DataFolderError`` when the folder cannot be used, now or later.
    """

    def __init__(
        self,
        data: Path,
        name: str = "local",
        deployment: str = "prod",
        agent_type: AgentType = "HYBRID",
        serverless: ServerlessOptions | None = None,
    ) -> None:
        self._database = Database(data / DATABASE_FILE)
        try:
            identity, self.deployments = founded(self._database, name, deployment, agent_type)
            self.name = identity.name
            self.public_id = identity.public_id
            self._first = self.deployments.all()[0].id
            self.tokens = Tokens(self._database, self.name)
            self.users = Users(self._database, self.tokens)
            self.locations = Locations(self._database)
            self.agents = Agents(self._database)
            self.requests = Requests(self._database)
            self.artifacts = Artifacts(self._database)
            self.atlan = Atlan(self._database)
            self.definitions_state = DefinitionsState(self._database)
            self.serverless = serverless or ServerlessOptions()
            self.signer = Signer(data / KEY_FILE)
            self.alert_policies = AlertPolicies(self._database)
            self.issues = Issues(self._database)
            self.secrets = Secrets(self._database)
            self.settings = Settings(self._database, self.deployments)
            self.deployments.when_deleted(self._forget)
            ensure_api_token(data / TOKEN_FILE, self.tokens, self.users.administrator.id)
        except BaseException:
            self._database.close()
            raise

    @property
    def deployment(self) -> Deployment:
        """The deployment that the organization was founded with, as it is now."""
        found = self.deployments.numbered(self._first)
        if found is None:
            raise LookupError("the first deployment cannot be deleted")
        return found

    def agents_shown(self, deployment: Deployment) -> list[tuple[AgentRecord, str]]:
        """The agents of a deployment as its clients see them, each with its status."""
        now = self.agents.now()
        seen = [
            (record, visible_status(record, deployment, now, self.serverless))
            for record in self.agents.serving(deployment)
        ]
        return [(record, status) for record, status in seen if status is not None]

    def close(self) -> None:
        """Let go of the folder; whoever waits for an agent's answer is let go too."""
        self.requests.close()
        self._database.close()

    def _forget(self, deployment: Deployment) -> None:
        """What the parts hold in memory of a deployment whose rows are deleted."""
        self.locations.forget(deployment.name)
        self.agents.forget(deployment.name)
        self.requests.forget(deployment.name)
        self.secrets.forget(deployment.name)
        self.alert_policies.forget(deployment.name)
        self.artifacts.forget(deployment.name)
        self.tokens.reload()
        self.users.reload()
