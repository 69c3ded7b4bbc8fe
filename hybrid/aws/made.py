"""What stands in a cluster for a stack: the agent's service, and what the agents made: code servers and runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hybrid.aws.services import Service, services_in
from hybrid.aws.session import Aws
from hybrid.aws.tags import AGENT_TAG
from hybrid.aws.tasks import Task, unfinished_tasks


@dataclass(frozen=True)
class CodeServer:
    """A code server: its service with the tasks of it that are not over."""

    service: Service
    tasks: Sequence[Task]

    @property
    def agent_id(self) -> str:
        """The id of the agent that made it, which is another one after each start of an agent."""
        return self.service.tags.get(AGENT_TAG, "")


@dataclass(frozen=True)
class Made:
    """One look. ``agent``: None when there is no such service. ``strays``: tasks with the stack's tag that are neither
    the agent's, nor a code server's, nor a run's; also those of services that are deleted and still stop."""

    agent: Service | None
    agent_tasks: Sequence[Task]
    servers: Sequence[CodeServer]
    runs: Sequence[Task]
    strays: Sequence[Task]

    def orphans(self, agents: Sequence[str]) -> list[CodeServer]:
        """Code servers of agents that are not among ``agents`` (ids as Dagster+ tells them)."""
        return [server for server in self.servers if server.agent_id not in agents]

    @property
    def leftovers(self) -> int:
        """How much there is beside the agent's service itself."""
        return len(self.servers) + len(self.runs) + len(self.strays)


def made_in(aws: Aws, cluster: str, service: str, stack: str) -> Made:
    """What stands in ``cluster`` with the tag of ``stack``. ``service``: the name of the agent's own service.

    Everything else in the cluster is passed over. Raises ``AwsError``.
    """
    listed = services_in(aws, cluster)
    servers = [one for one in listed if one.name != service and one.is_of_stack(stack)]
    named = {one.name for one in servers}
    tasks = unfinished_tasks(aws, cluster)
    own = [task for task in tasks if task.service == service]
    rest = [task for task in tasks if task.is_of_stack(stack) and task.service not in {service, *named}]
    return Made(
        agent=next((one for one in listed if one.name == service), None),
        agent_tasks=own,
        servers=[CodeServer(one, [task for task in tasks if task.service == one.name]) for one in servers],
        runs=[task for task in rest if not task.service and task.run_id],
        strays=[task for task in rest if task.service or not task.run_id],
    )
