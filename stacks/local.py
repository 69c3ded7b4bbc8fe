"""The program of a local stack: Dagster+ (embedded or an organization's), the agent, its code locations, readiness."""

from __future__ import annotations

from dataclasses import dataclass, field

import pulumi

from agent.local import LocalAgent, LocalAgentArgs
from hybrid.delivery.catalog import CodeLocationFolder
from hybrid.delivery.document import content_hash, location_document
from hybrid.provider.resources import (
    AgentGrants,
    AgentReady,
    AgentReadyArgs,
    AgentToken,
    AgentTokenArgs,
    CodeLocation,
    CodeLocationArgs,
    Connection,
    VirtualEnvironment,
    VirtualEnvironmentArgs,
)
from hybrid.workspace import Workspace
from stacks.embedded import EmbeddedDagsterPlus, EmbeddedDagsterPlusArgs
from stacks.identity import StackIdentity, release

# Five times as many polls, against our own emulator only, for a first heartbeat 0.3 s earlier
# (dagster_cloud/agent/dagster_cloud_agent.py reads it; default 0.5).
_EMBEDDED_POLL = {"DAGSTER_CLOUD_AGENT_SLEEP_INTERVAL_SECONDS": "0.1"}


@dataclass
class LocalStack:
    """Builds the stack's resources in order; each method is one noun of it."""

    who: StackIdentity
    workspace: Workspace
    folders: tuple[CodeLocationFolder, ...]
    embedded: EmbeddedDagsterPlus | None = field(default=None, init=False)

    def build(self) -> None:
        if self.who.settings.embedded:
            self.embedded = EmbeddedDagsterPlus("emulator", EmbeddedDagsterPlusArgs(self.who, self.workspace.python))
        agent = self._agent(self._token())
        if self.who.settings.phase == "serve":
            self._ready(agent, [self._location(folder) for folder in self.folders])

    def _token(self) -> AgentToken:
        spec = self.who.settings.agent
        return AgentToken(
            "agent-token",
            AgentTokenArgs(
                connection=self._connection(),
                description=f"{self.who.agent_label} (made by the stack {self.who.stack})",
                grants=AgentGrants(
                    organization=False,
                    deployments=[self.who.endpoint.deployment],
                    all_branch_deployments=spec.branch_deployments,
                ),
            ),
            self._after_dagster_plus(),
        )

    def _agent(self, token: AgentToken) -> LocalAgent:
        return LocalAgent(
            "agent",
            LocalAgentArgs(
                spec=self.who.settings.agent,
                label=self.who.agent_label,
                agent_url=self.who.endpoint.agent_url,
                deployment=self.who.endpoint.deployment,
                token=token.token,
                directory=self.who.folder.process("agent"),
                storage=self.who.folder.storage,
                executable=self.workspace.virtualenv / "bin" / "dagster-cloud",
                environment={
                    "HYBRID_RELEASE": release(),
                    **self.who.settings.agent.environment,
                    **(_EMBEDDED_POLL if self.who.settings.embedded else {}),
                },
            ),
        )

    def _location(self, folder: CodeLocationFolder) -> CodeLocation:
        environment = VirtualEnvironment(
            f"{folder.name}-environment",
            VirtualEnvironmentArgs(
                parent=str(self.workspace.environments),
                requirements=list(folder.requirements),
                lock=str(folder.lock) if folder.lock else None,
                python=str(self.workspace.python),
            ),
        )
        return CodeLocation(
            f"{folder.name}-location",
            CodeLocationArgs(
                connection=self._connection(),
                name=folder.name,
                document=environment.executable.apply(
                    lambda executable: location_document(
                        folder, executable_path=executable, working_directory=str(folder.working_directory)
                    )
                ),
                content_hash=content_hash(folder.folder),
            ),
            self._after_dagster_plus(),
        )

    def _ready(self, agent: LocalAgent, locations: list[CodeLocation]) -> AgentReady:
        return AgentReady(
            "ready",
            AgentReadyArgs(
                connection=self._connection(),
                agent_label=agent.label,
                locations={
                    folder.name: location.revision for folder, location in zip(self.folders, locations, strict=True)
                },
                triggers={"agent": agent.instance},
                heartbeat_after=agent.started_at,
                process_directory=str(self.who.folder.process("agent")),
                timeout_seconds=self.who.settings.readiness.timeout_seconds,
            ),
            self._after_dagster_plus(),
        )

    def _connection(self) -> Connection:
        file = self.who.token_file
        return Connection(
            url=self.who.endpoint.url,
            organization=self.who.endpoint.organization,
            deployment=self.who.endpoint.deployment,
            token_file=str(file) if file else None,
        )

    def _after_dagster_plus(self) -> pulumi.ResourceOptions:
        """An embedded Dagster+ must listen first; and what lives in it goes away with it, so that `down` works even
        when it is not running."""
        if self.embedded is None:
            return pulumi.ResourceOptions()
        gone_with = None if self.who.settings.emulator.keep_history else self.embedded.process
        return pulumi.ResourceOptions(depends_on=[self.embedded], deleted_with=gone_with)
