"""A checkout whose stack `prod` is of kind ``ecs``, between the double of ECS, an organization that an emulator serves
and the tests' registry: `hybrid up prod` builds, pushes, and brings up the real agent."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from agent.ecs_names import EcsNames
from hybrid.plus import Endpoint, PlusClient, api_token
from tests.containers.stand import Containers
from tests.emulated.checkout import Answer, Checkout, until
from tests.emulated.served import ServedOrganization
from tests.standins.ecs.client import EcsLab
from tests.standins.ecs.place import TASK_LABEL
from tests.standins.ecs.record import RecordedCall

STACK: Final = "prod"
_SECONDS: Final = 900.0

CODE: Final = """
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
# It loads on this machine, where the gate looks at it, and not in its container.
BROKEN_IN_ITS_CONTAINER: Final = (
    """
from pathlib import Path

if Path("/opt/dagster/app").exists():
    raise RuntimeError("only in the container")
"""
    + CODE
)


class EcsCheckout:
    """Locations ``alpha`` and ``beta``, both of ``CODE``. ``settings`` are the stack file's, without ``hybrid:``."""

    def __init__(
        self, root: Path, lab: EcsLab, plus: ServedOrganization, containers: Containers, agent_image: str, plugin: str
    ) -> None:
        self.lab, self.plus, self.containers = lab, plus, containers
        self.names = EcsNames.of(STACK, lab.account, lab.region)
        self.checkout = Checkout(root / "checkout", shared=root / "environments")
        self.file = self.checkout.root / "stacks" / f"Pulumi.{STACK}.yaml"
        for name in ("alpha", "beta"):
            self.code(name, "one")
        self._environment = self._variables(plugin)
        self.settings = self._settings(agent_image)

    # what a person changes

    def code(self, name: str, version: str, code: str = CODE) -> None:
        self.checkout.location(name, code.replace("{version}", version), requirements=("boto3",))

    @property
    def settings(self) -> dict[str, Any]:
        """As the stack file has them now: commands write it, too."""
        config = yaml.safe_load(self.file.read_text(encoding="utf-8"))["config"]
        return {key.removeprefix("hybrid:"): value for key, value in config.items() if key.startswith("hybrid:")}

    @settings.setter
    def settings(self, settings: Mapping[str, Any]) -> None:
        kept = yaml.safe_load(self.file.read_text(encoding="utf-8")) if self.file.exists() else {}
        others = {key: value for key, value in kept.get("config", {}).items() if not key.startswith("hybrid:")}
        kept["config"] = {**others, **{f"hybrid:{key}": value for key, value in settings.items()}}
        self.file.write_text(yaml.safe_dump(kept, sort_keys=False), encoding="utf-8")

    def change(self, part: str, **values: Any) -> None:
        """Set keys of a part (``agent``, ``aws``); None takes one out."""
        settings = self.settings
        changed = {**settings.get(part, {}), **values}
        settings[part] = {key: value for key, value in changed.items() if value is not None}
        self.settings = settings

    # what a person runs

    def hybrid(self, *arguments: str, timeout: float = _SECONDS, **more: str) -> Answer:
        return self.checkout.hybrid(*arguments, timeout=timeout, **{**self._environment, **more})

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return self.checkout.start(*arguments, **self._environment)

    def up(self, *arguments: str) -> Answer:
        answer = self.hybrid("up", STACK, "--yes", *arguments)
        assert answer.code == 0, f"`hybrid up {STACK}` ended with {answer.code}:\n{answer.err}\n{self.trouble()}"
        return answer

    def status(self) -> dict[str, Any]:
        answer = self.hybrid("status", STACK, "--json")
        assert answer.out.startswith("{"), f"`hybrid status {STACK}` ended with {answer.code}:\n{answer.err}"
        return dict(answer.document)

    # what stands

    def client(self, service: str) -> Any:
        return self.lab.client(service)

    def dagster_plus(self) -> PlusClient:
        endpoint = Endpoint(url=self.plus.url, organization="acme", deployment=STACK)
        return PlusClient(endpoint, api_token({"DAGSTER_CLOUD_API_TOKEN": self.plus.token}, None))

    def tokens(self) -> dict[int, bool]:
        """The agent tokens by id: whether each is still good."""
        with self.dagster_plus() as client:
            return {token.id: not token.revoked for token in client.agent_tokens()}

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

    def images(self) -> dict[str, str]:
        """What Dagster+ says that each location is loaded from."""
        return {each["name"]: each["image"] for each in self.status()["locations"]}

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

    def until(self, condition: Any, *, seconds: float, what: str) -> Any:
        """As ``tests.emulated.checkout.until``; the failure says what happened last in AWS."""
        try:
            return until(condition, seconds=seconds, what=what)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.trouble()}") from error

    def trouble(self) -> str:
        """What may explain a failure."""
        denied = [f"{call.name} as {call.role}: {call.reason}" for call in self.denied()]
        events = [json.dumps(event) for event in self.lab.events[-10:]]
        return "\n".join(["Denied:", *denied[-5:], "Events:", *events, "The agent's log:", self.agent_log()[-4000:]])

    def destroy(self) -> None:
        self.hybrid("down", STACK, "--yes")
        self.checkout.destroy()

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
        images: dict[str, Any] = {"pythonImage": self.containers.python_image}
        if self.containers.certificates:
            images["certificates"] = str(self.containers.certificates)
        return {
            "organization": "acme",
            "url": f"http://{self.lab.gateway}:{self.plus.port}",
            "deployment": STACK,
            "aws": {"account": self.lab.account, "region": self.lab.region},
            "agent": {
                "kind": "ecs",
                "image": agent_image,
                "startupTimeoutSeconds": 60,
                "ecsTimeoutSeconds": 120,
                "environment": {"DAGSTER_CLOUD_AGENT_SLEEP_INTERVAL_SECONDS": "0.2"},
            },
            "registry": {"address": f"{self.containers.registry}/ecs{self.plus.port}"},
            "images": images,
        }

    def _variables(self, plugin: str) -> dict[str, str]:
        """What the shell has beyond the checkout's own. Not all of it: a HYBRID_ROOT would lead elsewhere."""
        environ = self.containers.environ
        docker = {name: value for name, value in environ.items() if name.startswith("DOCKER_")}
        given = {
            **self.lab.environment,
            **docker,
            "DAGSTER_CLOUD_API_TOKEN": self.plus.token,
            "PULUMI_CONFIG_PASSPHRASE": "of a test",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "PATH": os.pathsep.join([*([plugin] if plugin else []), environ["PATH"]]),
        }
        if plugin:  # the official one lives in Pulumi's home
            given["PULUMI_HOME"] = str(self.checkout.root / ".hybrid" / "pulumi-home")
        return given


def _tags(service: Mapping[str, Any]) -> dict[str, str]:
    return {tag["key"]: tag["value"] for tag in service.get("tags", [])}
