"""The Python environment of a code location on this machine: a local agent runs it there, and its code is checked
there before an image of it is built."""

from __future__ import annotations

from hybrid.delivery.catalog import CodeLocationFolder
from hybrid.provider.resources import VirtualEnvironment, VirtualEnvironmentArgs
from hybrid.workspace import Workspace


def virtual_environment(workspace: Workspace, folder: CodeLocationFolder) -> VirtualEnvironment:
    """The resource; locations with the same requirements share one folder."""
    return VirtualEnvironment(
        f"{folder.name}-environment",
        VirtualEnvironmentArgs(
            parent=str(workspace.environments),
            requirements=list(folder.requirements),
            lock=str(folder.lock) if folder.lock else None,
            python=str(workspace.python),
        ),
    )
