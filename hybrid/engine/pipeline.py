"""What CI does with this repository, for the commands: ``stacks/pipeline.yaml`` read, and held against the stacks."""

from __future__ import annotations

from hybrid.engine.stack import stack_names
from hybrid.errors import SettingsError
from hybrid.workspace import Workspace
from stacks.pipeline import FILE, BranchDeployments, DeployedStack, PipelineSettings, SmokeRun, pipeline_from_file

__all__ = ["BranchDeployments", "DeployedStack", "PipelineSettings", "SmokeRun", "read_pipeline"]


def read_pipeline(workspace: Workspace) -> PipelineSettings:
    """Raises ``SettingsError``: the file is wrong, or names a stack that has no file."""
    found = pipeline_from_file(workspace.stack_files)
    known = stack_names(workspace)
    named = [each.stack for each in found.deploy]
    if found.branch_deployments is not None:
        named.append(found.branch_deployments.stack)
    missing = sorted({name for name in named if name not in known})
    if missing:
        raise SettingsError(
            f"stacks/{FILE} names stacks that have no file: {', '.join(missing)}.",
            why=f"There are: {', '.join(known) or 'none'}.",
            next_step=f"correct stacks/{FILE}, or write stacks/Pulumi.{missing[0]}.yaml.",
        )
    return found
