"""Organizations and their deployments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hybrid.errors import SettingsError


@dataclass(frozen=True)
class Deployment:
    """``type`` is PRODUCTION, DEV or BRANCH; ``agent_type`` HYBRID or SERVERLESS."""

    id: int
    name: str
    type: str
    agent_type: str

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> Deployment:
        return cls(answer["deploymentId"], answer["deploymentName"], answer["deploymentType"], str(answer["agentType"]))

    def refuse_serverless(self) -> None:
        """Raises ``SettingsError`` when Serverless runs this deployment: a location registered there for a Hybrid
        agent would be pointed at code that Serverless cannot start."""
        if self.agent_type == "SERVERLESS":
            raise SettingsError(
                f"The deployment '{self.name}' is run by Serverless.",
                why="Its code locations would be pointed at code that Serverless cannot start.",
                next_step="set `hybrid:phase: prepare` in the stack file to stand up the agent beside it.",
            )


@dataclass(frozen=True)
class Organization:
    """``status`` is ACTIVE, READ_ONLY, SUSPENDED or PENDING_DELETION."""

    id: int
    public_id: str
    name: str
    status: str

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> Organization:
        return cls(answer["id"], answer["publicId"], answer["name"], answer["status"])


@dataclass(frozen=True)
class BranchDeployment:
    """A deployment of one branch of a repository. ``pull_request_status`` is OPEN, CLOSED or MERGED."""

    deployment: Deployment
    parent: str | None
    repository: str | None
    branch: str | None
    pull_request_url: str | None
    pull_request_status: str | None

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> BranchDeployment:
        git = answer["branchDeploymentGitMetadata"] or {}
        return cls(
            deployment=Deployment.of(answer),
            parent=(answer["parentDeployment"] or {}).get("deploymentName"),
            repository=git.get("repoName"),
            branch=git.get("branchName"),
            pull_request_url=git.get("pullRequestUrl"),
            pull_request_status=git.get("pullRequestStatus"),
        )
