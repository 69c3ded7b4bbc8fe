"""The only door to Dagster+: endpoints, the typed client, its GraphQL documents and its errors.

Importing it is cheap: neither httpx nor Dagster is loaded before the first call.
"""

from hybrid.plus.agents import Agent, AgentError, CodeServer
from hybrid.plus.automation import Automations, Backfill, Instigation
from hybrid.plus.client import PlusClient
from hybrid.plus.credentials import api_token, is_agent_token
from hybrid.plus.deployments import Branch, BranchDeployment, Commit, Deployment, Organization, PullRequestStatus
from hybrid.plus.endpoint import Endpoint, Region
from hybrid.plus.environment_variables import EnvironmentVariable, Scopes
from hybrid.plus.errors import (
    PlusAnswerLost,
    PlusCancelled,
    PlusError,
    PlusForbidden,
    PlusMaintenance,
    PlusNotFound,
    PlusProtocolError,
    PlusRejected,
    PlusUnauthorized,
    PlusUnreachable,
)
from hybrid.plus.failure import Failure
from hybrid.plus.locations import CodeLocationStatus
from hybrid.plus.patience import Patience, Wait
from hybrid.plus.rights import Rights
from hybrid.plus.runs import Run, RunEvent
from hybrid.plus.tokens import AgentGrants, AgentToken

__all__ = [
    "Agent",
    "AgentError",
    "AgentGrants",
    "AgentToken",
    "Automations",
    "Backfill",
    "Branch",
    "BranchDeployment",
    "CodeLocationStatus",
    "CodeServer",
    "Commit",
    "Deployment",
    "Endpoint",
    "EnvironmentVariable",
    "Failure",
    "Instigation",
    "Organization",
    "Patience",
    "PlusAnswerLost",
    "PlusCancelled",
    "PlusClient",
    "PlusError",
    "PlusForbidden",
    "PlusMaintenance",
    "PlusNotFound",
    "PlusProtocolError",
    "PlusRejected",
    "PlusUnauthorized",
    "PlusUnreachable",
    "PullRequestStatus",
    "Region",
    "Rights",
    "Run",
    "RunEvent",
    "Scopes",
    "Wait",
    "api_token",
    "is_agent_token",
]
