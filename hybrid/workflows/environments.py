"""What has to be set up where the repository is hosted before the workflows work: environments, each with its
credentials and with whose code may have them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from hybrid.workflows.pipeline import Pipeline

Forge = Literal["github", "gitlab"]


@dataclass(frozen=True)
class Environment:
    """One environment of the forge."""

    name: str
    why: str
    of_pull_requests: bool
    """Whether jobs of pull requests have it. All others must be bound to the branch that deploys."""
    variables: tuple[str, ...]
    """Read by anybody who may see the settings."""
    secrets: tuple[str, ...]
    reviewers: bool = False
    """Whether somebody is to be asked before a job gets it."""

    def document(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    def sentence(self, branch: str) -> str:
        """For people."""
        bound = "open to pull requests" if self.of_pull_requests else f"bound to the branch {branch}"
        asked = ", with required reviewers" if self.reviewers else ""
        given = f"variables {', '.join(self.variables)}; " if self.variables else ""
        return f"{self.name} ({bound}{asked}): {given}secrets {', '.join(self.secrets)}. {self.why}"


def environments(pipeline: Pipeline, forge: Forge) -> tuple[Environment, ...]:
    """Which there have to be."""
    token = "DAGSTER_CLOUD_API_TOKEN"  # noqa: S105 - a name
    state, aws = ("PULUMI_BACKEND_URL",), ("AWS_ROLE", "AWS_REGION")
    comments = ("GITLAB_TOKEN",) if forge == "gitlab" else ()
    key = "PULUMI_CONFIG_PASSPHRASE"
    found = [
        Environment("review", "A role and a user that only read; no key for secrets.", True, (*state, *aws), (token,))
    ]
    if forge == "gitlab":
        found.append(Environment("comment", "A bot that may comment.", True, (), comments))
    if pipeline.branch_stack is not None:
        found.append(
            Environment(
                "branch",
                "A role that pushes images, and a user that may change branch deployments alone.",
                True,
                aws,
                _each(token, *comments, *pipeline.branch_secrets),
            )
        )
    found += [
        Environment(
            stack.name,
            "What deploys this stack.",
            False,
            (*state, *aws),
            _each(token, key, *comments, *stack.secrets),
            reviewers=stack.approval,
        )
        for stack in pipeline.deploy
    ]
    found.append(
        Environment(
            "drift",
            "A role that only reads, values of secrets among it, and a user that only reads.",
            False,
            (*state, *aws),
            _each(token, key, *comments, *pipeline.drift_secrets),
        )
    )
    return tuple(found)


def _each(*names: str) -> tuple[str, ...]:
    return tuple(name for name in dict.fromkeys(names) if name != "GITHUB_TOKEN")
