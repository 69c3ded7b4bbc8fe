"""The Docker platform: the agent, its code servers and its runs are containers of one engine."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pulumi

import agent.image
from agent.docker import DockerAgent, DockerAgentArgs
from agent.docker_spec import DockerAgentSpec
from hybrid.containers.docker import Docker
from hybrid.containers.host import address_from_containers
from hybrid.delivery.catalog import CodeLocationFolder
from hybrid.delivery.images.spec import ImageSpec
from hybrid.delivery.repository import AGENT
from hybrid.provider.image_resources import LocationImage, LocationImageArgs, PublishedImage, PublishedImageArgs
from hybrid.provider.resources import AgentToken
from hybrid.workspace import Workspace
from stacks.containers import ContainerLocations
from stacks.identity import StackIdentity
from stacks.images import build_secrets, registry_address
from stacks.local import EMBEDDED_POLL
from stacks.platform import LocationSource, StandingAgent


@dataclass(frozen=True)
class DockerPlatform:
    """Everything of the stack is on its own network."""

    who: StackIdentity
    workspace: Workspace
    spec: DockerAgentSpec
    host: str | None
    """This machine's address as containers reach it; None: they need not, Dagster+ is elsewhere."""

    @classmethod
    def of(cls, who: StackIdentity, workspace: Workspace, spec: DockerAgentSpec) -> DockerPlatform:
        """Raises ``HybridError`` when the embedded Dagster+ is to be reached by containers and no engine answers."""
        host = address_from_containers(Docker.find(os.environ)) if who.settings.embedded else None
        return cls(who, workspace, spec, host)

    @property
    def process_directory(self) -> None:
        return None

    @property
    def reached_at(self) -> tuple[str, ...]:
        # on Docker Desktop the name leads to the loopback address
        return (self.host,) if self.host and self.host[0].isdigit() else ()

    def agent(self, token: AgentToken) -> StandingAgent:
        standing = DockerAgent(
            "agent",
            DockerAgentArgs(
                spec=self.spec,
                stack=self.who.stack,
                label=self.who.agent_label,
                agent_url=self._agent_url,
                deployment=self.who.endpoint.deployment,
                token=token.token,
                image=self._agent_image(),
                environment=EMBEDDED_POLL if self.who.settings.embedded else {},
            ),
        )
        return StandingAgent(standing, standing.label, standing.instance, standing.started_at)

    def location(self, folder: CodeLocationFolder) -> LocationSource:
        return ContainerLocations(self.who, self.workspace).source(folder)

    @property
    def _agent_url(self) -> str:
        if self.host is None:
            return self.who.endpoint.agent_url
        return f"http://{self.host}:{self.who.settings.emulator.port}"

    def _agent_image(self) -> pulumi.Output[str]:
        if self.spec.image is not None:
            return PublishedImage("agent-published", PublishedImageArgs(image=self.spec.image)).reference
        context, images = Path(agent.image.__file__).parent, self.who.settings.images
        spec = ImageSpec(
            repository=f"{registry_address(self.who)}/{AGENT}",
            context=context,
            dockerfile=context / "Dockerfile",
            arguments={"PYTHON_IMAGE": images.python_image},
            platforms=images.platforms,
            secrets=build_secrets(self.who),
            labels={"org.opencontainers.image.title": AGENT},
        )
        return LocationImage("agent-image", LocationImageArgs.of(spec)).reference
