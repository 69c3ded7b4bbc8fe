"""The calls that an agent makes, recorded from dagster-cloud's and dagster-aws's own code, phase by phase.

Their clients run here for real; below them, in place of AWS, are answers that lead them through each phase. What ECS
does by an execution role, and what user code asks of the bucket, is written down: no code of theirs makes those calls.
"""

from __future__ import annotations

import asyncio
import datetime
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

from botocore.exceptions import ClientError

from agent.ecs_names import STACK_TAG
from tests.standins.iam import stack

SUBNETS = ["subnet-0a", "subnet-0b"]
GROUPS = ["sg-0c"]


@dataclass(frozen=True)
class Call:
    phase: str
    role: str
    """The ARN of the role that makes it."""
    service: str
    operation: str
    params: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        who = self.role.rsplit("/", 1)[-1].removeprefix(f"{stack.NAMES.base}-")
        return f"{self.phase}: {who} {self.service}:{self.operation}"


class Answers:
    """AWS's side. ``task_status`` and ``tasks_stopped`` lead the agent from one phase to the next."""

    def __init__(self) -> None:
        self.task_status = "RUNNING"
        self.tasks_stopped = False
        self.namespace = stack.NAMESPACE
        self.registered: set[str] = set()
        self.seen: list[tuple[str, str, dict[str, Any]]] = []

    def __call__(self, service: str, operation: str, params: dict[str, Any]) -> Mapping[str, Any]:
        self.seen.append((service, operation, params))
        answer = getattr(self, f"_{service}_{operation}", None)
        if answer is None:
            raise AssertionError(f"{service}:{operation} has no answer here: the agent makes a call that is new")
        return answer(params)

    def _ecs_ListServices(self, params: dict[str, Any]) -> Mapping[str, Any]:
        return {"serviceArns": [stack.SERVER_ARN, stack.AGENT_SERVICE_ARN]}

    def _ecs_DescribeServices(self, params: dict[str, Any]) -> Mapping[str, Any]:
        registry = [] if stack.AGENT_SERVICE_ARN in params["services"] else [{"registryArn": stack.SERVER_NAME}]
        count = 0 if self.tasks_stopped else 1
        made = datetime.datetime.now(datetime.UTC)
        service = {"serviceRegistries": registry, "desiredCount": 1, "runningCount": count, "createdAt": made}
        return {"services": [service]}

    def _ecs_ListTasks(self, params: dict[str, Any]) -> Mapping[str, Any]:
        return {"taskArns": [stack.SERVER_TASK]}

    def _ecs_DescribeTasks(self, params: dict[str, Any]) -> Mapping[str, Any]:
        family = stack.RUN_FAMILY if stack.RUN_TASK in params["tasks"] else stack.SERVER_FAMILY
        address = {"name": "privateIPv4Address", "value": "10.0.0.7"}
        task = {
            "taskArn": params["tasks"][0],
            "lastStatus": self.task_status,
            "taskDefinitionArn": stack.NAMES.arn("ecs", f"task-definition/{family}:7"),
            "stoppedReason": "Essential container in task exited",
            "createdAt": datetime.datetime.now(datetime.UTC),
            "attachments": [{"type": "ElasticNetworkInterface", "details": [address]}],
            "containers": [{"name": "dagster", "lastStatus": self.task_status, "exitCode": 1}],
        }
        return {"tasks": [task]}

    def _ecs_DescribeTaskDefinition(self, params: dict[str, Any]) -> Mapping[str, Any]:
        family = params["taskDefinition"].rsplit("/", 1)[-1].split(":")[0]
        if "/" not in params["taskDefinition"] and family not in self.registered:
            raise ClientError({"Error": {"Code": "ClientException"}}, "DescribeTaskDefinition")
        options = {"awslogs-group": stack.NAMES.code_log_group, "awslogs-stream-prefix": family}
        container = {"name": "dagster", "image": "x", "essential": True, "logConfiguration": {"options": options}}
        return {"taskDefinition": {"family": family, "containerDefinitions": [container]}}

    def _ecs_RegisterTaskDefinition(self, params: dict[str, Any]) -> Mapping[str, Any]:
        self.registered.add(params["family"])
        return {
            "taskDefinition": {"taskDefinitionArn": stack.NAMES.arn("ecs", f"task-definition/{params['family']}:7")}
        }

    def _ecs_ListAccountSettings(self, params: dict[str, Any]) -> Mapping[str, Any]:
        return {"settings": [{"name": "serviceLongArnFormat", "value": "enabled"}]}

    def _ecs_CreateService(self, params: dict[str, Any]) -> Mapping[str, Any]:
        return {"service": {"serviceArn": stack.SERVER_ARN}}

    def _ecs_UpdateService(self, params: dict[str, Any]) -> Mapping[str, Any]:
        return {}

    def _ecs_DeleteService(self, params: dict[str, Any]) -> Mapping[str, Any]:
        return {}

    def _ecs_RunTask(self, params: dict[str, Any]) -> Mapping[str, Any]:
        return {"tasks": [{"taskArn": stack.RUN_TASK, "clusterArn": stack.SCOPE.cluster_arn}], "failures": []}

    def _ecs_StopTask(self, params: dict[str, Any]) -> Mapping[str, Any]:
        return {}

    def _resourcegroupstaggingapi_GetResources(self, params: dict[str, Any]) -> Mapping[str, Any]:
        return {"ResourceTagMappingList": [{"ResourceARN": stack.SERVER_ARN}]}

    def _logs_GetLogEvents(self, params: dict[str, Any]) -> Mapping[str, Any]:
        return {"events": [{"message": "Traceback"}]}

    def _servicediscovery_ListTagsForResource(self, params: dict[str, Any]) -> Mapping[str, Any]:
        return {"Tags": [{"Key": key, "Value": value} for key, value in stack.SERVER_TAGS.items()]}

    def _servicediscovery_CreateService(self, params: dict[str, Any]) -> Mapping[str, Any]:
        return {"Service": {"Arn": stack.SERVER_NAME}}

    def _servicediscovery_GetNamespace(self, params: dict[str, Any]) -> Mapping[str, Any]:
        return {"Namespace": {"Name": stack.NAMES.namespace, "Arn": self.namespace}}

    def _servicediscovery_ListServices(self, params: dict[str, Any]) -> Mapping[str, Any]:
        return {"Services": [{"Name": stack.SERVER, "Id": "srv-aaaaaaaaaaaaaaaa", "Arn": stack.SERVER_NAME}]}

    def _servicediscovery_ListInstances(self, params: dict[str, Any]) -> Mapping[str, Any]:
        return {"Instances": [{"Id": "9" * 32}]}

    def _servicediscovery_RegisterInstance(self, params: dict[str, Any]) -> Mapping[str, Any]:
        return {"OperationId": "op-2"}

    def _sts_AssumeRole(self, params: dict[str, Any]) -> Mapping[str, Any]:
        self.namespace = stack.DISTANT_NAMESPACE
        end = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=1)
        return {"Credentials": {"AccessKeyId": "a", "SecretAccessKey": "b", "SessionToken": "c", "Expiration": end}}

    def _sts_GetCallerIdentity(self, params: dict[str, Any]) -> Mapping[str, Any]:
        return {"Account": stack.ACCOUNT}

    def _servicediscovery_DeregisterInstance(self, params: dict[str, Any]) -> Mapping[str, Any]:
        return {"OperationId": "op-1"}

    def _servicediscovery_GetOperation(self, params: dict[str, Any]) -> Mapping[str, Any]:
        return {"Operation": {"Status": "SUCCESS"}}

    def _servicediscovery_DeleteService(self, params: dict[str, Any]) -> Mapping[str, Any]:
        return {}

    def _secretsmanager_ListSecrets(self, params: dict[str, Any]) -> Mapping[str, Any]:
        return {"SecretList": [{"Name": "team/tagged", "ARN": stack.TAGGED}]}


@contextmanager
def answered(answers: Answers) -> Iterator[None]:
    """boto3's clients ask ``answers``; nothing leaves the process."""

    def call(client: Any, operation: str, params: dict[str, Any]) -> Mapping[str, Any]:
        return answers(client.meta.service_model.service_name, operation, params)

    environment = {"AWS_DEFAULT_REGION": stack.REGION, "AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none"}
    with mock.patch("botocore.client.BaseClient._make_api_call", call), mock.patch.dict("os.environ", environment):
        yield


def agent_calls() -> list[Call]:
    """Every call of an agent's life, by phase."""
    answers = Answers()
    calls: list[Call] = []

    def phase(name: str, act: Callable[[], Any]) -> None:
        answers.seen.clear()
        act()
        calls.extend(Call(name, stack.ROLES["agent"], *each) for each in answers.seen)

    with answered(answers):
        made: list[Any] = []
        phase("start", lambda: made.append(_launcher()))
        servers = made.pop()
        client = servers.client
        phase("start", lambda: [service.tags for service in client.list_services()])
        phase("server launch", lambda: made.append(_launch_server(client)))
        server = made[0]
        phase("find a location's servers", lambda: client.list_services({"dagster/location_hash": "0a1b2c3d"}))
        phase("clean-up", lambda: [service.create_timestamp for service in client.list_services()])
        answers.task_status, answers.tasks_stopped = "STOPPED", True
        phase("server fails", lambda: _fails(client))
        answers.task_status, answers.tasks_stopped = "RUNNING", False
        phase("update, removal and drain", lambda: client.delete_service(server))
        launcher, run = _run_launcher(servers)
        phase("run launch", lambda: launcher.launch_run(run))
        phase("run status", lambda: launcher.check_run_worker_health(run.dagster_run))
        answers.task_status = "STOPPED"
        phase("run worker died", lambda: launcher.check_run_worker_health(run.dagster_run))
        answers.task_status = "RUNNING"
        phase("run terminated", lambda: launcher.terminate(run.dagster_run.run_id))
    return calls


def other_account_calls() -> list[Call]:
    """As ``agent_calls``, of servers only, with the namespace in another account, whose role makes the calls of Cloud
    Map."""
    answers = Answers()
    with answered(answers):
        client = _launcher(service_discovery_role_arn=stack.MAP_ROLE).client
        if not client.uses_cross_account_service_discovery:
            raise AssertionError("the agent takes the namespace for its own account's")
        server = _launch_server(client)
        client.reconcile_service_discovery_instances(server)
        client.delete_service(server)
    whose = {"servicediscovery": stack.MAP_ROLE}
    return [Call("names in another account", whose.get(each[0], stack.ROLES["agent"]), *each) for each in answers.seen]


def tagged_secrets_calls() -> list[Call]:
    """What ``secrets_tag`` adds."""
    from dagster_aws.secretsmanager import get_tagged_secrets

    answers = Answers()
    with answered(answers):
        import boto3

        get_tagged_secrets(boto3.client("secretsmanager"), ["dagster"])
    return [Call("secrets by tag", stack.ROLES["agent"], *each) for each in answers.seen]


def _launcher(**more: Any) -> Any:
    """The launcher of code servers, configured as a stack configures it as far as its calls depend on it."""
    from dagster_cloud.workspace.ecs.launcher import EcsUserCodeLauncher

    tags = [{"key": STACK_TAG, "value": stack.NAMES.base}]
    return EcsUserCodeLauncher(
        cluster=stack.NAMES.cluster,
        subnets=SUBNETS,
        security_group_ids=GROUPS,
        execution_role_arn=stack.ROLES["code-execution"],
        task_role_arn=stack.ROLES["code"],
        log_group=stack.NAMES.code_log_group,
        service_discovery_namespace_id=stack.NAMESPACE.rsplit("/", 1)[-1],
        secrets=[{"name": "DAGSTER_CLOUD_AGENT_TOKEN", "valueFrom": stack.TOKEN}],
        assign_public_ip=False,
        server_task_definition_prefix=stack.NAMES.server_prefix,
        run_task_definition_prefix=stack.NAMES.run_prefix,
        server_ecs_tags=tags,
        run_ecs_tags=tags,
        **more,
    )


def _launch_server(client: Any) -> Any:
    service = client.create_service(
        name=stack.SERVER,
        family=stack.SERVER_FAMILY,
        image="123456789012.dkr.ecr.eu-central-1.amazonaws.com/hybrid-prod/sales@sha256:" + "0" * 64,
        container_name="dagster",
        command=["dagster", "code-server", "start"],
        execution_role_arn=stack.ROLES["code-execution"],
        task_role_arn=stack.ROLES["code"],
        tags=stack.SERVER_TAGS,
        secrets={"DAGSTER_CLOUD_AGENT_TOKEN": stack.TOKEN},
        cpu="256",
        memory="1024",
    )
    asyncio.run(client.wait_for_new_service(service, "dagster"))
    return service


def _fails(client: Any) -> None:
    """As when an update's tasks have stopped; the waiting itself is skipped."""
    from dagster_cloud.workspace.ecs.client import EcsServiceError

    for stopped in client._check_for_stopped_tasks(stack.SERVER):
        try:
            client.assert_task_not_stopped(stopped["taskArn"], "dagster")
        except EcsServiceError:
            continue
        raise AssertionError("a stopped task passes for a running one")


def _run_launcher(servers: Any) -> tuple[Any, Any]:
    from dagster._core.code_pointer import ModuleCodePointer
    from dagster._core.launcher.base import LaunchRunContext
    from dagster._core.origin import JobPythonOrigin, RepositoryPythonOrigin
    from dagster._core.storage.dagster_run import DagsterRun
    from dagster_cloud.workspace.ecs.run_launcher import CloudEcsRunLauncher

    tags = {"ecs/task_arn": stack.RUN_TASK, "ecs/cluster": stack.SCOPE.cluster_arn}
    context = {"ecs": {"task_role_arn": stack.NAMED_ROLE}}
    repository = RepositoryPythonOrigin(
        executable_path="/usr/bin/python",
        code_pointer=ModuleCodePointer("sales", "defs", None),
        container_image="sales",
        container_context=context,
    )
    run = DagsterRun("daily", run_id="8d1f", tags=tags, job_code_origin=JobPythonOrigin("daily", repository))
    instance = mock.MagicMock()
    instance.get_ref.return_value = None
    instance.get_run_by_id.return_value = run
    launcher = CloudEcsRunLauncher(**servers._run_launcher_kwargs())
    launcher.register_instance(instance)
    launcher._get_run_task_definition_family = lambda run: stack.RUN_FAMILY
    return launcher, LaunchRunContext(dagster_run=run, workspace=None)


def execution_calls() -> list[Call]:
    """What ECS does by the execution roles when a task starts."""
    agent, code = stack.ROLES["agent-execution"], stack.ROLES["code-execution"]
    calls = [Call("agent's task starts", agent, "secretsmanager", "GetSecretValue", {"SecretId": stack.TOKEN})]
    calls += [
        Call("code's task starts", code, "secretsmanager", "GetSecretValue", {"SecretId": each})
        for each in (stack.TOKEN, stack.DATABASE, stack.LOGIN)
    ]
    pulled = {"repositoryName": stack.NAMES.repository("sales")}
    calls.append(Call("code's task starts", code, "ecr", "GetAuthorizationToken"))
    calls += [
        Call("code's task starts", code, "ecr", name, pulled)
        for name in ("BatchCheckLayerAvailability", "BatchGetImage", "GetDownloadUrlForLayer")
    ]
    for role, group, stream in (
        (agent, stack.NAMES.agent_log_group, "agent/agent/33"),
        (code, stack.NAMES.code_log_group, f"{stack.SERVER_FAMILY}/dagster/11"),
        (code, stack.NAMES.code_log_group, f"{stack.RUN_FAMILY}/dagster/22"),
    ):
        at = {"logGroupName": group, "logStreamName": stream}
        calls += [Call("a task prints", role, "logs", name, at) for name in ("CreateLogStream", "PutLogEvents")]
    return calls


def code_calls() -> list[Call]:
    """What user code does with its share of the bucket: S3PickleIOManager and S3ComputeLogManager of dagster-aws."""
    bucket, code = {"Bucket": stack.NAMES.bucket}, stack.ROLES["code"]
    calls = [Call("io manager starts", code, "s3", "ListObjectsV2", {**bucket, "Prefix": "assets"})]
    for prefix in stack.PREFIXES:
        one = {**bucket, "Key": f"{prefix}sales/daily"}
        writes = ("PutObject", "CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload")
        reads = ("HeadObject", "GetObject", "DeleteObject", "AbortMultipartUpload")
        calls += [Call(f"code uses {prefix}", code, "s3", name, one) for name in (*writes, *reads)]
        calls.append(Call(f"code lists {prefix}", code, "s3", "ListObjectsV2", {**bucket, "Prefix": f"{prefix}sales"}))
    deleted = {**bucket, "Delete": {"Objects": [{"Key": "compute-logs/storage/8d1f/compute_logs/a.err"}]}}
    calls.append(Call("logs are removed", code, "s3", "DeleteObjects", deleted))
    return calls


def all_calls() -> list[Call]:
    """Every call of a stack without special settings."""
    return [*agent_calls(), *execution_calls(), *code_calls()]


def unlike(calls: list[Call]) -> list[Call]:
    """Each once."""
    return list({(str(call), json.dumps(call.params, default=str)): call for call in calls}.values())
