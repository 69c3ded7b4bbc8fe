"""How drift looks at one stack, for real: the engine, which only reads, and Dagster+."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hybrid.engine.engine import Command, Engine, Outcome
from hybrid.engine.stack import Stack

if TYPE_CHECKING:
    from hybrid.plus import Agent, CodeLocationStatus, PlusClient
    from hybrid.toolchain import Pulumi
    from hybrid.workspace import Workspace
    from stacks.identity import StackIdentity


@dataclass(frozen=True)
class StackLookout:
    """``connect`` gives the stack's Dagster+; ``check`` refuses credentials of another AWS account."""

    workspace: Workspace
    pulumi: Pulumi
    environ: Mapping[str, str]
    note: Callable[[str], None]
    connect: Callable[[StackIdentity, bool], PlusClient]
    check: Callable[[StackIdentity], None]

    def beforehand(self, stack: str) -> None:
        self.check(Stack.read(self.workspace, stack).who)

    def stands(self, stack: str) -> bool:
        return self._engine(stack).stands()

    def run(self, stack: str, command: Command) -> Outcome:
        return self._engine(stack).run(command, lambda event: None)

    def not_ready(self, stack: str) -> Sequence[str]:
        from hybrid.plus import PlusUnreachable

        read = Stack.read(self.workspace, stack)
        who = read.who
        gone = f"The embedded Dagster+ of the stack '{stack}' does not answer."
        if who.token_file is not None and not who.token_file.exists():
            return (gone,)
        try:
            with self.connect(who, False) as client:
                agents, locations = client.agents(), client.code_locations()
        except PlusUnreachable:
            if who.settings.embedded:
                return (gone,)  # it is part of the stack
            raise
        mine = [agent for agent in agents if agent.label == who.agent_label]
        found = {status.name: status for status in locations}
        told = [_of_location(name, found.get(name)) for name in read.location_names]
        return tuple(each for each in (_of_agents(who.agent_label, mine), *told) if each)

    def _engine(self, stack: str) -> Engine:
        return Engine(self.workspace, stack, self.pulumi, dict(self.environ), self.note)


def _of_agents(label: str, agents: Sequence[Agent]) -> str | None:
    if any(agent.is_running for agent in agents):
        return None
    return f"No agent with the label {label} is RUNNING."


def _of_location(name: str, status: CodeLocationStatus | None) -> str | None:
    if status is None:
        return f"Dagster+ does not have the code location {name}."
    if status.error is not None:
        first = status.error.message.strip().splitlines()[:1]
        return f"The code location {name} did not load: {''.join(first)}"
    return None if status.is_loaded else f"The code location {name} is not loaded yet."
