"""Organizations and their deployments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

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


PullRequestStatus = Literal["OPEN", "CLOSED", "MERGED"]


@dataclass(frozen=True)
class Commit:
    """A commit as Dagster+ keeps it beside a branch deployment. ``timestamp`` in seconds since the epoch."""

    hash: str
    timestamp: float
    message: str | None = None
    url: str | None = None
    author_name: str | None = None
    author_email: str | None = None

    @classmethod
    def of(cls, answer: Mapping[str, Any] | None) -> Commit | None:
        """None from none."""
        if answer is None:
            return None
        return cls(
            hash=answer["commitHash"],
            timestamp=float(answer["timestamp"]),
            message=answer["commitMessage"],
            url=answer["commitUrl"],
            author_name=answer["authorName"],
            author_email=answer["authorEmail"],
        )

    def described(self) -> dict[str, Any]:
        """As ``DeploymentCommitInput``."""
        return {
            "commitHash": self.hash,
            "timestamp": self.timestamp,
            "commitMessage": self.message,
            "commitUrl": self.url,
            "authorName": self.author_name,
            "authorEmail": self.author_email,
        }


@dataclass(frozen=True)
class Branch:
    """A branch of a repository, and its pull request if it has one. Dagster+ knows a branch deployment by
    ``repository`` and ``name``; whatever it says of them is a new deployment or the one that there is."""

    repository: str
    name: str
    url: str | None = None
    pull_request_number: str | None = None
    pull_request_url: str | None = None
    pull_request_status: PullRequestStatus | None = None

    def described(self) -> dict[str, Any]:
        """As ``CreateOrUpdateBranchDeploymentInput``."""
        return {
            "repoName": self.repository,
            "branchName": self.name,
            "branchUrl": self.url,
            "pullRequestUrl": self.pull_request_url,
            "pullRequestStatus": self.pull_request_status,
            "pullRequestNumber": self.pull_request_number,
        }


@dataclass(frozen=True)
class BranchDeployment:
    """A deployment of one branch of a repository, by its own word ``deployment.type``: asked for by name, it may be a
    full one, and then has no branch. ``pull_request_status`` is OPEN, CLOSED or MERGED."""

    deployment: Deployment
    parent: str | None
    repository: str | None
    branch: str | None
    pull_request_url: str | None
    pull_request_status: str | None
    pull_request_number: str | None = None
    branch_url: str | None = None
    latest_commit: Commit | None = None

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
            pull_request_number=git.get("pullRequestNumber"),
            branch_url=git.get("branchUrl"),
            latest_commit=Commit.of(answer["latestCommit"]),
        )

    def is_of(self, repository: str, branch: str, parent: str) -> bool:
        """Whether it is a branch deployment at all, and that of this branch, based on this full deployment."""
        return self.deployment.type == "BRANCH" and (self.repository, self.branch, self.parent) == (
            repository,
            branch,
            parent,
        )
