"""The local platform: the agent, its code servers and its runs are processes of this machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pulumi

from agent.local import LocalAgent, LocalAgentArgs
from agent.spec import LocalAgentSpec
from hybrid.delivery.catalog import CodeLocationFolder
from hybrid.delivery.document import content_hash
from hybrid.provider.resources import AgentToken, VirtualEnvironment
from hybrid.workspace import Workspace
from stacks.documents import document_of_folder
from stacks.environments import virtual_environment
from stacks.identity import StackIdentity, release
from stacks.platform import LocationSource, StandingAgent
from stacks.stored_values import in_process

# Five times as many polls, against our own emulator only, for a first heartbeat 0.3 s earlier
# (dagster_cloud/agent/dagster_cloud_agent.py reads it; default 0.5).
EMBEDDED_POLL = {"DAGSTER_CLOUD_AGENT_SLEEP_INTERVAL_SECONDS": "0.1"}


@dataclass(frozen=True)
class LocalPlatform:
    """Locations run from their folders, each in an environment of its own."""

    who: StackIdentity
    workspace: Workspace
    spec: LocalAgentSpec

    @property
    def process_directory(self) -> str:
        return str(self.who.folder.process("agent"))

    @property
    def reached_at(self) -> tuple[str, ...]:
        return ()

    def agent(self, token: AgentToken) -> StandingAgent:
        settings = self.who.settings
        agent = LocalAgent(
            "agent",
            LocalAgentArgs(
                spec=self.spec,
                label=self.who.agent_label,
                agent_url=self.who.endpoint.agent_url,
                deployment=self.who.endpoint.deployment,
                token=token.token,
                directory=self.who.folder.process("agent"),
                storage=self.who.folder.storage,
                executable=self.workspace.virtualenv / "bin" / "dagster-cloud",
                environment={
                    "HYBRID_RELEASE": release(),
                    **in_process(self.who),
                    **self.spec.environment,
                    **(EMBEDDED_POLL if settings.embedded else {}),
                },
            ),
        )
        return StandingAgent(agent, agent.label, agent.instance, agent.started_at)

    def location(self, folder: CodeLocationFolder) -> LocationSource:
        environment = virtual_environment(self.workspace, folder)
        return LocationSource(
            document=_document(self.who, environment, folder),
            content_hash=content_hash(folder.folder),
        )


def _document(
    who: StackIdentity, environment: VirtualEnvironment, folder: CodeLocationFolder
) -> pulumi.Output[dict[str, Any]]:
    return environment.executable.apply(lambda executable: document_of_folder(who, folder, executable))
