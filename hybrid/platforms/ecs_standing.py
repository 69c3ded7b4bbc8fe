"""What ``hybrid status`` adds for a stack on ECS: the agent's service, and what the agent has made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from hybrid.errors import HybridError
from hybrid.platforms.commands import Remark, Shown

if TYPE_CHECKING:
    from rich.table import Table

    from hybrid.aws.made import CodeServer, Made
    from hybrid.aws.services import Service
    from hybrid.aws.tasks import Task
    from hybrid.costs.estimate import Estimate
    from hybrid.platforms.ecs_place import EcsPlace
    from hybrid.plus import Agent

_EVENTS = 3  # of the service that are shown when it is not as wanted


@dataclass(frozen=True)
class EcsStanding:
    """How the stack stands in AWS. ``problem``: why AWS did not tell; then all else is empty."""

    key: ClassVar[str] = "ecs"

    place: EcsPlace
    problem: HybridError | None = None
    made: Made | None = None
    image: str | None = None
    """That of the task definition that the agent runs from."""
    sizes: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """CPU and memory of code servers that have no task now, by the service's ARN."""
    agents: Sequence[str] | None = None
    """Ids of the stack's agents that are RUNNING; None: Dagster+ has none of the stack that runs, so that no code
    server can be told to be an orphan."""

    @property
    def orphans(self) -> list[CodeServer]:
        """Code servers of agents that are not there any more. A new agent removes them when they are old enough."""
        if self.made is None or self.agents is None:
            return []
        return self.made.orphans(self.agents)

    @property
    def cost(self) -> Estimate | None:
        """What runs now, as if it ran all month; None when AWS did not tell."""
        return None if self.made is None else _cost(self.made, self.sizes)

    def document(self) -> dict[str, Any]:
        made, cost = self.made, self.cost
        orphans = {server.service.arn for server in self.orphans}
        return {
            "account": self.place.account,
            "region": self.place.region,
            "cluster": self.place.cluster,
            "problem": self.problem.what if self.problem else None,
            "service": _service(made.agent, made.agent_tasks, self.image) if made and made.agent else None,
            "code_servers": [
                _code_server(server, self.sizes, orphan=server.service.arn in orphans) for server in made.servers
            ]
            if made
            else [],
            "runs": [_run(task) for task in made.runs] if made else [],
            "strays": [task.arn for task in _on_their_own(made)] if made else [],
            "monthly_cost": cost.document() if cost else None,
        }

    def shown(self) -> Iterator[Shown]:
        from rich.table import Table
        from rich.text import Text

        yield Text(self.place.shown, style="bold") + Text(f"  cluster {self.place.cluster}")
        if self.problem is not None:
            yield Remark(f"AWS does not tell what stands there: {self.problem.sentence()}")
            return
        if self.made is None:
            return
        yield from _remarks(self.made)
        table = Table(box=None, pad_edge=False, show_header=False)
        _service_row(table, self)
        orphans = {server.service.arn for server in self.orphans}
        for server in self.made.servers:
            _server_row(table, server, self.sizes, orphan=server.service.arn in orphans)
        for task in self.made.runs:
            table.add_row("run", Text(task.job or "?"), Text(task.status), Text(f"{task.run_id[:8]}  {_shown(task)}"))
        for task in _on_their_own(self.made):
            table.add_row("stray", Text(task.id), Text(task.status, style="yellow"), Text(_shown(task)))
        yield table
        if orphans:
            yield Remark(
                "Orphans are code servers of an agent that is gone; a running agent removes them once they are old "
                "enough."
            )
        if self.cost is not None and self.cost.lines:
            prices = self.cost.prices
            yield (
                f"What runs now costs about {self.cost.dollars:.0f} $ a month "
                f"(list prices of {prices.region}, {prices.as_of}; without network, data and runs)"
            )


def ecs_standing(place: EcsPlace, agents: Sequence[Agent]) -> EcsStanding:
    """What AWS says. Its refusals, missing credentials too, are an answer: Dagster+'s side can be shown without."""
    from hybrid.aws.errors import AwsError
    from hybrid.aws.made import made_in

    aws = place.door()
    running = [agent.id for agent in agents if agent.is_running]
    try:
        made = made_in(aws, place.cluster, place.service, place.base)
        definition = _definition(aws, _running_definition(made)) if made.agent else {}
        idle = [server.service for server in made.servers if not server.tasks]
        sizes = {service.arn: _size(_definition(aws, service.task_definition)) for service in idle}
    except AwsError as error:
        return EcsStanding(place, problem=error)
    containers = definition.get("containerDefinitions") or [{}]
    return EcsStanding(place, None, made, containers[0].get("image"), sizes, running or None)


def _running_definition(made: Made) -> str:
    """What the agent runs from: after a roll-out that ECS took back, that is not what its service was told last."""
    running = [task for task in made.agent_tasks if task.status == "RUNNING" and task.desired_status == "RUNNING"]
    if running:
        return max(running, key=lambda task: task.created).task_definition
    return made.agent.task_definition if made.agent else ""


def _on_their_own(made: Made) -> list[Task]:
    """Strays that nobody has told to stop: those of a service that was removed end by themselves."""
    return [task for task in made.strays if task.desired_status != "STOPPED"]


def _definition(aws: Any, arn: str) -> dict[str, Any]:
    with aws.doing(f"look at the task definition {arn.rpartition('/')[2]}"):
        told: dict[str, Any] = aws.ecs.describe_task_definition(taskDefinition=arn)["taskDefinition"]
    return told


def _size(definition: Mapping[str, Any]) -> tuple[str, str]:
    return str(definition.get("cpu", "")), str(definition.get("memory", ""))


def _cost(made: Made, idle: Mapping[str, tuple[str, str]]) -> Estimate:
    """Agents and code servers; runs come and go."""
    from hybrid.costs.aws import Footprint, TaskSize, estimate
    from hybrid.costs.aws_prices import US_EAST_1

    def sizes(what: str, tasks: Sequence[Task]) -> list[TaskSize]:
        counted: dict[tuple[str, str], int] = {}
        for task in tasks:
            if task.cpu.isdigit() and task.memory.isdigit():
                counted[task.cpu, task.memory] = counted.get((task.cpu, task.memory), 0) + 1
        return [TaskSize(what, int(cpu), int(memory), count) for (cpu, memory), count in counted.items()]

    servers = [task for server in made.servers for task in server.tasks]
    return estimate(Footprint((*sizes("agent", made.agent_tasks), *sizes("code server", servers))), US_EAST_1)


def _service(service: Service, tasks: Sequence[Task], image: str | None) -> dict[str, Any]:
    deployment = service.primary
    return {
        "name": service.name,
        "status": service.status,
        "desired": service.desired,
        "running": service.running,
        "pending": service.pending,
        "task_definition": service.task_definition,
        "image": image,
        "version": _version(image),
        "tasks": [
            {
                "id": task.id,
                "status": task.status,
                "health": task.health,
                "cpu": task.cpu,
                "memory": task.memory,
                "started_at": task.started.isoformat() if task.started else None,
            }
            for task in tasks
        ],
        "deployment": {
            "state": deployment.rollout,
            "reason": deployment.reason,
            "failed_tasks": deployment.failed,
            "created_at": deployment.created.isoformat(),
        }
        if deployment
        else None,
        "events": [event.message for event in service.events[:_EVENTS]],
    }


def _code_server(server: CodeServer, idle: Mapping[str, tuple[str, str]], *, orphan: bool) -> dict[str, Any]:
    service = server.service
    cpu, memory = (server.tasks[0].cpu, server.tasks[0].memory) if server.tasks else idle.get(service.arn, ("", ""))
    return {
        "service": service.name,
        "location": service.location,
        "deployment": service.tags.get("dagster/deployment_name", ""),
        "agent_id": server.agent_id,
        "orphan": orphan,
        "desired": service.desired,
        "running": service.running,
        "cpu": cpu,
        "memory": memory,
    }


def _run(task: Task) -> dict[str, Any]:
    return {
        "run_id": task.run_id,
        "job": task.job,
        "task": task.id,
        "status": task.status,
        "cpu": task.cpu,
        "memory": task.memory,
        "started_at": task.started.isoformat() if task.started else None,
    }


def _version(image: str | None) -> str | None:
    tag = (image or "").partition("@")[0].rpartition("/")[2].partition(":")[2]
    return tag or None


def _remarks(made: Made) -> Iterator[Remark]:
    """What the agent's service has said of late, when it is not as wanted."""
    service = made.agent
    if service is not None and not _is_well(service):
        for event in service.events[:_EVENTS]:
            yield Remark(event.message)


def _is_well(service: Service) -> bool:
    return service.running == service.desired and service.is_active and _state(service) != "FAILED"


def _state(service: Service) -> str:
    return service.primary.rollout if service.primary else service.status


def _service_row(table: Table, standing: EcsStanding) -> None:
    from rich.text import Text

    service = standing.made.agent if standing.made else None
    if service is None:
        name = standing.place.service
        table.add_row("service", Text(name), Text("NOT THERE", style="red"), "the cluster has none of this name")
        return
    state = _state(service)
    count = Text(f"{service.running}/{service.desired} running", style="green" if _is_well(service) else "red")
    health = ", ".join(sorted({task.health for task in standing.made.agent_tasks})) if standing.made else ""
    made = standing.made
    revision = (_running_definition(made) if made else service.task_definition).rpartition("/")[2]
    version = _version(standing.image) or standing.image or "?"
    table.add_row("service", Text(service.name), count, Text(f"{revision}  {version}  {health}  {state}".strip()))


def _server_row(table: Table, server: CodeServer, idle: Mapping[str, tuple[str, str]], *, orphan: bool) -> None:
    from rich.text import Text

    service = server.service
    good = service.running == service.desired and not orphan
    word = f"{service.running}/{service.desired} running" + ("  ORPHAN" if orphan else "")
    cpu, memory = (server.tasks[0].cpu, server.tasks[0].memory) if server.tasks else idle.get(service.arn, ("?", "?"))
    where = service.tags.get("dagster/deployment_name", "")
    size = f"{cpu} CPU  {memory} MiB"
    table.add_row(
        "server", Text(service.location), Text(word, style="green" if good else "yellow"), Text(f"{where}  {size}")
    )


def _shown(task: Task) -> str:
    return f"{task.cpu or '?'} CPU  {task.memory or '?'} MiB"
