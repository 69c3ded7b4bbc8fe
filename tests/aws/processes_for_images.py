"""A launcher for agents of tests: code of a location that names an image runs as a process of this machine.

It is imported by the agent alone, from its ``dagster.yaml``.
"""

from __future__ import annotations

import dagster_cloud.workspace.user_code_launcher  # noqa: F401 - first, or its run launcher imports in a circle
from dagster_cloud.workspace.user_code_launcher.process import ProcessUserCodeLauncher


class ProcessesForImages(ProcessUserCodeLauncher):
    """The stock launcher, which refuses images otherwise."""

    @property
    def requires_images(self) -> bool:
        return True
