"""Small tasks on the double of ECS: a shell of the tests' base image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from tests.ecs.account import Account
from tests.standins.ecs.client import EcsLab

OBEDIENT: Final = "trap 'exit 0' TERM; while :; do sleep 0.1; done"
"""Runs until it is asked to end."""


@dataclass
class SmallTasks:
    """Registers, runs and asks. ``role`` and ``execution_role`` are those of user code."""

    account: Account
    image: str

    @property
    def lab(self) -> EcsLab:
        return self.account.lab

    @property
    def ecs(self) -> Any:
        return self.lab.client("ecs")

    @property
    def cluster(self) -> str:
        return self.account.names.cluster

    def container(self, script: str, *, name: str = "main", **more: Any) -> dict[str, Any]:
        """A container that runs ``script`` in a shell and logs to the group of user code."""
        options = {"awslogs-group": self.account.names.code_log_group, "awslogs-region": self.lab.region}
        return {
            "name": name,
            "image": self.image,
            "essential": True,
            "command": ["sh", "-c", script],
            "stopTimeout": 2,
            "logConfiguration": {"logDriver": "awslogs", "options": {**options, "awslogs-stream-prefix": "small"}},
            **more,
        }

    def define(self, family: str, *containers: dict[str, Any], **more: Any) -> str:
        """The ARN of a task definition."""
        made = self.ecs.register_task_definition(
            family=family,
            networkMode="awsvpc",
            requiresCompatibilities=["FARGATE"],
            **{
                "cpu": "256",
                "memory": "512",
                "taskRoleArn": self.account.roles["code"],
                "executionRoleArn": self.account.roles["code-execution"],
                **more,
            },
            containerDefinitions=list(containers),
        )
        return str(made["taskDefinition"]["taskDefinitionArn"])

    def run(self, definition: str) -> str:
        """The ARN of a task that was started."""
        (task,) = self.ecs.run_task(
            cluster=self.cluster,
            taskDefinition=definition,
            launchType="FARGATE",
            networkConfiguration=self.account.network,
        )["tasks"]
        return str(task["taskArn"])

    def serve(self, name: str, definition: str, count: int = 1, **more: Any) -> None:
        self.ecs.create_service(
            cluster=self.cluster,
            serviceName=name,
            taskDefinition=definition,
            desiredCount=count,
            launchType="FARGATE",
            networkConfiguration=self.account.network,
            **more,
        )

    def update(self, name: str, **changes: Any) -> None:
        self.ecs.update_service(cluster=self.cluster, service=name, **changes)

    def task(self, arn: str) -> dict[str, Any]:
        (found,) = self.ecs.describe_tasks(cluster=self.cluster, tasks=[arn])["tasks"]
        return dict(found)

    def service(self, name: str) -> dict[str, Any]:
        (found,) = self.ecs.describe_services(cluster=self.cluster, services=[name])["services"]
        return dict(found)

    def tasks_of(self, service: str, status: str = "RUNNING") -> list[dict[str, Any]]:
        found = self.ecs.list_tasks(cluster=self.cluster, serviceName=service, desiredStatus=status)["taskArns"]
        return list(self.ecs.describe_tasks(cluster=self.cluster, tasks=found)["tasks"]) if found else []

    def until_stopped(self, arn: str, *, seconds: float = 30) -> dict[str, Any]:
        stopped = lambda: (found := self.task(arn))["lastStatus"] == "STOPPED" and found  # noqa: E731
        return dict(self.lab.until(stopped, seconds=seconds, what="the task has stopped"))

    def until_steady(self, name: str, *, seconds: float = 30) -> dict[str, Any]:
        """The service, once its newest deployment is complete and alone."""

        def steady() -> dict[str, Any] | None:
            found = self.service(name)
            done = [one["rolloutState"] for one in found["deployments"]] == ["COMPLETED"]
            return found if done and found["runningCount"] == found["desiredCount"] else None

        return dict(self.lab.until(steady, seconds=seconds, what=f"{name} has a steady state"))

    def delete(self, name: str) -> None:
        self.ecs.delete_service(cluster=self.cluster, service=name, force=True)

    def log(self, task: str, container: str = "main") -> list[str]:
        """The lines of a container's stream."""
        found = self.lab.client("logs").get_log_events(
            logGroupName=self.account.names.code_log_group, logStreamName=f"small/{container}/{task.split('/')[-1]}"
        )
        return [event["message"] for event in found["events"]]
