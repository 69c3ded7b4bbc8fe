"""The calls of CI's reading roles, as the engine makes them, and those that they must not make. The list is held to
those that tests/aws/test_ecs_reading.py records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from agent.ecs_reading import ReadScope
from tests.standins.iam import stack
from tests.standins.iam.recorded import Call

ROLES: Final = {
    what: f"arn:aws:iam::{stack.ACCOUNT}:role/{stack.NAMES.role(what)}" for what in ("ci", "review", "drift")
}
STATE: Final = "acme-pulumi-state"
STATE_KEY: Final = stack.NAMES.arn("kms", "key/22222222-2222-3333-4444-555555555555")
SECRETS_KEY: Final = stack.NAMES.arn("kms", "key/33333333-2222-3333-4444-555555555555")
ELSEWHERE: Final = stack.NAMES.arn("ecr", "repository/shared/base")
SCOPE: Final = ReadScope(
    names=stack.NAMES,
    bucket=stack.NAMES.bucket,
    agent_role_arn=stack.ROLES["agent"],
    role_arns=(*stack.ROLES.values(), *ROLES.values()),
    cluster=stack.NAMES.cluster,
    repositories_elsewhere=(ELSEWHERE,),
    state_bucket=STATE,
    state_key_arn=STATE_KEY,
    secrets_key_arn=SECRETS_KEY,
    token_key_arn=stack.KEY,
)
KEYS: Final = {stack.TOKEN: stack.KEY, f"arn:aws:s3:::{STATE}": STATE_KEY}
"""Which keys encrypt what, by ARN."""

_ISSUER = f"arn:aws:iam::{stack.ACCOUNT}:oidc-provider/token.actions.githubusercontent.com"
_IMAGE = {"repositoryName": stack.NAMES.repository("sales")}
_IN_BUCKET = {"Bucket": stack.NAMES.bucket}
_ALARM = stack.NAMES.arn("cloudwatch", f"alarm:{stack.NAMES.base}-agent")
_TOPIC = stack.NAMES.arn("sns", f"{stack.NAMES.base}-alarms")
_RULE = f"{stack.NAMES.base}-stopped"
_CLUSTER = {"cluster": stack.NAMES.cluster}
_GROUP = stack.NAMES.arn("logs", f"log-group:{stack.NAMES.agent_log_group}")

_PREVIEW: Final[tuple[tuple[str, str, Mapping[str, Any]], ...]] = (
    ("iam", "GetRole", {"RoleName": stack.NAMES.role("agent")}),
    ("s3", "HeadBucket", _IN_BUCKET),
    ("s3", "GetBucketTagging", _IN_BUCKET),
    ("s3", "ListObjectVersions", _IN_BUCKET),
    ("secretsmanager", "DescribeSecret", {"SecretId": stack.TOKEN}),
    ("ecr", "DescribeRepositories", {}),
    ("ecr", "ListTagsForResource", {"resourceArn": stack.REPOSITORY}),
    ("ec2", "DescribeAvailabilityZones", {}),
)
_ADOPTED: Final[tuple[tuple[str, str, Mapping[str, Any]], ...]] = (
    ("ec2", "DescribeRouteTables", {}),
    ("ec2", "DescribeSubnets", {}),
    ("ec2", "DescribeVpcAttribute", {"VpcId": "vpc-0123456789abcdef0"}),
    ("ec2", "DescribeVpcs", {}),
)
"""Of a network that is adopted; when one is made, a refresh asks them too."""
_IMAGES: Final[tuple[tuple[str, str, Mapping[str, Any]], ...]] = (
    ("ecr", "GetAuthorizationToken", {}),
    *(
        ("ecr", operation, image)
        for operation in ("BatchGetImage", "GetDownloadUrlForLayer")
        for image in (_IMAGE, {"repositoryName": "shared/base"})
    ),
)
"""The registry makes them of requests of its own API, and not as calls of AWS."""
_STATE: Final[tuple[tuple[str, str, Mapping[str, Any]], ...]] = (
    ("s3", "ListObjectsV2", {"Bucket": STATE, "Prefix": ".pulumi/"}),
    ("s3", "GetObject", {"Bucket": STATE, "Key": ".pulumi/stacks/hybrid/prod.json"}),
)
_REFRESH: Final[tuple[tuple[str, str, Mapping[str, Any]], ...]] = (
    *(("iam", "GetRole", {"RoleName": arn.rsplit("/", 1)[-1]}) for arn in SCOPE.role_arns),
    ("iam", "GetRolePolicy", {"RoleName": stack.NAMES.role("code"), "PolicyName": "assets"}),
    ("iam", "ListAttachedRolePolicies", {"RoleName": stack.NAMES.role("code")}),
    ("iam", "ListRolePolicies", {"RoleName": stack.NAMES.role("code")}),
    (
        "iam",
        "GetOpenIDConnectProvider",
        {"OpenIDConnectProviderArn": f"arn:aws:iam::{stack.ACCOUNT}:oidc-provider/token.actions.githubusercontent.com"},
    ),
    *(
        ("s3", operation, _IN_BUCKET)
        for operation in (
            "GetBucketAccelerateConfiguration",
            "GetBucketAcl",
            "GetBucketCors",
            "GetBucketEncryption",
            "GetBucketLifecycleConfiguration",
            "GetBucketLogging",
            "GetBucketOwnershipControls",
            "GetBucketPolicy",
            "GetBucketReplication",
            "GetBucketRequestPayment",
            "GetBucketVersioning",
            "GetBucketWebsite",
            "GetObjectLockConfiguration",
            "GetPublicAccessBlock",
        )
    ),
    ("ecr", "GetLifecyclePolicy", _IMAGE),
    ("secretsmanager", "GetResourcePolicy", {"SecretId": stack.TOKEN}),
    ("secretsmanager", "GetSecretValue", {"SecretId": stack.TOKEN}),
    ("ecs", "DescribeClusters", {"clusters": [stack.NAMES.cluster]}),
    ("ecs", "DescribeServices", {**_CLUSTER, "services": [stack.NAMES.service]}),
    ("ecs", "ListTasks", {**_CLUSTER, "serviceName": stack.NAMES.service}),
    ("ecs", "DescribeTasks", {**_CLUSTER, "tasks": [stack.AGENT_TASK]}),
    ("ecs", "DescribeTaskDefinition", {"taskDefinition": stack.NAMES.task_family}),
    ("servicediscovery", "GetNamespace", {"Id": stack.NAMESPACE.rsplit("/", 1)[-1]}),
    ("servicediscovery", "ListTagsForResource", {"ResourceARN": stack.NAMESPACE}),
    *(
        ("ec2", operation, {})
        for operation in (
            "DescribeAddresses",
            "DescribeAddressesAttribute",
            "DescribeInternetGateways",
            "DescribeNatGateways",
            "DescribeNetworkAcls",
            "DescribePrefixLists",
            "DescribeSecurityGroupRules",
            "DescribeSecurityGroups",
            "DescribeVpcEndpoints",
        )
    ),
    ("logs", "DescribeLogGroups", {"logGroupNamePrefix": stack.NAMES.agent_log_group}),
    ("logs", "ListTagsForResource", {"resourceArn": _GROUP}),
    ("cloudwatch", "DescribeAlarms", {"AlarmNames": [f"{stack.NAMES.base}-agent"]}),
    ("cloudwatch", "ListTagsForResource", {"ResourceARN": _ALARM}),
    ("sns", "GetTopicAttributes", {"TopicArn": _TOPIC}),
    ("sns", "ListTagsForResource", {"ResourceArn": _TOPIC}),
    ("sns", "GetSubscriptionAttributes", {"SubscriptionArn": f"{_TOPIC}:1"}),
    ("events", "DescribeRule", {"Name": _RULE}),
    ("events", "ListTargetsByRule", {"Rule": _RULE}),
    ("events", "ListTagsForResource", {"ResourceARN": stack.NAMES.arn("events", f"rule/{_RULE}")}),
)
_KEY: Final[tuple[tuple[str, str, Mapping[str, Any]], ...]] = (("kms", "Decrypt", {"KeyId": SECRETS_KEY}),)


def review_calls() -> list[Call]:
    """Of a review, whatever the stack has."""
    role = ROLES["review"]
    return [Call("review", role, *each) for each in (*_PREVIEW, *_ADOPTED, *_IMAGES, *_STATE)]


def drift_calls() -> list[Call]:
    """Of a look for drift, whatever the stack has."""
    made = (*_PREVIEW, *_ADOPTED, *_IMAGES, *_STATE, *_REFRESH, *_KEY)
    return [Call("drift", ROLES["drift"], *each) for each in made]


def forbidden_to(role: str) -> list[Call]:
    """What neither may do."""
    other_secret = stack.DATABASE
    asked: tuple[tuple[str, str, str, Mapping[str, Any]], ...] = (
        ("another secret", "secretsmanager", "GetSecretValue", {"SecretId": other_secret}),
        ("another secret's name", "secretsmanager", "DescribeSecret", {"SecretId": other_secret}),
        ("the token anew", "secretsmanager", "PutSecretValue", {"SecretId": stack.TOKEN}),
        ("a parameter", "ssm", "GetParameters", {"Names": ["/team/database"]}),
        ("values of assets", "s3", "GetObject", {**_IN_BUCKET, "Key": "assets/sales"}),
        ("values of assets", "s3", "PutObject", {**_IN_BUCKET, "Key": "assets/sales"}),
        ("another bucket", "s3", "ListObjectsV2", {"Bucket": "payroll"}),
        ("another bucket", "s3", "GetObject", {"Bucket": "payroll", "Key": "x"}),
        ("the state anew", "s3", "PutObject", {"Bucket": STATE, "Key": ".pulumi/stacks/hybrid/prod.json"}),
        ("the state gone", "s3", "DeleteObject", {"Bucket": STATE, "Key": ".pulumi/stacks/hybrid/prod.json"}),
        ("an image", "ecr", "PutImage", _IMAGE),
        ("an image of others", "ecr", "BatchGetImage", {"repositoryName": "payroll/app"}),
        ("a key beside S3", "kms", "Decrypt", {"KeyId": STATE_KEY}),
        ("a key of others", "kms", "Decrypt", {"KeyId": stack.NAMES.arn("kms", "key/4")}),
        ("another role", "sts", "AssumeRole", {"RoleArn": stack.ADMIN, "RoleSessionName": "x"}),
        ("a role", "iam", "CreateRole", {"RoleName": stack.NAMES.role("code")}),
        ("a role's policy", "iam", "PutRolePolicy", {"RoleName": stack.NAMES.role("review")}),
        ("a role's trust", "iam", "UpdateAssumeRolePolicy", {"RoleName": stack.NAMES.role("review")}),
        ("a role of others", "iam", "GetRole", {"RoleName": "admin"}),
        ("a task", "ecs", "StopTask", {**_CLUSTER, "task": stack.AGENT_TASK}),
        ("a service", "ecs", "UpdateService", {**_CLUSTER, "service": stack.NAMES.service}),
        (
            "a task with the agent's role",
            "ecs",
            "RegisterTaskDefinition",
            {"family": stack.SERVER_FAMILY, "taskRoleArn": stack.ROLES["agent"]},
        ),
        ("a shell", "ecs", "ExecuteCommand", {**_CLUSTER, "task": stack.AGENT_TASK}),
        ("tasks of others", "ecs", "ListTasks", {"cluster": stack.OTHERS.cluster}),
        ("what is logged", "logs", "GetLogEvents", {"logGroupName": stack.NAMES.code_log_group, "logStreamName": "x"}),
        ("a name", "servicediscovery", "DeleteService", {"Id": "srv-aaaaaaaaaaaaaaaa"}),
    )
    return [Call(why, role, *each) for why, *each in asked]  # type: ignore[arg-type]
