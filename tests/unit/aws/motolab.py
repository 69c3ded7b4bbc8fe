"""moto's ECS in this process, with services and tasks put into any state that a test wants: moto itself starts no task,
and its own move by themselves from look to look. ``Lab.refuse`` lets one call be answered by an error."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta

import boto3
import botocore.client
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.ec2 import ec2_backends
from moto.ecs.models import EC2ContainerServiceBackend, Task, ecs_backends

ACCOUNT = "123456789012"
REGION = "eu-central-1"
STACK = "hybrid-test"
CLUSTER = "hybrid-test"
SERVICE = "hybrid-test-agent"
GROUP = "/hybrid-test/code"
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


class Lab:
    """A cluster with a log group, a namespace and the agent's service. ``calls`` are the names of all calls."""

    def __init__(self, monkeypatch):
        self.calls: list[str] = []
        self.faults: dict[str, list[Exception]] = {}
        self.hooks: dict[str, object] = {}
        self._moment = 0
        self._patch(monkeypatch)
        self.ecs = boto3.client("ecs", region_name=REGION)
        self.logs = boto3.client("logs", region_name=REGION)
        self.names = boto3.client("servicediscovery", region_name=REGION)
        self.ecs.create_cluster(clusterName=CLUSTER)
        self.logs.create_log_group(logGroupName=GROUP)
        self.backend: EC2ContainerServiceBackend = ecs_backends[ACCOUNT][REGION]
        self.definition = self.define("hybrid-test-agent")

    def _patch(self, monkeypatch):
        own_list, own_call = EC2ContainerServiceBackend.list_services, botocore.client.BaseClient._make_api_call

        def list_services(backend, *arguments, **more):
            active = {one.arn for one in backend.services.values() if one.status == "ACTIVE"}
            return [arn for arn in own_list(backend, *arguments, **more) if arn in active]

        def call(client, operation, parameters):
            self.calls.append(operation)
            if self.faults.get(operation):
                raise self.faults[operation].pop(0)
            if operation in self.hooks:
                self.hooks[operation](parameters)
            return own_call(client, operation, parameters)

        # moto lists what is deleted, and lets tasks go on from look to look
        monkeypatch.setattr(EC2ContainerServiceBackend, "list_services", list_services)
        monkeypatch.setattr(Task, "advance", lambda task: None)
        monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", call)

    def define(self, family, *, health=False, container="dagster"):
        described = {
            "name": container,
            "image": "acme/hello:1",
            "memory": 128,
            "logConfiguration": {
                "logDriver": "awslogs",
                "options": {"awslogs-group": GROUP, "awslogs-stream-prefix": family, "awslogs-region": REGION},
            },
            **({"healthCheck": {"command": ["CMD", "true"]}} if health else {}),
        }
        told = self.ecs.register_task_definition(family=family, containerDefinitions=[described])
        return told["taskDefinition"]["taskDefinitionArn"]

    def service(self, name=SERVICE, *, definition=None, desired=1, running=1, tags=None, **changes):
        given = {"dagster-hybrid/stack": STACK} if tags is None else tags
        self.ecs.create_service(
            cluster=CLUSTER, serviceName=name, taskDefinition=definition or self.definition, desiredCount=desired,
            tags=[{"key": key, "value": value} for key, value in given.items()],
        )  # fmt: skip
        service = self.backend.services[f"{CLUSTER}:{name}"]
        service.running_count, service.pending_count = running, desired - running
        service.deployments[0] |= {"runningCount": running, "pendingCount": desired - running}
        self.change(service, **changes)
        return service

    def change(self, service, **changes):
        """``rollout``, ``reason``, ``definition``: of its deployment; everything else of the service."""
        names = {"rollout": "rolloutState", "reason": "rolloutStateReason", "definition": "taskDefinition"}
        for name, value in changes.items():
            if name in names:
                service.deployments[0][names[name]] = value
            else:
                setattr(service, name, value)

    def event(self, service, message):
        service.events.insert(0, {"id": message, "createdAt": datetime.now(UTC), "message": message})

    def server(self, name, **more):
        """A code server of an agent."""
        tags = {"dagster-hybrid/stack": STACK, "dagster/agent_id": "a1", "dagster/location_name": name}
        return self.service(f"{name}-prod-abc123", tags=tags | more.pop("tags", {}), **more)

    def task(self, service="", *, definition=None, status="RUNNING", tags=None, lines=(), **changes):
        """A task; ``lines`` are its log. ``exit_code`` and ``reason`` are its container's."""
        given = {"dagster-hybrid/stack": STACK} if tags is None else tags
        self._moment += 1
        made = Task(
            self.backend.clusters[CLUSTER],
            self.backend.describe_task_definition(definition or self.definition),
            None,
            {},
            self.backend,
            f"service:{service}" if service else "family:run",
            tags=[{"key": key, "value": value} for key, value in given.items()],
        )
        moment = NOW + timedelta(seconds=self._moment)
        made._status, made.desired_status = status, "STOPPED" if status in {"STOPPED", "DEPROVISIONING"} else "RUNNING"
        made.created_at = made.started_at = moment
        made.health_status = "UNKNOWN"
        if status == "STOPPED":
            made.stopped_at = moment + timedelta(seconds=5)
        container = made.containers[0]
        container.exitCode, container.reason = changes.pop("exit_code", None), changes.pop("reason", None)
        container.health_status = "UNKNOWN"
        for name, value in changes.items():
            setattr(made, name, value)
        self.backend.tasks.setdefault(CLUSTER, {})[made.task_arn] = made
        self.log(made, lines)
        return made

    def log(self, task, lines):
        if not lines:
            return
        family = task.task_definition_arn.rpartition("/")[2].partition(":")[0]
        stream = f"{family}/dagster/{task.id}"
        self.logs.create_log_stream(logGroupName=GROUP, logStreamName=stream)
        at = int(datetime.now(UTC).timestamp() * 1000)
        events = [{"timestamp": at + index, "message": line} for index, line in enumerate(lines)]
        self.logs.put_log_events(logGroupName=GROUP, logStreamName=stream, logEvents=events)

    def namespace(self, name="hybrid-test.local"):
        vpc = ec2_backends[ACCOUNT][REGION].create_vpc("10.0.0.0/16").id
        operation = self.names.create_private_dns_namespace(Name=name, Vpc=vpc)["OperationId"]
        return self.names.get_operation(OperationId=operation)["Operation"]["Targets"]["NAMESPACE"]

    def register(self, namespace, name, *, tags=None, instances=1):
        """A name with as many addresses."""
        given = {"dagster-hybrid/stack": STACK} if tags is None else tags
        id = self.names.create_service(
            Name=name, NamespaceId=namespace, DnsConfig={"DnsRecords": [{"Type": "A", "TTL": 60}]},
            Tags=[{"Key": key, "Value": value} for key, value in given.items()],
        )["Service"]["Id"]  # fmt: skip
        for index in range(instances):
            self.names.register_instance(
                ServiceId=id, InstanceId=f"i{index}", Attributes={"AWS_INSTANCE_IPV4": f"10.0.0.{index + 4}"}
            )
        return id

    def names_left(self):
        return sorted(one["Name"] for one in self.names.list_services()["Services"])

    def refuse(self, operation, code, message="no", times=1):
        fault = ClientError({"Error": {"Code": code, "Message": message}}, operation)
        self.faults[operation] = [fault] * times


@contextlib.contextmanager
def laboratory(monkeypatch):
    for name, value in {
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "y",
        "AWS_EC2_METADATA_DISABLED": "1",
    }.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    with mock_aws():
        yield Lab(monkeypatch)
