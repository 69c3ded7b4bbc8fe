"""Rows for the services beside ECS: Cloud Map, logs, secrets, the bucket, the registry and those that roles here must
not reach. Resources and keys: https://docs.aws.amazon.com/service-authorization/latest/reference/
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.standins.iam.facts import Facts
from tests.standins.iam.request import (
    AuthorizationRequest,
    Context,
    Params,
    Row,
    anything,
    arn,
    nothing,
    request_tags,
    resource_tags,
)


def _map_create(params: Params, facts: Facts) -> Iterator[AuthorizationRequest]:
    """Both the namespace and the service to come are asked about; the service has no id yet."""
    namespace = arn(facts, "servicediscovery", f"namespace/{params['NamespaceId'].rsplit('/', 1)[-1]}")
    context = {"servicediscovery:NamespaceArn": namespace, **request_tags(params.get("Tags"))}
    yield AuthorizationRequest("servicediscovery:CreateService", namespace, context)
    yield AuthorizationRequest("servicediscovery:CreateService", arn(facts, "servicediscovery", "service/*"), context)
    if params.get("Tags"):
        yield AuthorizationRequest("servicediscovery:TagResource", "*", request_tags(params["Tags"]))


def _map_service(action: str, key: str, *, named_by_arn: bool) -> Row:
    """``named_by_arn``: the action knows ``servicediscovery:ServiceArn``; ``DeleteService`` does not."""

    def row(params: Params, facts: Facts) -> Iterator[AuthorizationRequest]:
        service = arn(facts, "servicediscovery", f"service/{params[key].rsplit('/', 1)[-1]}")
        context: Context = resource_tags(facts, service)
        if named_by_arn:
            context["servicediscovery:ServiceArn"] = service
        yield AuthorizationRequest(action, service, context)

    return row


def _map_namespace(action: str) -> Row:
    def row(params: Params, facts: Facts) -> Iterator[AuthorizationRequest]:
        namespace = arn(facts, "servicediscovery", f"namespace/{params['Id'].rsplit('/', 1)[-1]}")
        yield AuthorizationRequest(action, namespace, resource_tags(facts, namespace))

    return row


def _map_operation(params: Params, facts: Facts) -> Iterator[AuthorizationRequest]:
    """An operation's id does not say its namespace, so only a policy for any namespace is sure to let it through."""
    yield AuthorizationRequest("servicediscovery:GetOperation", arn(facts, "servicediscovery", "namespace/*"))


def _map_tags(params: Params, facts: Facts) -> Iterator[AuthorizationRequest]:
    yield AuthorizationRequest("servicediscovery:TagResource", "*", request_tags(params.get("Tags")))


def _stream(action: str) -> Row:
    def row(params: Params, facts: Facts) -> Iterator[AuthorizationRequest]:
        group, stream = params["logGroupName"], params["logStreamName"]
        yield AuthorizationRequest(action, arn(facts, "logs", f"log-group:{group}:log-stream:{stream}"))

    return row


def _group(action: str) -> Row:
    def row(params: Params, facts: Facts) -> Iterator[AuthorizationRequest]:
        yield AuthorizationRequest(action, arn(facts, "logs", f"log-group:{params['logGroupName']}"))

    return row


def _secret(action: str, *, reads: bool = False) -> Row:
    def row(params: Params, facts: Facts) -> Iterator[AuthorizationRequest]:
        given = params["SecretId"]
        secret = facts.secret_arn(given) or arn(facts, "secretsmanager", f"secret:{given}")
        context: Context = {"secretsmanager:SecretId": secret, **resource_tags(facts, secret)}
        context |= {f"secretsmanager:ResourceTag/{key}": value for key, value in facts.tags(secret).items()}
        yield AuthorizationRequest(action, secret, context)
        if reads:
            yield from _key(facts, secret, "kms:Decrypt", "secretsmanager")

    return row


def _key(facts: Facts, of: str, action: str, via: str) -> Iterator[AuthorizationRequest]:
    key = facts.key_of(of)
    if key:
        domain = "amazonaws.com.cn" if facts.partition == "aws-cn" else "amazonaws.com"
        yield AuthorizationRequest(action, key, {"kms:ViaService": f"{via}.{facts.region}.{domain}"})


def _direct_key(action: str) -> Row:
    def row(params: Params, facts: Facts) -> Iterator[AuthorizationRequest]:
        yield AuthorizationRequest(action, params["KeyId"])

    return row


def _parameters(params: Params, facts: Facts) -> Iterator[AuthorizationRequest]:
    for name in params["Names"]:
        named = name if name.startswith("arn:") else arn(facts, "ssm", f"parameter/{name.lstrip('/')}")
        yield AuthorizationRequest("ssm:GetParameters", named, resource_tags(facts, named))


def _object(*actions: str) -> Row:
    def row(params: Params, facts: Facts) -> Iterator[AuthorizationRequest]:
        bucket = f"arn:{facts.partition}:s3:::{params['Bucket']}"
        for action in actions:
            yield AuthorizationRequest(action, f"{bucket}/{params['Key']}")
            uses = {"s3:GetObject": "kms:Decrypt", "s3:PutObject": "kms:GenerateDataKey"}.get(action)
            if uses:
                yield from _key(facts, bucket, uses, "s3")

    return row


def _delete_objects(params: Params, facts: Facts) -> Iterator[AuthorizationRequest]:
    for each in params["Delete"]["Objects"]:
        yield AuthorizationRequest("s3:DeleteObject", f"arn:{facts.partition}:s3:::{params['Bucket']}/{each['Key']}")


def _copy(params: Params, facts: Facts) -> Iterator[AuthorizationRequest]:
    source = params["CopySource"]
    bucket, key = (source["Bucket"], source["Key"]) if not isinstance(source, str) else source.lstrip("/").split("/", 1)
    yield from _object("s3:GetObject")({"Bucket": bucket, "Key": key}, facts)
    yield from _object("s3:PutObject")(params, facts)


def _bucket(action: str, *, listing: bool = False) -> Row:
    def row(params: Params, facts: Facts) -> Iterator[AuthorizationRequest]:
        context: Context = {}
        if listing and "Prefix" in params:
            context["s3:prefix"] = params["Prefix"]
        if listing and "Delimiter" in params:
            context["s3:delimiter"] = params["Delimiter"]
        yield AuthorizationRequest(action, f"arn:{facts.partition}:s3:::{params['Bucket']}", context)

    return row


def _repository(action: str) -> Row:
    def row(params: Params, facts: Facts) -> Iterator[AuthorizationRequest]:
        repository = arn(facts, "ecr", f"repository/{params['repositoryName']}")
        yield AuthorizationRequest(action, repository, resource_tags(facts, repository))

    return row


def _role(action: str) -> Row:
    def row(params: Params, facts: Facts) -> Iterator[AuthorizationRequest]:
        role = f"arn:{facts.partition}:iam::{facts.account}:role/{params['RoleName']}"
        yield AuthorizationRequest(action, role, resource_tags(facts, role))

    return row


def _assume(params: Params, facts: Facts) -> Iterator[AuthorizationRequest]:
    yield AuthorizationRequest("sts:AssumeRole", params["RoleArn"], {"sts:RoleSessionName": params["RoleSessionName"]})


def _access_key(params: Params, facts: Facts) -> Iterator[AuthorizationRequest]:
    user = f"arn:{facts.partition}:iam::{facts.account}:user/{params['UserName']}"
    yield AuthorizationRequest("iam:CreateAccessKey", user)


ROWS: dict[str, dict[str, Row]] = {
    "servicediscovery": {
        "CreateService": _map_create,
        "DeleteService": _map_service("servicediscovery:DeleteService", "Id", named_by_arn=False),
        "ListInstances": _map_service("servicediscovery:ListInstances", "ServiceId", named_by_arn=True),
        "RegisterInstance": _map_service("servicediscovery:RegisterInstance", "ServiceId", named_by_arn=True),
        "DeregisterInstance": _map_service("servicediscovery:DeregisterInstance", "ServiceId", named_by_arn=True),
        "GetNamespace": _map_namespace("servicediscovery:GetNamespace"),
        "DeleteNamespace": _map_namespace("servicediscovery:DeleteNamespace"),
        "GetOperation": _map_operation,
        "ListServices": anything("servicediscovery:ListServices"),
        "ListNamespaces": anything("servicediscovery:ListNamespaces"),
        "ListTagsForResource": anything("servicediscovery:ListTagsForResource"),
        "TagResource": _map_tags,
    },
    "resourcegroupstaggingapi": {
        "GetResources": anything("tag:GetResources"),
        "TagResources": anything("tag:TagResources"),
    },
    "logs": {
        "GetLogEvents": _stream("logs:GetLogEvents"),
        "CreateLogStream": _stream("logs:CreateLogStream"),
        "PutLogEvents": _stream("logs:PutLogEvents"),
        "CreateLogGroup": _group("logs:CreateLogGroup"),
        "DeleteLogGroup": _group("logs:DeleteLogGroup"),
        "FilterLogEvents": _group("logs:FilterLogEvents"),
    },
    "secretsmanager": {
        "GetSecretValue": _secret("secretsmanager:GetSecretValue", reads=True),
        "DescribeSecret": _secret("secretsmanager:DescribeSecret"),
        "PutSecretValue": _secret("secretsmanager:PutSecretValue"),
        "DeleteSecret": _secret("secretsmanager:DeleteSecret"),
        "ListSecrets": anything("secretsmanager:ListSecrets"),
    },
    "ssm": {"GetParameters": _parameters},
    "ssmmessages": {
        name: anything(f"ssmmessages:{name}")
        for name in ("CreateControlChannel", "CreateDataChannel", "OpenControlChannel", "OpenDataChannel")
    },
    "kms": {"Decrypt": _direct_key("kms:Decrypt")},
    "s3": {
        "GetObject": _object("s3:GetObject"),
        "HeadObject": _object("s3:GetObject"),
        "PutObject": _object("s3:PutObject"),
        "CreateMultipartUpload": _object("s3:PutObject"),
        "UploadPart": _object("s3:PutObject"),
        "CompleteMultipartUpload": _object("s3:PutObject"),
        "AbortMultipartUpload": _object("s3:AbortMultipartUpload"),
        "DeleteObject": _object("s3:DeleteObject"),
        "DeleteObjects": _delete_objects,
        "CopyObject": _copy,
        "ListObjects": _bucket("s3:ListBucket", listing=True),
        "ListObjectsV2": _bucket("s3:ListBucket", listing=True),
        "HeadBucket": _bucket("s3:ListBucket"),
        "GetBucketLocation": _bucket("s3:GetBucketLocation"),
        "PutBucketPolicy": _bucket("s3:PutBucketPolicy"),
        "DeleteBucket": _bucket("s3:DeleteBucket"),
        "ListBuckets": anything("s3:ListAllMyBuckets"),
    },
    "ecr": {
        "GetAuthorizationToken": anything("ecr:GetAuthorizationToken"),
        **{
            name: _repository(f"ecr:{name}")
            for name in (
                "BatchCheckLayerAvailability",
                "BatchGetImage",
                "CompleteLayerUpload",
                "GetDownloadUrlForLayer",
                "InitiateLayerUpload",
                "PutImage",
                "UploadLayerPart",
                "BatchDeleteImage",
            )
        },
    },
    "ec2": {
        name: anything(f"ec2:{name}")
        for name in ("DescribeRouteTables", "DescribeNetworkInterfaces", "DescribeSubnets")
    },
    "iam": {
        "CreateAccessKey": _access_key,
        **{
            name: _role(f"iam:{name}")
            for name in (
                "AttachRolePolicy",
                "CreateRole",
                "DeleteRolePermissionsBoundary",
                "GetRole",
                "PutRolePolicy",
                "UpdateAssumeRolePolicy",
            )
        },
    },
    "sts": {"AssumeRole": _assume, "GetCallerIdentity": nothing},
}
