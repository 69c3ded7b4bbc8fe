"""Two programs with the same resources: one keeps every rule of the policy pack, the other breaks each of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

PLANTED: Final = "agent:acme:" + "b1" * 16
"""What no message may show."""

DIGEST: Final = f"sha256:{'0123456789abcdef' * 4}"
KEY: Final = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"
STACK_FILE: Final = f"config:\n  hybrid:aws:\n    logKeyArn: {KEY}\n"
"""The team wants its own key on logs."""

BROKEN: Final = {
    "bucket-encryption": "Bucket bucket",
    "bucket-lifecycle": "Bucket bucket",
    "bucket-public-access": "Bucket bucket",
    "bucket-versioning": "Bucket bucket",
    "encryption-at-rest": "FileSystem files",
    "encryption-own-key": "LogGroup logs",
    "iam-not-action": "RolePolicy not-action",
    "iam-star-actions": "RolePolicy star-actions",
    "iam-star-resources": "RolePolicy star-resources",
    "image-by-digest": "TaskDefinition task",
    "image-retention": "LifecyclePolicy images",
    "judged-later": "",
    "log-retention": "LogGroup logs",
    "plain-secrets": "TaskDefinition task",
    "public-access": "SecurityGroupIngressRule way-in",
    "stack-tag": "Topic topic",
    "stale-exception": "",
}
"""Each rule, and what the broken program breaks it with; nothing for what is said of the whole stack."""

MORE_FOR_EVERYBODY: Final = {"BucketPolicy for-everybody", "Role for-every-job"}
"""Further resources that ``public-access`` is broken with."""


def program(*, good: bool) -> Callable[[], None]:
    def declared() -> None:
        import pulumi
        import pulumi_aws as aws

        tagged = {"dagster-hybrid/stack": "hybrid-dev"}
        # a provider without default tags, so that each resource has those that it says
        opts = pulumi.ResourceOptions(provider=aws.Provider("aws", region="eu-central-1"))
        tags = {"tags": tagged, "opts": opts}
        _bucket(opts, tagged, good=good)
        aws.efs.FileSystem("files", encrypted=good, **tags)
        aws.cloudwatch.LogGroup(
            "logs", retention_in_days=30 if good else None, kms_key_id=KEY if good else None, **tags
        )
        aws.sns.Topic("topic", tags=tagged if good else {"team": "data"}, opts=opts)
        aws.ecr.LifecyclePolicy(
            "images", repository="images", policy=_lifecycle("untagged" if good else "any"), opts=opts
        )
        aws.vpc.SecurityGroupIngressRule(
            "way-in",
            security_group_id="sg-0123456789abcdef0",
            cidr_ipv4="10.0.0.0/8" if good else "0.0.0.0/0",
            ip_protocol="tcp",
            from_port=22,
            to_port=22,
            **tags,
        )
        _rights(opts, tagged, good=good)
        _task(tags, good=good)

    return declared


def harmless_then_broken() -> None:
    """A log group, and after it a role with a right to everything."""
    import pulumi
    import pulumi_aws as aws

    tags = {"dagster-hybrid/stack": "hybrid-dev"}
    opts = pulumi.ResourceOptions(provider=aws.Provider("aws", region="eu-central-1"))
    role = aws.iam.Role("role", assume_role_policy=_trust(good=True), tags=tags, opts=opts)
    aws.iam.RolePolicy("everything", role=role.name, policy=_policy({"Action": "*", "Resource": "*"}), opts=opts)


def only_known_later() -> None:
    """A policy that a preview cannot see, because it names what is not made yet, and that allows everything."""
    import pulumi
    import pulumi_aws as aws

    tags = {"dagster-hybrid/stack": "hybrid-dev"}
    opts = pulumi.ResourceOptions(provider=aws.Provider("aws", region="eu-central-1"))
    role = aws.iam.Role("not-there-yet", assume_role_policy=_trust(good=True), tags=tags, opts=opts)
    said = role.unique_id.apply(lambda id: _policy({"Sid": id, "Action": "s3:*", "Resource": "arn:aws:s3:::one"}))
    aws.iam.RolePolicy("unseen", role=role.name, policy=said, opts=opts)


def _bucket(opts: Any, tags: dict[str, str], *, good: bool) -> None:
    import pulumi_aws as aws

    bucket = aws.s3.Bucket("bucket", tags=tags, opts=opts)  # its name is the plugin's: parts are told by the program
    principal = {"AWS": "arn:aws:iam::123456789012:root"} if good else "*"
    statement = {"Action": "s3:GetObject", "Resource": "arn:aws:s3:::other/*", "Principal": principal}
    aws.s3.BucketPolicy("for-everybody", bucket="other", policy=_policy(statement), opts=opts)
    if not good:
        return
    aws.s3.BucketPublicAccessBlock(
        "private",
        bucket=bucket.bucket,
        block_public_acls=True,
        block_public_policy=True,
        ignore_public_acls=True,
        restrict_public_buckets=True,
        opts=opts,
    )
    aws.s3.BucketVersioning(
        "versioning", bucket=bucket.bucket, versioning_configuration={"status": "Enabled"}, opts=opts
    )
    aws.s3.BucketServerSideEncryptionConfiguration(
        "encryption",
        bucket=bucket.bucket,
        rules=[{"apply_server_side_encryption_by_default": {"sse_algorithm": "AES256"}}],
        opts=opts,
    )
    lifecycle = {
        "id": "old",
        "status": "Enabled",
        "filter": {"prefix": ""},
        "noncurrent_version_expiration": {"noncurrent_days": 30},
    }
    aws.s3.BucketLifecycleConfiguration("lifecycle", bucket=bucket.bucket, rules=[lifecycle], opts=opts)


def _rights(opts: Any, tags: dict[str, str], *, good: bool) -> None:
    import pulumi_aws as aws

    role = aws.iam.Role("for-every-job", assume_role_policy=_trust(good=good), tags=tags, opts=opts)
    narrow = {"Action": "s3:GetObject", "Resource": "arn:aws:s3:::one/*"}
    for name, broken in (
        ("star-actions", {"Action": "s3:*", "Resource": "arn:aws:s3:::one/*"}),
        ("star-resources", {"Action": "s3:GetObject", "Resource": "*"}),
        ("not-action", {"NotAction": "iam:CreateUser", "Resource": "arn:aws:s3:::one/*"}),
    ):
        aws.iam.RolePolicy(name, role="one", policy=_policy(narrow if good else broken), opts=opts)
    if not good:
        later = role.unique_id.apply(lambda id: _policy({**narrow, "Sid": id}))
        aws.iam.RolePolicy("later", role="one", policy=later, opts=opts)


def _task(tags: Any, *, good: bool) -> None:
    import pulumi_aws as aws

    container = {
        "name": "one",
        "image": f"acme/one@{DIGEST}" if good else "acme/one:latest",
        "environment": [{"name": "STAGE", "value": "dev" if good else PLANTED}],
    }
    aws.ecs.TaskDefinition("task", family="one", container_definitions=json.dumps([container]), **tags)


def _lifecycle(status: str) -> str:
    selection = {"tagStatus": status, "countType": "imageCountMoreThan", "countNumber": 9}
    rule = {"rulePriority": 1, "selection": selection, "action": {"type": "expire"}}
    return json.dumps({"rules": [rule]})


def _policy(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]})


def _trust(*, good: bool) -> str:
    issuer = "token.actions.githubusercontent.com"
    said = {
        f"{issuer}:aud": "sts.amazonaws.com",
        **({f"{issuer}:sub": "repo:acme/data:environment:prod"} if good else {}),
    }
    return _policy(
        {
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Principal": {"Federated": f"arn:aws:iam::123456789012:oidc-provider/{issuer}"},
            "Condition": {"StringEquals": said},
        }
    )
