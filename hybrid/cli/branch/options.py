"""What the commands of ``hybrid branch`` are told, and by whom: options, ``stacks/pipeline.yaml``, CI and git."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated

import typer

from hybrid.errors import SettingsError
from hybrid.workspace import Workspace

if TYPE_CHECKING:
    from hybrid.engine.stack import Stack
    from hybrid.forge.ci import CiRun
    from hybrid.forge.forge import Forge, PullRequest
    from hybrid.pipeline.change import Given
    from hybrid.pipeline.checkout import GitCheckout
    from hybrid.plus import PlusClient

StackOrDefault = Annotated[
    str | None,
    typer.Argument(
        help="The stack whose agent serves branch deployments. Default: `branchDeployments.stack` of "
        "stacks/pipeline.yaml.",
        metavar="STACK",
    ),
]
PullRequestNumber = Annotated[
    int | None, typer.Option("--pull-request", metavar="N", min=1, help="Its number. Default: as CI says.")
]
Url = Annotated[str | None, typer.Option("--url", help="The pull request's page. Default: as CI says.")]
BranchName = Annotated[str | None, typer.Option("--branch", metavar="NAME", help="The branch. Default: as CI says.")]
Repository = Annotated[
    str | None, typer.Option("--repo", metavar="OWNER/NAME", help="Default: as CI says, or git's `origin`.")
]


@dataclass(frozen=True)
class Surroundings:
    """Where a command runs, and for which stack."""

    workspace: Workspace
    stack: Stack
    run: CiRun
    given: Given
    checkout: GitCheckout
    deployed: str
    """The branch that full deployments are made from."""

    @classmethod
    def of(cls, stack: str | None, given: Given) -> Surroundings:
        """Raises ``SettingsError``: no stack is named, its file or a location is wrong, or CI's event is."""
        from hybrid.engine.pipeline import read_pipeline
        from hybrid.engine.stack import Stack
        from hybrid.forge.ci import CiRun
        from hybrid.pipeline.checkout import GitCheckout

        workspace = Workspace.of_this_checkout()
        pipeline = read_pipeline(workspace)
        named = stack or (pipeline.branch_deployments.stack if pipeline.branch_deployments else None)
        if named is None:
            raise SettingsError(
                "Which stack's agent serves branch deployments is not said.",
                why="stacks/pipeline.yaml has no `branchDeployments`.",
                next_step="add `branchDeployments: {stack: STACK}` to stacks/pipeline.yaml, or name the stack here.",
            )
        read = Stack.read(workspace, named)
        return cls(workspace, read, CiRun.here(), given, GitCheckout(workspace.root), pipeline.branch)

    def full(self) -> PlusClient:
        """A client of the full deployment. Raises ``SettingsError``, ``DagsterPlusError``."""
        from hybrid.cli.dagster_plus import client_of

        return client_of(self.stack.who)

    def of_branch(self, deployment: str) -> PlusClient:
        """A client of one branch deployment; it outlasts a Dagster+ that goes away for a minute."""
        from hybrid.cli.dagster_plus import client_of

        who = self.stack.who
        return client_of(replace(who, endpoint=replace(who.endpoint, deployment=deployment)), patient=True)

    def page(self, deployment: str) -> str:
        return f"{self.stack.who.endpoint.url}/{deployment}"

    def forge(self, repository: str) -> Forge | None:
        """The forge that hosts the repository; None when nothing says which, or there is no token for it."""
        from hybrid.forge.forge import forge_of

        try:
            return forge_of(replace(self.run, repository=repository), os.environ)
        except SettingsError:
            return None


def pull_request(forge: Forge | None, number: int | None) -> PullRequest | None:
    """What the forge says of a pull request; None when it cannot be asked, or does not answer, which is said."""
    from hybrid.cli.console import note
    from hybrid.forge.errors import ForgeError

    if forge is None or number is None:
        return None
    try:
        return forge.pull_request(number)
    except ForgeError as error:
        note(f"The forge was not heard about pull request {number}: {error.what}")
        return None
