"""What a stack is to Dagster+: which endpoint, by which token, under which agent label. Pure: from settings."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from hybrid import __version__
from hybrid.plus import Endpoint
from hybrid.workspace import StackFolder, Workspace
from stacks.settings import Settings

EMBEDDED_ORGANIZATION = "local"


def release() -> str:
    """What a process runs from. It is among the process's variables, so that an upgrade starts it anew."""
    return f"dagster-cloud {version('dagster-cloud')}, hybrid {__version__}"


@dataclass(frozen=True)
class StackIdentity:
    """The program and the command line derive it alike, so that `hybrid status` asks whom `up` has told."""

    stack: str
    settings: Settings
    folder: StackFolder
    endpoint: Endpoint

    @classmethod
    def of(cls, stack: str, settings: Settings, workspace: Workspace) -> StackIdentity:
        if settings.organization is None:
            endpoint = Endpoint(
                url=f"http://127.0.0.1:{settings.emulator.port}",
                organization=EMBEDDED_ORGANIZATION,
                deployment=settings.deployment,
            )
        else:
            endpoint = Endpoint.of(settings.organization, settings.deployment, region=settings.region, url=settings.url)
        return cls(stack=stack, settings=settings, folder=workspace.of_stack(stack), endpoint=endpoint)

    @property
    def token_file(self) -> Path | None:
        """The embedded Dagster+ keeps its API token in a file; for an organization it comes from the environment."""
        return self.folder.emulator_token if self.settings.embedded else None

    @property
    def agent_label(self) -> str:
        """How the agent calls itself in Dagster+: its own label, else the stack's name."""
        return self.settings.agent.label or f"hybrid-{self.stack}"

    @property
    def page(self) -> str:
        """The page to open: the deployment in Dagster+, or the emulator's own."""
        if self.settings.embedded:
            return self.endpoint.url
        return f"{self.endpoint.url}/{self.endpoint.deployment}"
