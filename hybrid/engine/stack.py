"""A stack as the command line knows it without starting the engine: from its file alone."""

from __future__ import annotations

from hybrid.workspace import Workspace
from stacks.identity import StackIdentity
from stacks.settings import from_file


def identity(workspace: Workspace, stack: str) -> StackIdentity:
    """Who the stack is to Dagster+. Raises ``SettingsError`` for a missing or wrong stack file."""
    return StackIdentity.of(stack, from_file(workspace.stack_file(stack), stack=stack), workspace)
