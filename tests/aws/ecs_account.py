"""What an account has of a stack on ECS, as boto3 shows it, and what others do there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.aws.ecs_stack import BASE, NAMES, STACK_TAG, EcsStack
from tests.emulated.checkout import until


def token_versions(stack: EcsStack) -> list[str]:
    """Each value that the token's secret has and had."""
    secrets = stack.client("secretsmanager")
    if not [each for each in secrets.list_secrets()["SecretList"] if each["Name"] == NAMES.token_secret]:
        return []
    listed = secrets.list_secret_version_ids(SecretId=NAMES.token_secret, IncludeDeprecated=True)["Versions"]
    asked = [{"SecretId": NAMES.token_secret, "VersionId": each["VersionId"]} for each in listed]
    return [str(secrets.get_secret_value(**each)["SecretString"]) for each in asked]


def all_task_definitions(stack: EcsStack) -> str:
    """What ECS shows of every revision."""
    ecs = stack.client("ecs")
    arns = [
        arn
        for status in ("ACTIVE", "INACTIVE")
        for arn in ecs.list_task_definitions(status=status)["taskDefinitionArns"]
    ]
    return "".join(str(ecs.describe_task_definition(taskDefinition=arn)["taskDefinition"]) for arn in arns)


def policies(stack: EcsStack, role: str) -> dict[str, str]:
    """A role's own policies, as AWS has them."""
    iam, name = stack.client("iam"), NAMES.role(role)
    found = iam.list_role_policies(RoleName=name)["PolicyNames"]
    texts = {each: iam.get_role_policy(RoleName=name, PolicyName=each)["PolicyDocument"] for each in found}
    return {each: json.dumps(text, sort_keys=True) for each, text in texts.items()}


def same(text: str) -> str:
    """A policy's text, for comparisons."""
    return json.dumps(json.loads(text), sort_keys=True)


def active_clusters(stack: EcsStack) -> list[str]:
    """A deleted cluster is listed as inactive for some time."""
    ecs = stack.client("ecs")
    found = ecs.describe_clusters(clusters=ecs.list_clusters()["clusterArns"])["clusters"]
    return [each["clusterName"] for each in found if each["status"] == "ACTIVE"]


@contextmanager
def open_to_tests(stack: EcsStack) -> Iterator[Any]:
    """S3 without the bucket's policy: moto evaluates no conditions, and so takes it to deny whatever is asked."""
    s3 = stack.client("s3")
    policy = s3.get_bucket_policy(Bucket=NAMES.bucket)["Policy"]
    s3.delete_bucket_policy(Bucket=NAMES.bucket)
    yield s3
    s3.put_bucket_policy(Bucket=NAMES.bucket, Policy=policy)


def stored(stack: EcsStack) -> bytes:
    """What ``assets/answer`` in the bucket is."""
    with open_to_tests(stack) as s3:
        return bytes(s3.get_object(Bucket=NAMES.bucket, Key="assets/answer")["Body"].read())


def leave_a_code_server(stack: EcsStack) -> None:
    """What an agent leaves that was killed: a service with a task, and its name in the namespace."""
    ecs, cloud_map = stack.client("ecs"), stack.client("servicediscovery")
    (namespace,) = cloud_map.list_namespaces()["Namespaces"]
    named = cloud_map.create_service(
        Name="alpha-1", NamespaceId=namespace["Id"], DnsConfig={"DnsRecords": [{"Type": "A", "TTL": 60}]},
        Tags=[{"Key": STACK_TAG, "Value": BASE}],
    )["Service"]  # fmt: skip
    definition = ecs.register_task_definition(
        family=f"{NAMES.server_prefix}_alpha", networkMode="awsvpc", requiresCompatibilities=["FARGATE"],
        containerDefinitions=[{"name": "dagster", "image": "alpha"}], cpu="256", memory="512",
    )["taskDefinition"]["taskDefinitionArn"]  # fmt: skip
    ecs.create_service(
        cluster=NAMES.cluster, serviceName="alpha-1", taskDefinition=definition, desiredCount=1, launchType="FARGATE",
        networkConfiguration=stack.service()["networkConfiguration"], propagateTags="SERVICE",
        tags=[{"key": STACK_TAG, "value": BASE}], serviceRegistries=[{"registryArn": named["Arn"]}],
    )  # fmt: skip

    def runs() -> bool:
        (found,) = ecs.describe_services(cluster=NAMES.cluster, services=["alpha-1"])["services"]
        return bool(found["runningCount"])

    until(runs, seconds=30, what="the code server runs")
