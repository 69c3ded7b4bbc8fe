"""What ``hybrid status`` adds for a stack in Azure: the agent's app, and what the agent has made."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from hybrid.errors import HybridError
from hybrid.platforms.commands import Remark, Shown

if TYPE_CHECKING:
    from hybrid.azure.agent_app import AgentApp
    from hybrid.azure.made import CodeServer, Made
    from hybrid.platforms.azure_place import AzurePlace
    from hybrid.plus import Agent


@dataclass(frozen=True)
class AzureStanding:
    """How the stack stands in Azure. ``problem``: why Azure did not tell; then all else is empty."""

    key: ClassVar[str] = "azure"

    place: AzurePlace
    problem: HybridError | None = None
    app: AgentApp | None = None
    made: Made | None = None
    agents: Sequence[str] | None = None
    """Ids of the stack's agents that are RUNNING; None: Dagster+ has none of the stack that runs, so that no code
    server can be told to be an orphan."""

    @property
    def orphans(self) -> list[CodeServer]:
        """Code servers of agents that are not there any more. A new agent removes them when they are old enough."""
        if self.made is None or self.agents is None:
            return []
        return [server for server in self.made.servers if server.agent_id not in self.agents]

    def document(self) -> dict[str, Any]:
        orphans = {server.name for server in self.orphans}
        servers = self.made.servers if self.made else ()
        return {
            "subscription": self.place.subscription,
            "location": self.place.location,
            "resource_group": self.place.group,
            "problem": self.problem.what if self.problem else None,
            "app": self._app(),
            "code_servers": [
                {
                    "name": server.name,
                    "location": server.location,
                    "state": server.state,
                    "image": server.image,
                    "orphan": server.name in orphans,
                }
                for server in servers
            ],
            "jobs": len(self.made.jobs) if self.made else 0,
        }

    def shown(self) -> Iterator[Shown]:
        from rich.table import Table
        from rich.text import Text

        yield Text(self.place.shown, style="bold") + Text(f"  resource group {self.place.group}")
        if self.problem is not None:
            yield Remark(f"Azure does not tell what stands there: {self.problem.sentence()}")
            return
        if self.made is None:
            return
        table = Table(box=None, pad_edge=False, show_header=False)
        if self.app is None:
            table.add_row("agent", Text(self.place.agent_app), Text("absent", style="red"), "")
        else:
            latest = self.app.latest
            table.add_row("agent", self.app.name, Text(self.app.state), Text(latest.name if latest else ""))
        orphans = {server.name for server in self.orphans}
        for server in self.made.servers:
            state = Text(f"{server.state}, orphan" if server.name in orphans else server.state)
            table.add_row("code server", Text(server.location), state, Text(server.name))
        yield table
        if self.made.jobs:
            yield f"{len(self.made.jobs)} jobs of runs; nobody removes finished ones but `hybrid down`"

    def _app(self) -> dict[str, Any] | None:
        if self.app is None:
            return None
        latest = self.app.latest
        return {
            "name": self.app.name,
            "state": self.app.state,
            "image": self.app.image,
            "revision": latest.name if latest else None,
            "replicas": latest.replicas if latest else 0,
        }


def azure_standing(place: AzurePlace, agents: Sequence[Agent]) -> AzureStanding:
    """What Azure says. Its refusals, a missing login too, are an answer: Dagster+'s side can be shown without."""
    from hybrid.azure.agent_app import agent_app
    from hybrid.azure.made import made_in

    running = [agent.id for agent in agents if agent.is_running]
    try:
        azure = place.door()
        app = agent_app(azure, place.group, place.agent_app, place.settings_variable)
        made = made_in(azure, place.group, place.environment_id, place.agent_app)
    except HybridError as error:
        return AzureStanding(place, problem=error)
    return AzureStanding(place, None, app, made, running or None)
