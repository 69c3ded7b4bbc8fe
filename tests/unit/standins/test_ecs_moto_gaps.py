"""Each gap of moto that the double of ECS closes: shown as moto is, then closed.

When a newer moto closes one itself, its "is there" test turns red: the patch can go. What AWS does instead is each
patch's docstring; nothing here can ask AWS.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from moto import mock_aws

from tests.standins.ecs.__main__ import GAPS
from tests.standins.ecs.patching import Gap, closed

pytestmark = pytest.mark.unit

REGION = "us-east-1"
ROLE = "arn:aws:iam::123456789012:role/any"


@dataclass
class Aws:
    """An account with a network and a cluster."""

    subnet: str = ""
    vpc: str = ""

    def client(self, service: str) -> Any:
        made: Any = boto3
        return made.client(
            service, region_name=REGION, aws_access_key_id="x", aws_secret_access_key="x",
            config=Config(retries={"total_max_attempts": 1}),
        )  # fmt: skip

    @property
    def ecs(self) -> Any:
        return self.client("ecs")

    @property
    def cloud_map(self) -> Any:
        return self.client("servicediscovery")

    def make(self) -> Aws:
        ec2 = self.client("ec2")
        self.vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        ec2.modify_vpc_attribute(VpcId=self.vpc, EnableDnsHostnames={"Value": True})
        self.subnet = ec2.create_subnet(VpcId=self.vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
        self.ecs.create_cluster(clusterName="c")
        return self

    def network(self, *, groups: bool = True) -> dict[str, Any]:
        found = {"subnets": [self.subnet], "assignPublicIp": "ENABLED"}
        return {"awsvpcConfiguration": {**found, **({"securityGroups": []} if groups else {})}}

    def define(self, *, names: tuple[str, ...] = ("main",), memory: int | None = 512, **more: Any) -> str:
        sized = {"memory": memory} if memory else {}
        containers = [{"name": name, "image": "any", "essential": True, **sized} for name in names]
        said = {"networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "256", "memory": "1024", **more}
        made = self.ecs.register_task_definition(family="f", containerDefinitions=containers, **said)
        return str(made["taskDefinition"]["taskDefinitionArn"])

    def serve(self, definition: str, name: str = "s", **more: Any) -> dict[str, Any]:
        said = {"desiredCount": 1, "launchType": "FARGATE", "networkConfiguration": self.network(), **more}
        return dict(
            self.ecs.create_service(cluster="c", serviceName=name, taskDefinition=definition, **said)["service"]
        )

    def run(self, definition: str, **more: Any) -> dict[str, Any]:
        said = {"launchType": "FARGATE", "networkConfiguration": self.network(), **more}
        return dict(self.ecs.run_task(cluster="c", taskDefinition=definition, **said)["tasks"][0])

    def service(self) -> dict[str, Any]:
        return dict(self.ecs.describe_services(cluster="c", services=["s"])["services"][0])

    def namespace(self, name: str = "one.local") -> str:
        operation = self.cloud_map.create_private_dns_namespace(Name=name, Vpc=self.vpc)["OperationId"]
        return str(self.cloud_map.get_operation(OperationId=operation)["Operation"]["Targets"]["NAMESPACE"])

    def name(self, namespace: str, name: str = "web") -> str:
        return str(self.cloud_map.create_service(Name=name, NamespaceId=namespace)["Service"]["Id"])


def refuses(act: Callable[[], Any], code: str) -> bool:
    """Whether ``act`` ends with AWS's error ``code``."""
    try:
        act()
    except ClientError as error:
        return bool(error.response["Error"]["Code"] == code)
    except Exception:
        return False
    return False


def accepts(act: Callable[[], Any]) -> bool:
    try:
        act()
    except Exception:
        return False
    return True


# Each says whether the account does as AWS does.


def long_arns_are_a_setting_of_every_account(aws: Aws) -> bool:
    asked = aws.ecs.list_account_settings(name="serviceLongArnFormat", effectiveSettings=True)["settings"]
    return [one["value"] for one in asked] == ["enabled"]


def only_the_runner_moves_a_task(aws: Aws) -> bool:
    task = aws.run(aws.define())["taskArn"]
    seen = {aws.ecs.describe_tasks(cluster="c", tasks=[task])["tasks"][0]["lastStatus"] for _ in range(4)}
    return seen == {"PROVISIONING"}


def a_task_has_all_its_containers(aws: Aws) -> bool:
    found = aws.run(aws.define(names=("main", "side")))["containers"]
    return [(one["name"], one.get("exitCode")) for one in found] == [("main", None), ("side", None)]


def security_groups_may_be_left_out(aws: Aws) -> bool:
    definition, network = aws.define(), aws.network(groups=False)
    return accepts(lambda: (aws.serve(definition, networkConfiguration=network),
                            aws.run(definition, networkConfiguration=network)))  # fmt: skip


def memory_may_be_the_tasks_alone(aws: Aws) -> bool:
    return accepts(lambda: aws.run(aws.define(memory=None)))


def overrides_are_short(aws: Aws) -> bool:
    long = {"containerOverrides": [{"name": "main", "command": ["x" * 8192]}]}
    return refuses(lambda: aws.run(aws.define(), overrides=long), "InvalidParameterException")


def tasks_are_listed_by_service_and_status(aws: Aws) -> bool:
    aws.serve(aws.define())
    aws.run(aws.define())
    return aws.ecs.list_tasks(cluster="c", serviceName="s")["taskArns"] == []


def a_task_that_is_not_there_is_a_failure(aws: Aws) -> bool:
    found = aws.ecs.describe_tasks(cluster="c", tasks=["0" * 32])
    return [one["reason"] for one in found["failures"]] == ["MISSING"]


def stopping_a_task_takes_time(aws: Aws) -> bool:
    task = aws.run(aws.define())["taskArn"]
    stopped = aws.ecs.stop_task(cluster="c", task=task, reason="enough")["task"]
    missing = refuses(lambda: aws.ecs.stop_task(cluster="c", task="0" * 32), "InvalidParameterException")
    return missing and stopped["desiredStatus"] == "STOPPED" and stopped["lastStatus"] != "STOPPED"


def fargate_has_its_sizes(aws: Aws) -> bool:
    return refuses(lambda: aws.define(cpu="1024"), "ClientException") and accepts(aws.define)


def a_service_keeps_its_settings(aws: Aws) -> bool:
    aws.serve(aws.define(), deploymentConfiguration={"maximumPercent": 150, "minimumHealthyPercent": 50})
    return bool(aws.service().get("deploymentConfiguration", {}).get("maximumPercent") == 150)


def a_service_begins_with_nothing_running(aws: Aws) -> bool:
    aws.serve(aws.define())
    return "createdAt" in aws.service() and aws.service()["pendingCount"] == 0


def a_name_is_one_services(aws: Aws) -> bool:
    definition = aws.define()
    aws.serve(definition)
    return refuses(lambda: aws.serve(definition), "InvalidParameterException")


def an_update_is_a_deployment(aws: Aws) -> bool:
    first, second = aws.define(), aws.define()
    aws.serve(first)
    aws.ecs.update_service(cluster="c", service="s", taskDefinition="f:2", desiredCount=3)
    found = aws.service()
    return found["runningCount"] == 0 and found["taskDefinition"] == second and len(found["deployments"]) == 2


def a_deleted_service_drains(aws: Aws) -> bool:
    aws.serve(aws.define())
    aws.ecs.delete_service(cluster="c", service="s", force=True)
    return aws.service()["status"] == "DRAINING" and aws.ecs.list_services(cluster="c")["serviceArns"] == []


def a_cluster_in_use_stays(aws: Aws) -> bool:
    aws.serve(aws.define())
    return refuses(lambda: aws.ecs.delete_cluster(cluster="c"), "ClusterContainsServicesException")


def services_are_listed_by_namespace(aws: Aws) -> bool:
    aws.name(aws.namespace())
    asked = [{"Name": "NAMESPACE_ID", "Values": ["ns-other"], "Condition": "EQ"}]
    return aws.cloud_map.list_services(Filters=asked)["Services"] == []


def a_service_with_instances_stays(aws: Aws) -> bool:
    name = aws.name(aws.namespace())
    address = {"AWS_INSTANCE_IPV4": "10.0.0.9"}
    aws.cloud_map.register_instance(ServiceId=name, InstanceId="i", Attributes=address)
    kept = refuses(lambda: aws.cloud_map.delete_service(Id=name), "ResourceInUse")
    if kept:
        aws.cloud_map.deregister_instance(ServiceId=name, InstanceId="i")
    return kept and accepts(lambda: aws.cloud_map.delete_service(Id=name))


def a_namespace_with_services_stays(aws: Aws) -> bool:
    namespace = aws.namespace()
    aws.name(namespace)
    return refuses(lambda: aws.cloud_map.delete_namespace(Id=namespace), "ResourceInUse")


def a_vpc_may_have_several_namespaces(aws: Aws) -> bool:
    first = aws.namespace("one.local")
    second = accepts(lambda: aws.namespace("two.local"))
    both = {one["Id"] for one in aws.cloud_map.list_namespaces()["Namespaces"]}
    return second and len(both) == 2 and first in both and not accepts(lambda: aws.namespace("one.local"))


def a_bucket_s_policy_is_judged_once(aws: Aws) -> bool:
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="bucket")
    without_tls = {"Condition": {"Bool": {"aws:SecureTransport": "false"}}, "Resource": "arn:aws:s3:::bucket/*"}
    statement = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", **without_tls}
    s3.put_bucket_policy(Bucket="bucket", Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    return accepts(lambda: s3.put_object(Bucket="bucket", Key="k", Body=b""))


def what_a_role_may_do_can_be_tried(aws: Aws) -> bool:
    iam = aws.client("iam")
    role = iam.create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps({"Statement": []}))["Role"]["Arn"]
    granted = {"Effect": "Allow", "Action": ["s3:GetObject", "s3:DeleteObject"], "Resource": "arn:aws:s3:::bucket/a"}
    forbidden = {"Effect": "Deny", "Action": "s3:DeleteObject", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [granted, forbidden]})
    iam.put_role_policy(RoleName="r", PolicyName="p", PolicyDocument=document)
    actions = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"]
    asked = {"ActionNames": actions, "ResourceArns": ["arn:aws:s3:::bucket/a"]}
    try:
        told = iam.simulate_principal_policy(PolicySourceArn=role, **asked)["EvaluationResults"]
    except Exception:  # moto answers 404 with a page, which botocore cannot read
        return False
    return [one["EvalDecision"] for one in told] == ["allowed", "implicitDeny", "explicitDeny"]


def probe(gap: Gap) -> Callable[[Aws], bool]:
    found: Callable[[Aws], bool] = globals()[gap.name]
    return found


@contextmanager
def account() -> Iterator[Aws]:
    with mock_aws():
        yield Aws().make()


@pytest.mark.parametrize("gap", GAPS, ids=[gap.name for gap in GAPS])
def test_the_gap_is_there(gap: Gap) -> None:
    with account() as aws:
        assert not probe(gap)(aws), f"moto does as AWS does: {gap.name} is closed without us, and its patch can go"


@pytest.mark.parametrize("gap", GAPS, ids=[gap.name for gap in GAPS])
def test_the_gap_is_closed(gap: Gap) -> None:
    with closed(*GAPS), account() as aws:
        assert probe(gap)(aws), f"closed: {gap.close.__doc__}"


def test_what_was_patched_is_as_before() -> None:
    from moto.ecs.models import EC2ContainerServiceBackend, Task

    before = dict(vars(Task)), dict(vars(EC2ContainerServiceBackend))
    with closed(*GAPS):
        assert (dict(vars(Task)), dict(vars(EC2ContainerServiceBackend))) != before
    assert (dict(vars(Task)), dict(vars(EC2ContainerServiceBackend))) == before
