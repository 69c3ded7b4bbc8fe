"""A stack's program, the same for all platforms: Dagster+ (embedded or an organization's), the agent, its code
locations, readiness."""

from __future__ import annotations

from dataclasses import dataclass, field

import pulumi

from hybrid.delivery.catalog import CodeLocationFolder
from hybrid.provider.agent_resources import (
    AgentDrain,
    AgentDrainArgs,
    AgentQueues,
    AgentReady,
    AgentReadyArgs,
    RunsOnDelete,
)
from hybrid.provider.resources import (
    AgentGrants,
    AgentToken,
    AgentTokenArgs,
    CodeLocation,
    CodeLocationArgs,
    Connection,
    EnvironmentVariable,
)
from hybrid.workspace import Workspace
from stacks.embedded import EmbeddedDagsterPlus, EmbeddedDagsterPlusArgs
from stacks.identity import StackIdentity
from stacks.platform import LocationSource, Platform, StandingAgent
from stacks.variables import environment_variables, reloading_hash


@dataclass
class HybridStack:
    """Builds the stack's resources in order; each method is one noun of it."""

    who: StackIdentity
    workspace: Workspace
    folders: tuple[CodeLocationFolder, ...]
    platform: Platform
    embedded: EmbeddedDagsterPlus | None = field(default=None, init=False)

    def build(self) -> None:
        if self.who.settings.embedded:
            self.embedded = EmbeddedDagsterPlus(
                "emulator",
                EmbeddedDagsterPlusArgs(self.who, self.workspace.python, also_listen=self.platform.reached_at),
            )
        agent = self.platform.agent(self._token())
        sources = [self.platform.location(folder) for folder in self.folders]
        serves, settings = self.who.settings.phase == "serve", self.who.settings
        named = zip(self.folders, sources, strict=True)
        registered = [(folder, source) for folder, source in named if settings.registers(folder.name)]
        if serves or registered:
            variables = environment_variables(self.who, self._connection(), self._after_dagster_plus())
            locations = [self._location(folder, source, variables) for folder, source in registered]
            if serves:  # else who moves locations waits for them, one at a time
                self._ready(agent, sources, locations)
        if self._outlives_the_stack:
            self._drain(agent)

    @property
    def _outlives_the_stack(self) -> bool:
        """Whether Dagster+ is still there after `down`, so that what happens to runs in progress matters."""
        return not self.who.settings.embedded or self.who.settings.emulator.keep_history

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
                # 0 is None: a token of before there were rotations stays as it is
                rotation=spec.token_rotation or None,
                agent_label=self.who.agent_label,
            ),
            self._after_dagster_plus(),
        )

    def _location(
        self, folder: CodeLocationFolder, source: LocationSource, variables: list[EnvironmentVariable]
    ) -> CodeLocation:
        return CodeLocation(
            f"{folder.name}-location",
            CodeLocationArgs(
                connection=self._connection(),
                name=folder.name,
                document=source.document,
                content_hash=reloading_hash(self.who, folder.name, source.content_hash, variables),
            ),
            self._after_dagster_plus(*variables, *source.checks),
        )

    def _ready(self, agent: StandingAgent, sources: list[LocationSource], locations: list[CodeLocation]) -> AgentReady:
        spec, readiness = self.who.settings.agent, self.who.settings.readiness
        queues = spec.queues
        named = list(zip(self.folders, sources, locations, strict=True))
        return AgentReady(
            "ready",
            AgentReadyArgs(
                connection=self._connection(),
                agent_label=agent.label,
                locations={folder.name: location.revision for folder, _, location in named},
                images={folder.name: source.image for folder, source, _ in named if source.image is not None},
                queues={folder.name: folder.agent_queue for folder in self.folders if folder.agent_queue},
                agent_queues=AgentQueues(include_default=queues.include_default, additional=queues.additional),
                triggers={"agent": agent.instance},
                heartbeat_after=agent.started_at,
                process_directory=self.platform.process_directory,
                place=agent.place,
                heartbeat_timeout_seconds=readiness.heartbeat_timeout_seconds,
                timeout_seconds=max(readiness.timeout_seconds, spec.locations_ready_seconds(len(self.folders))),
            ),
            self._after_dagster_plus(),
        )

    def _drain(self, agent: StandingAgent) -> AgentDrain:
        return AgentDrain(
            "drain",
            AgentDrainArgs(
                connection=self._connection(),
                locations=[folder.name for folder in self.folders],
                agent_label=self.who.agent_label,
                runs=RunsOnDelete.TERMINATE if self.who.settings.embedded else RunsOnDelete.WAIT,
            ),
            pulumi.ResourceOptions(depends_on=[agent.component]),
        )

    def _connection(self) -> Connection:
        file = self.who.token_file
        return Connection(
            url=self.who.endpoint.url,
            organization=self.who.endpoint.organization,
            deployment=self.who.endpoint.deployment,
            token_file=str(file) if file else None,
        )

    def _after_dagster_plus(self, *others: pulumi.Resource) -> pulumi.ResourceOptions:
        """An embedded Dagster+ must listen first; and what lives in it goes away with it, so that `down` works even
        when it is not running."""
        if self.embedded is None:
            return pulumi.ResourceOptions(depends_on=others)
        gone_with = None if self.who.settings.emulator.keep_history else self.embedded.process
        return pulumi.ResourceOptions(depends_on=[self.embedded, *others], deleted_with=gone_with)
