"""What the stack's roles must not be able to do, each with the reader's reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from agent.ecs_names import STACK_TAG
from tests.standins.iam import stack
from tests.standins.iam.recorded import Call
from tests.standins.iam.request import AuthorizationRequest

AGENT, CODE = stack.ROLES["agent"], stack.ROLES["code"]
AGENT_STARTS, CODE_STARTS = stack.ROLES["agent-execution"], stack.ROLES["code-execution"]
OWN, OTHER = stack.NAMES.cluster, stack.OTHERS.cluster


@dataclass(frozen=True)
class Request:
    """For what no call of the table does: the question itself."""

    phase: str
    role: str
    asked: AuthorizationRequest

    def __str__(self) -> str:
        return f"{self.phase}: {self.role.rsplit('/', 1)[-1]} {self.asked.action}"


def _tags(value: str) -> list[Mapping[str, str]]:
    return [{"key": STACK_TAG, "value": value}, {"key": "dagster/location_hash", "value": "0a1b2c3d"}]


def _map_tags(value: str) -> list[Mapping[str, str]]:
    return [{"Key": STACK_TAG, "Value": value}]


def _service(**params: Any) -> Mapping[str, Any]:
    given = {"cluster": OWN, "serviceName": "x", "taskDefinition": stack.SERVER_FAMILY, "tags": _tags(stack.NAMES.base)}
    return {**given, **params}


def _run(**params: Any) -> Mapping[str, Any]:
    return {"cluster": OWN, "taskDefinition": stack.RUN_FAMILY, "tags": _tags(stack.NAMES.base), **params}


def _definition(family: str = stack.SERVER_FAMILY, **params: Any) -> Mapping[str, Any]:
    given = {"family": family, "taskRoleArn": CODE, "executionRoleArn": CODE_STARTS, "containerDefinitions": []}
    return {**given, **params}


def _name(**params: Any) -> Mapping[str, Any]:
    given = {"Name": "x", "NamespaceId": stack.NAMESPACE.rsplit("/", 1)[-1], "Tags": _map_tags(stack.NAMES.base)}
    return {**given, **params}


def _agent(why: str, operation: str, params: Mapping[str, Any], service: str = "ecs") -> Call:
    return Call(why, AGENT, service, operation, params)


def _stream(group: str) -> Mapping[str, Any]:
    return {"logGroupName": group, "logStreamName": "a/b/c"}


def _object(key: str, bucket: str = stack.NAMES.bucket) -> Mapping[str, Any]:
    return {"Bucket": bucket, "Key": key}


def _question(why: str, action: str, resource: str, **context: str) -> Request:
    """One of the questions of a call whose others would be denied too."""
    keys = {"cluster": "ecs:cluster", "tag": f"aws:RequestTag/{STACK_TAG}", "by": "ecs:CreateAction"}
    keys |= {"definition": "ecs:task-definition"}
    return Request(why, AGENT, AuthorizationRequest(action, resource, {keys[k]: v for k, v in context.items()}))


_SERVERS: Final = [
    _question(
        "the service alone, in another cluster",
        "ecs:CreateService",
        stack.COPIED_SERVICE_ARN,
        tag=stack.NAMES.base,
        definition=stack.FACTS.task_definitions[stack.SERVER_FAMILY].arn,
    ),
    _question(
        "the tags of a service in another cluster", "ecs:TagResource", stack.COPIED_SERVICE_ARN, by="CreateService"
    ),
    _question("the tags of a run in another cluster", "ecs:TagResource", stack.COPIED_TASK, by="RunTask"),
    _question(
        "the run alone, in another cluster",
        "ecs:RunTask",
        stack.FACTS.task_definitions[stack.RUN_FAMILY].arn,
        tag=stack.NAMES.base,
        cluster=stack.OTHERS.arn("ecs", f"cluster/{OTHER}"),
    ),
    _agent("a service in another stack's cluster", "CreateService", _service(cluster=OTHER)),
    _agent("a service without the stack's tag", "CreateService", _service(tags=[])),
    _agent("a service with another stack's tag", "CreateService", _service(tags=_tags(stack.OTHERS.base))),
    _agent("a service of somebody's task definition", "CreateService", _service(taskDefinition="somebodys-web")),
    _agent("a second agent", "CreateService", _service(taskDefinition=stack.NAMES.task_family)),
    *[
        call
        for service, whose in (
            (stack.AGENT_SERVICE_ARN, "the agent's own service"),
            (stack.SHARED_SERVICE_ARN, "another stack's service in a shared cluster"),
        )
        for call in (
            _agent(f"{whose} scaled", "UpdateService", {"cluster": OWN, "service": service, "desiredCount": 0}),
            _agent(f"{whose} deleted", "DeleteService", {"cluster": OWN, "service": service, "force": True}),
        )
    ],
    _agent("another cluster's service scaled", "UpdateService", {"cluster": OTHER, "service": stack.SERVER}),
    _agent("another cluster's service deleted", "DeleteService", {"cluster": OTHER, "service": stack.SERVER}),
    _agent(
        "a server made to run somebody's task definition",
        "UpdateService",
        {"cluster": OWN, "service": stack.SERVER, "taskDefinition": "somebodys-web"},
    ),
    _agent("another cluster's services listed", "ListServices", {"cluster": OTHER}),
    _agent("another cluster's service seen", "DescribeServices", {"cluster": OTHER, "services": [stack.SERVER]}),
]
_RUNS: Final = [
    _agent("a run in another stack's cluster", "RunTask", _run(cluster=OTHER)),
    _agent("a run without the stack's tag", "RunTask", _run(tags=[])),
    _agent("a run with another stack's tag", "RunTask", _run(tags=_tags(stack.OTHERS.base))),
    _agent("the agent's own task definition run", "RunTask", _run(taskDefinition=stack.NAMES.task_family)),
    _agent("somebody's task definition run", "RunTask", _run(taskDefinition="somebodys-web")),
    _agent("another stack's run", "RunTask", _run(taskDefinition=f"{stack.OTHERS.run_prefix}_acme")),
    _agent("a run as administrator", "RunTask", _run(overrides={"taskRoleArn": stack.ADMIN})),
    _agent("a run as the agent", "RunTask", _run(overrides={"taskRoleArn": AGENT})),
    _agent("a run started as administrator", "RunTask", _run(overrides={"executionRoleArn": stack.ADMIN})),
    _agent("another stack's run stopped", "StopTask", {"cluster": OWN, "task": stack.SHARED_RUN_TASK}),
    _agent("the agent's own task stopped", "StopTask", {"cluster": OWN, "task": stack.AGENT_TASK}),
    _agent("a code server's task stopped", "StopTask", {"cluster": OWN, "task": stack.SERVER_TASK}),
    _agent("another cluster's task stopped", "StopTask", {"cluster": OTHER, "task": stack.COPIED_TASK}),
    _agent("another cluster's tasks listed", "ListTasks", {"cluster": OTHER}),
    _agent("another cluster's task seen", "DescribeTasks", {"cluster": OTHER, "tasks": ["5" * 32]}),
    _agent("a shell in a run", "ExecuteCommand", {"cluster": OWN, "task": stack.RUN_TASK, "command": "sh"}),
]
_DEFINITIONS: Final = [
    _agent("the agent's own task definition changed", "RegisterTaskDefinition", _definition(stack.NAMES.task_family)),
    _agent("another stack's", "RegisterTaskDefinition", _definition(f"{stack.OTHERS.server_prefix}_acme")),
    _agent("a server as administrator", "RegisterTaskDefinition", _definition(taskRoleArn=stack.ADMIN)),
    _agent("a server as the agent", "RegisterTaskDefinition", _definition(taskRoleArn=AGENT)),
    _agent("a server started as administrator", "RegisterTaskDefinition", _definition(executionRoleArn=stack.ADMIN)),
    _agent("a task definition withdrawn", "DeregisterTaskDefinition", {"taskDefinition": stack.RUN_FAMILY}),
    Request(
        "a code role given to a virtual machine",
        AGENT,
        AuthorizationRequest("iam:PassRole", CODE, {"iam:PassedToService": "ec2.amazonaws.com"}),
    ),
]
_TAGS: Final = [
    _agent(
        "the tags of a service that is there overwritten",
        "TagResource",
        {"resourceArn": stack.SHARED_SERVICE_ARN, "tags": _tags(stack.NAMES.base)},
    ),
    _agent(
        "the tags of a task overwritten",
        "TagResource",
        {"resourceArn": stack.AGENT_TASK, "tags": [{"key": "dagster/run_id", "value": "x"}]},
    ),
    _agent("tags taken away", "UntagResource", {"resourceArn": stack.SERVER_ARN, "tagKeys": [STACK_TAG]}),
    _agent("tags by the other door", "TagResources", {"ResourceARNList": []}, "resourcegroupstaggingapi"),
    _agent(
        "another stack's tag on a name",
        "TagResource",
        {"ResourceARN": stack.SERVER_NAME, "Tags": _map_tags(stack.OTHERS.base)},
        "servicediscovery",
    ),
]
_NAMES: Final = [
    _agent(
        "a name in another namespace",
        "CreateService",
        _name(NamespaceId=stack.OTHER_NAMESPACE.rsplit("/", 1)[-1]),
        "servicediscovery",
    ),
    Request(
        "a name in another namespace, were AWS to ask about the service alone",
        AGENT,
        AuthorizationRequest(
            "servicediscovery:CreateService",
            stack.NAMES.arn("servicediscovery", "service/*"),
            {"servicediscovery:NamespaceArn": stack.OTHER_NAMESPACE, f"aws:RequestTag/{STACK_TAG}": stack.NAMES.base},
        ),
    ),
    _agent("a name without the stack's tag", "CreateService", _name(Tags=[]), "servicediscovery"),
    _agent("a name with another's tag", "CreateService", _name(Tags=_map_tags(stack.OTHERS.base)), "servicediscovery"),
    *[
        _agent(f"another stack's name: {call}", call, {key: "srv-bbbbbbbbbbbbbbbb", **more}, "servicediscovery")
        for call, key, more in (
            ("DeleteService", "Id", {}),
            ("ListInstances", "ServiceId", {}),
            ("DeregisterInstance", "ServiceId", {"InstanceId": "1"}),
        )
    ],
    _agent("an address given to a name", "RegisterInstance", {"ServiceId": "srv-aaaaaaaaaaaaaaaa"}, "servicediscovery"),
    _agent("another namespace read", "GetNamespace", {"Id": "ns-bbbbbbbbbbbbbbbb"}, "servicediscovery"),
    _agent("the namespace deleted", "DeleteNamespace", {"Id": stack.NAMESPACE.rsplit("/", 1)[-1]}, "servicediscovery"),
]
_OTHERS_TOKEN = stack.secret(stack.OTHERS.token_secret)
_SECRETS: Final = [
    _agent("the agent reads its token by its own role", "GetSecretValue", {"SecretId": stack.TOKEN}, "secretsmanager"),
    _agent("the agent reads a location's secret", "GetSecretValue", {"SecretId": stack.DATABASE}, "secretsmanager"),
    _agent("secrets listed", "ListSecrets", {}, "secretsmanager"),
    Call("a location's secret", AGENT_STARTS, "secretsmanager", "GetSecretValue", {"SecretId": stack.DATABASE}),
    *[
        Call(
            "another stack's token",
            role,
            "secretsmanager",
            "GetSecretValue",
            {"SecretId": stack.secret("hybrid-dev/t")},
        )
        for role in (AGENT, AGENT_STARTS, CODE, CODE_STARTS)
    ],
    Call("a token set", AGENT_STARTS, "secretsmanager", "PutSecretValue", {"SecretId": stack.TOKEN}),
    Call("a secret that nobody names", CODE_STARTS, "secretsmanager", "GetSecretValue", {"SecretId": stack.TAGGED}),
]
_LOGS: Final = [
    _agent("the agent's own log read", "GetLogEvents", _stream(stack.NAMES.agent_log_group), "logs"),
    _agent("another stack's log read", "GetLogEvents", _stream(stack.OTHERS.code_log_group), "logs"),
    _agent("a log deleted", "DeleteLogGroup", {"logGroupName": stack.NAMES.code_log_group}, "logs"),
    Call(
        "code's log written for the agent",
        AGENT_STARTS,
        "logs",
        "PutLogEvents",
        _stream(stack.NAMES.code_log_group),
    ),
    Call("another stack's log written", CODE_STARTS, "logs", "PutLogEvents", _stream(stack.OTHERS.code_log_group)),
    Call("another stack's stream made", CODE_STARTS, "logs", "CreateLogStream", _stream(stack.OTHERS.code_log_group)),
    Call("a log group made", CODE_STARTS, "logs", "CreateLogGroup", {"logGroupName": "/x"}),
]
_CODE: Final = [
    Call("user code reads the token", CODE, "secretsmanager", "GetSecretValue", {"SecretId": stack.TOKEN}),
    Call("user code reads a secret", CODE, "secretsmanager", "GetSecretValue", {"SecretId": stack.DATABASE}),
    Call("user code starts a run", CODE, "ecs", "RunTask", _run()),
    Call("user code looks at the cluster", CODE, "ecs", "ListServices", {"cluster": OWN}),
    Call("user code removes a server", CODE, "ecs", "DeleteService", {"cluster": OWN, "service": stack.SERVER}),
    Call("user code makes a task definition", CODE, "ecs", "RegisterTaskDefinition", _definition()),
    Call("user code takes another role", CODE, "sts", "AssumeRole", {"RoleArn": AGENT, "RoleSessionName": "x"}),
    Call("user code removes a name", CODE, "servicediscovery", "DeleteService", {"Id": "srv-aaaaaaaaaaaaaaaa"}),
    Call("user code reads the logs", CODE, "logs", "GetLogEvents", _stream(stack.NAMES.code_log_group)),
    Call("user code reads beside its prefixes", CODE, "s3", "GetObject", _object("state/prod.json")),
    Call("user code writes beside its prefixes", CODE, "s3", "PutObject", _object("assets-of-others/x")),
    Call("user code deletes beside its prefixes", CODE, "s3", "DeleteObject", _object("x")),
    Call("user code reads another bucket", CODE, "s3", "GetObject", _object("assets/x", stack.OTHERS.bucket)),
    Call("user code lists the whole bucket", CODE, "s3", "ListObjectsV2", {"Bucket": stack.NAMES.bucket, "Prefix": ""}),
    *[
        Call(
            f"user code lists {prefix} of another bucket",
            CODE,
            "s3",
            "ListObjectsV2",
            {"Bucket": "x", "Prefix": prefix},
        )
        for prefix in stack.PREFIXES
    ],
    Call("user code opens the bucket", CODE, "s3", "PutBucketPolicy", {"Bucket": stack.NAMES.bucket}),
    Call("user code deletes the bucket", CODE, "s3", "DeleteBucket", {"Bucket": stack.NAMES.bucket}),
    Call("user code lists the account's buckets", CODE, "s3", "ListBuckets", {}),
    Request(
        "user code reads its share without TLS",
        CODE,
        AuthorizationRequest("s3:GetObject", f"{stack.BUCKET}/assets/x", {"aws:SecureTransport": "false"}),
    ),
]
_REST: Final = [
    *[
        Call("a role changed", role, "iam", name, {"RoleName": stack.NAMES.role("code")})
        for role in (AGENT, CODE, CODE_STARTS)
        for name in ("PutRolePolicy", "AttachRolePolicy", "UpdateAssumeRolePolicy", "DeleteRolePermissionsBoundary")
    ],
    _agent("a role made", "CreateRole", {"RoleName": "x"}, "iam"),
    _agent("a key made", "CreateAccessKey", {"UserName": "x"}, "iam"),
    _agent("another role taken", "AssumeRole", {"RoleArn": stack.ADMIN, "RoleSessionName": "x"}, "sts"),
    _agent("the bucket read by the agent", "GetObject", _object("assets/x"), "s3"),
    _agent("the network seen", "DescribeRouteTables", {}, "ec2"),
    _agent("the cluster deleted", "DeleteCluster", {"cluster": OWN}),
    _agent("account settings changed", "PutAccountSetting", {"name": "serviceLongArnFormat", "value": "disabled"}),
    Call("an image of another stack", CODE_STARTS, "ecr", "BatchGetImage", {"repositoryName": "hybrid-dev/sales"}),
    Call("a layer of another stack", CODE_STARTS, "ecr", "GetDownloadUrlForLayer", {"repositoryName": "hybrid-dev/x"}),
    Call("an image pushed", CODE_STARTS, "ecr", "PutImage", {"repositoryName": stack.NAMES.repository("sales")}),
    Call("an image deleted", CODE, "ecr", "BatchDeleteImage", {"repositoryName": stack.NAMES.repository("sales")}),
]

FORBIDDEN: Final[list[Call | Request]] = [
    *_SERVERS,
    *_RUNS,
    *_DEFINITIONS,
    *_TAGS,
    *_NAMES,
    *_SECRETS,
    *_LOGS,
    *_CODE,
    *_REST,
]
