"""Rows for calls that only tell: those of AWS's provider when it looks at what stands, beside the rows of other_calls.
Resources and keys: https://docs.aws.amazon.com/service-authorization/latest/reference/
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.standins.iam.facts import Facts
from tests.standins.iam.request import AuthorizationRequest, Params, Row, anything, arn, resource_tags

_BUCKET_ACTIONS = {
    "GetBucketAccelerateConfiguration": "GetAccelerateConfiguration",
    "GetBucketAcl": "GetBucketAcl",
    "GetBucketCors": "GetBucketCORS",
    "GetBucketEncryption": "GetEncryptionConfiguration",
    "GetBucketLifecycleConfiguration": "GetLifecycleConfiguration",
    "GetBucketLogging": "GetBucketLogging",
    "GetBucketOwnershipControls": "GetBucketOwnershipControls",
    "GetBucketPolicy": "GetBucketPolicy",
    "GetBucketReplication": "GetReplicationConfiguration",
    "GetBucketRequestPayment": "GetBucketRequestPayment",
    "GetBucketTagging": "GetBucketTagging",
    "GetBucketVersioning": "GetBucketVersioning",
    "GetBucketWebsite": "GetBucketWebsite",
    "GetObjectLockConfiguration": "GetBucketObjectLockConfiguration",
    "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
    "ListObjectVersions": "ListBucketVersions",
}
"""S3's actions by its operations, which are called otherwise."""
_EC2 = (
    "DescribeAddresses",
    "DescribeAddressesAttribute",
    "DescribeAvailabilityZones",
    "DescribeInternetGateways",
    "DescribeNatGateways",
    "DescribeNetworkAcls",
    "DescribePrefixLists",
    "DescribeSecurityGroupRules",
    "DescribeSecurityGroups",
    "DescribeVpcEndpoints",
    "DescribeVpcs",
)


def _bucket(action: str) -> Row:
    def row(params: Params, facts: Facts) -> Iterator[AuthorizationRequest]:
        yield AuthorizationRequest(f"s3:{action}", f"arn:{facts.partition}:s3:::{params['Bucket']}")

    return row


def _by_arn(action: str, key: str) -> Row:
    """Of the resource that the call itself names by its ARN."""

    def row(params: Params, facts: Facts) -> Iterator[AuthorizationRequest]:
        named = params[key]
        yield AuthorizationRequest(action, named, resource_tags(facts, named))

    return row


def _repository(action: str) -> Row:
    def row(params: Params, facts: Facts) -> Iterator[AuthorizationRequest]:
        named = arn(facts, "ecr", f"repository/{params['repositoryName']}")
        yield AuthorizationRequest(action, named, resource_tags(facts, named))

    return row


def _repositories(params: Params, facts: Facts) -> Iterator[AuthorizationRequest]:
    """Without names all are asked about."""
    for name in params.get("repositoryNames") or ["*"]:
        yield AuthorizationRequest("ecr:DescribeRepositories", arn(facts, "ecr", f"repository/{name}"))


def _role(action: str) -> Row:
    def row(params: Params, facts: Facts) -> Iterator[AuthorizationRequest]:
        role = f"arn:{facts.partition}:iam::{facts.account}:role/{params['RoleName']}"
        yield AuthorizationRequest(action, role, resource_tags(facts, role))

    return row


def _network(params: Params, facts: Facts) -> Iterator[AuthorizationRequest]:
    yield AuthorizationRequest("ec2:DescribeVpcAttribute", arn(facts, "ec2", f"vpc/{params['VpcId']}"))


def _alarms(params: Params, facts: Facts) -> Iterator[AuthorizationRequest]:
    """Composite alarms are told only to who may see all, whichever are named
    (https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html)."""
    yield AuthorizationRequest("cloudwatch:DescribeAlarms", arn(facts, "cloudwatch", "alarm:*"))


def _rule(action: str, key: str) -> Row:
    def row(params: Params, facts: Facts) -> Iterator[AuthorizationRequest]:
        yield AuthorizationRequest(action, arn(facts, "events", f"rule/{params[key]}"))

    return row


def _secrets_policy(params: Params, facts: Facts) -> Iterator[AuthorizationRequest]:
    given = params["SecretId"]
    secret = facts.secret_arn(given) or arn(facts, "secretsmanager", f"secret:{given}")
    yield AuthorizationRequest("secretsmanager:GetResourcePolicy", secret, resource_tags(facts, secret))


ROWS: dict[str, dict[str, Row]] = {
    "s3": {operation: _bucket(action) for operation, action in _BUCKET_ACTIONS.items()},
    "ecr": {
        "DescribeRepositories": _repositories,
        "GetLifecyclePolicy": _repository("ecr:GetLifecyclePolicy"),
        "ListTagsForResource": _by_arn("ecr:ListTagsForResource", "resourceArn"),
    },
    "iam": {
        "GetOpenIDConnectProvider": _by_arn("iam:GetOpenIDConnectProvider", "OpenIDConnectProviderArn"),
        "GetRolePolicy": _role("iam:GetRolePolicy"),
        "ListAttachedRolePolicies": _role("iam:ListAttachedRolePolicies"),
        "ListRolePolicies": _role("iam:ListRolePolicies"),
    },
    "ec2": {**{name: anything(f"ec2:{name}") for name in _EC2}, "DescribeVpcAttribute": _network},
    "logs": {
        "DescribeLogGroups": anything("logs:DescribeLogGroups"),
        "ListTagsForResource": _by_arn("logs:ListTagsForResource", "resourceArn"),
    },
    "cloudwatch": {
        "DescribeAlarms": _alarms,
        "ListTagsForResource": _by_arn("cloudwatch:ListTagsForResource", "ResourceARN"),
    },
    "sns": {
        "GetSubscriptionAttributes": anything("sns:GetSubscriptionAttributes"),
        "GetTopicAttributes": _by_arn("sns:GetTopicAttributes", "TopicArn"),
        "ListTagsForResource": _by_arn("sns:ListTagsForResource", "ResourceArn"),
    },
    "events": {
        "DescribeRule": _rule("events:DescribeRule", "Name"),
        "ListTagsForResource": _by_arn("events:ListTagsForResource", "ResourceARN"),
        "ListTargetsByRule": _rule("events:ListTargetsByRule", "Rule"),
    },
    "secretsmanager": {"GetResourcePolicy": _secrets_policy},
}
