"""A checkout whose stack `prod` is of kind ``ecs``, between the double of ECS, an organization that an emulator serves
and the tests' registry: `hybrid up prod` builds, pushes, and brings up the real agent."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from agent.ecs_names import EcsNames
from tests.containers.stand import Containers
from tests.emulated.served import ServedOrganization
from tests.emulated.stack_checkout import STACK, StackCheckout
from tests.standins.ecs.client import EcsLab
from tests.standins.ecs.place import TASK_LABEL
from tests.standins.ecs.record import RecordedCall

_CODE: Final = """
import os

import boto3
import dagster as dg

VERSION = "{version}"

@dg.op
def keep(context: dg.OpExecutionContext) -> None:
    key = f"{os.environ['HYBRID_ASSETS_PREFIX']}/{context.run_id}"
    boto3.client("s3").put_object(Bucket=os.environ["HYBRID_BUCKET"], Key=key, Body=VERSION.encode())

@dg.job(executor_def=dg.in_process_executor)
def keeping() -> None:
    keep()

defs = dg.Definitions(jobs=[keeping])
"""


class EcsCheckout(StackCheckout):
    """See the module."""

    CODE = _CODE
    requirements = ("boto3",)

    def __init__(
        self, root: Path, lab: EcsLab, plus: ServedOrganization, containers: Containers, agent_image: str, plugin: str
    ) -> None:
        super().__init__(root, plus, containers, plugin, **lab.environment)
        self.lab = lab
        self.names = EcsNames.of(STACK, lab.account, lab.region)
        self.settings = self._settings(agent_image)

    # what stands

    def client(self, service: str) -> Any:
        return self.lab.client(service)

    def services(self) -> dict[str, dict[str, Any]]:
        """The active services of the stack's cluster by name; none when the cluster is gone."""
        ecs, cluster = self.client("ecs"), self.names.cluster
        found = ecs.describe_clusters(clusters=[cluster])["clusters"]
        if not any(each["status"] == "ACTIVE" for each in found):
            return {}
        arns = ecs.list_services(cluster=cluster)["serviceArns"]
        told = ecs.describe_services(cluster=cluster, services=arns, include=["TAGS"])["services"] if arns else []
        return {each["serviceName"]: each for each in told if each["status"] == "ACTIVE"}

    def agent_tasks(self) -> list[str]:
        """The ids of the agent's running tasks."""
        return [task for task, service in self._running().items() if service == self.names.service]

    def servers(self) -> dict[str, set[str]]:
        """The ids of the containers of running code servers, by location."""
        locations = {name: _tags(each).get("dagster/location_name", "") for name, each in self.services().items()}
        found: dict[str, set[str]] = {}
        for task, service in self._running().items():
            if location := locations.get(service):
                listed = self.containers.run("ps", "--quiet", "--filter", f"label={TASK_LABEL}={task}")
                found.setdefault(location, set()).update(listed.split())
        return found

    def names_of_cloud_map(self) -> list[str]:
        return [each["Name"] for each in self.client("servicediscovery").list_services()["Services"]]

    def agent_log(self) -> str:
        logs = self.client("logs")
        try:
            streams = logs.describe_log_streams(logGroupName=self.names.agent_log_group)["logStreams"]
        except logs.exceptions.ResourceNotFoundException:
            return ""
        return "\n".join(
            event["message"]
            for stream in streams
            for event in logs.get_log_events(
                logGroupName=self.names.agent_log_group, logStreamName=stream["logStreamName"], limit=10_000
            )["events"]
        )

    def denied(self) -> list[RecordedCall]:
        return [call for call in self.lab.calls if not call.allowed]

    def trouble(self) -> str:
        """What may explain a failure."""
        denied = [f"{call.name} as {call.role}: {call.reason}" for call in self.denied()]
        events = [json.dumps(event) for event in self.lab.events[-10:]]
        return "\n".join(["Denied:", *denied[-5:], "Events:", *events, "The agent's log:", self.agent_log()[-4000:]])

    def _running(self) -> dict[str, str]:
        """The running tasks of services: the service's name by the task's id."""
        ecs, cluster = self.client("ecs"), self.names.cluster
        arns = ecs.list_tasks(cluster=cluster, desiredStatus="RUNNING")["taskArns"]
        told = ecs.describe_tasks(cluster=cluster, tasks=arns)["tasks"] if arns else []
        return {
            task["taskArn"].rpartition("/")[2]: task["group"].removeprefix("service:")
            for task in told
            if task["lastStatus"] == "RUNNING" and task["group"].startswith("service:")
        }

    def _settings(self, agent_image: str) -> dict[str, Any]:
        return self.settled(
            self.lab.gateway,
            aws={"account": self.lab.account, "region": self.lab.region},
            agent={
                "kind": "ecs",
                "image": agent_image,
                "startupTimeoutSeconds": 60,
                "ecsTimeoutSeconds": 120,
                "environment": {"DAGSTER_CLOUD_AGENT_SLEEP_INTERVAL_SECONDS": "0.2"},
            },
            registry={"address": f"{self.containers.registry}/ecs{self.plus.port}"},
        )


def _tags(service: Mapping[str, Any]) -> dict[str, str]:
    return {tag["key"]: tag["value"] for tag in service.get("tags", [])}
