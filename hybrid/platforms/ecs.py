"""An ECS stack's agent for the commands: a service on Fargate, a service for each code server, a task for each run."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from hybrid.platforms.commands import LogRequest, PlatformCommands, RunningAgent, Say
from hybrid.platforms.ecs_place import EcsPlace

if TYPE_CHECKING:
    from agent.ecs_spec import EcsAgentSpec
    from hybrid.costs.estimate import Estimate
    from hybrid.platforms.ecs_logs import CloudWatchLog
    from hybrid.platforms.ecs_standing import EcsStanding
    from hybrid.plus import Agent
    from hybrid.toolchain.doctor import Finding

_YAML_VARIABLE: Final = "HYBRID_DAGSTER_YAML"  # in the agent's container (agent/ecs_task.py)


@dataclass(frozen=True)
class EcsCommands(PlatformCommands):
    """See the module."""

    spec: EcsAgentSpec

    @cached_property
    def place(self) -> EcsPlace:
        return EcsPlace.of(self.stack.who, self.spec)

    def check_beforehand(self) -> None:
        self.place.door().check_account()

    def logs(self, wanted: LogRequest, say: Say) -> None:
        aws, log = self.place.door(), self._log(wanted)
        found = log.last(aws, wanted.lines)
        for line in found:
            say(log.line(line))
        if wanted.follow:
            for line in log.followed(aws, found):
                say(log.line(line))
        elif not found:
            self.report(
                f"Nothing of {log.what} in {log.group} since {log.since.astimezone():%Y-%m-%d %H:%M}. Next: a larger "
                f"--since, or `hybrid status {self.place.stack}` for why it does not run."
            )

    def _log(self, wanted: LogRequest) -> CloudWatchLog:
        from hybrid.platforms.ecs_logs import CloudWatchLog

        since = datetime.now(UTC) - wanted.within
        if wanted.run is not None:
            with self.plus() as client:
                run = client.run(wanted.run)
            return CloudWatchLog.of_run(self.stack, self.place, run)
        if wanted.location is not None:
            return CloudWatchLog.of_location(self.stack, self.place, wanted.location, since)
        return CloudWatchLog.of_agent(self.place, since)

    def shell(self, location: str | None, command: str, *, checked: bool) -> list[str]:
        from hybrid.platforms.ecs_shell import ecs_exec, refuse_without_exec, require_tools

        if not self.spec.exec:
            raise refuse_without_exec(self.place)
        if checked:
            require_tools()
        return ecs_exec(self.stack, self.place, location, command)

    def stop_agent(self) -> bool:
        return False

    @property
    def single(self) -> None:
        return None

    def agents_running(self) -> int:
        from hybrid.aws.services import service_named

        found = service_named(self.place.door(), self.place.cluster, self.place.service)
        return found.running if found else 0

    @property
    def agent_image(self) -> str:
        return self.spec.image

    def agent_running(self) -> RunningAgent:
        from hybrid.aws.errors import AwsError
        from hybrid.aws.services import service_named

        place, aws = self.place, self.place.door()
        try:
            service = service_named(aws, place.cluster, place.service)
            if service is None or not service.is_active:
                return RunningAgent(unknown=f"there is no service {place.service} in the cluster {place.cluster}")
            with aws.doing(f"look at the task definition of {place.service}"):
                told: Any = aws.ecs.describe_task_definition(taskDefinition=service.task_definition)["taskDefinition"]
        except AwsError as error:
            return RunningAgent(unknown=error.what)
        container = (told.get("containerDefinitions") or [{}])[0]
        variables = {each["name"]: each["value"] for each in container.get("environment", [])}
        return RunningAgent(container.get("image"), variables.get(_YAML_VARIABLE))

    def standing(self, agents: Sequence[Agent]) -> EcsStanding:
        from hybrid.platforms.ecs_standing import ecs_standing

        return ecs_standing(self.place, agents)

    def images_in_use(self, registry: str, asked: set[object]) -> Iterator[tuple[str, str]]:
        from hybrid.aws.registry import EcrAddress
        from hybrid.platforms.ecs_images import images_in_cluster

        yield self.spec.image, f"the agent of the stack {self.place.stack}"
        address = EcrAddress.parse(registry)
        cluster = (self.place.account, self.place.region, self.place.cluster)
        if address is not None and address.account == self.place.account and cluster not in asked:
            asked.add(cluster)
            yield from images_in_cluster(self.place)

    def findings(self) -> list[Finding]:
        from hybrid.aws.errors import AwsDenied
        from hybrid.toolchain import find_pulumi
        from hybrid.toolchain.aws_doctor import AwsNeeds, check_aws

        place, aws = self.place, self.place.door()

        def ask_caller() -> str:
            aws.check_account()
            return aws.caller().arn

        def ask_region() -> None:
            # who may not list them has got an answer all the same
            with contextlib.suppress(AwsDenied), aws.doing(f"list the clusters of {place.region}"):
                aws.ecs.list_clusters(maxResults=1)

        needs = AwsNeeds(place.region, place.account, self.spec.exec, ask_caller, ask_region)
        return check_aws(needs, os.environ, find_pulumi())

    def monthly_cost(self) -> Estimate:
        from hybrid.platforms.ecs_costs import monthly

        return monthly(self.stack, self.spec)
