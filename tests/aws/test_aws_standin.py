"""A stack of every listed type, from nothing to nothing again, with Pulumi's real engine against moto.

What stands is asked of moto by boto3, not of Pulumi. That AWS itself takes the same calls, these tests cannot show.
The tests are a story: one stack goes through them in the order of this file.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest

from tests.aws.estate import SECRET, STACK_TAG, Estate
from tests.aws.fixtures import MakeProgram
from tests.aws.moto_server import ACCOUNT, REGION, Call, Moto
from tests.aws.program import AwsProgram, Run

pytestmark = [pytest.mark.program, pytest.mark.timeout(600)]

BASE = "hybrid-dev"
BUCKET = f"{BASE}-{ACCOUNT}-{REGION}"
COUNT = 43  # 41 of AWS's, the provider, the stack


@dataclass
class Story:
    program: AwsProgram
    moto: Moto
    before: dict[str, set[str]]
    preview: Run
    preview_calls: list[Call]
    after_preview: dict[str, set[str]]
    up: Run

    def ask(self, service: Any, operation: str, **arguments: Any) -> Any:
        return getattr(self.moto.client(service), operation)(**arguments)


@pytest.fixture(scope="module")
def story(aws_programs: MakeProgram, moto: Moto) -> Story:
    program = aws_programs()
    program.declare(Estate())
    before = account(moto)
    with moto.recorded() as calls:
        preview = program.preview()
    after = account(moto)
    return Story(program, moto, before, preview, calls, after, program.up())


def account(moto: Moto) -> dict[str, set[str]]:
    """The names of everything that the estate could leave in the account."""
    asked = {
        "ec2": {
            "describe_vpcs": "VpcId",
            "describe_subnets": "SubnetId",
            "describe_internet_gateways": "InternetGatewayId",
            "describe_route_tables": "RouteTableId",
            "describe_security_groups": "GroupId",
            "describe_addresses": "AllocationId",
        },
        "s3": {"list_buckets": "Name"},
        "ecr": {"describe_repositories": "repositoryName"},
        "iam": {"list_roles": "RoleName", "list_open_id_connect_providers": "Arn"},
        "secretsmanager": {"list_secrets": "Name"},
        "logs": {"describe_log_groups": "logGroupName"},
        "cloudwatch": {"describe_alarms": "AlarmName"},
        "events": {"list_rules": "Name"},
        "sns": {"list_topics": "TopicArn", "list_subscriptions": "SubscriptionArn"},
        "servicediscovery": {"list_namespaces": "Name"},
        "ecs": {"list_task_definitions": ""},
    }
    found: dict[str, set[str]] = {}
    for service, operations in asked.items():
        client = moto.client(service)
        for operation, key in operations.items():
            answer = getattr(client, operation)()
            items = next(value for value in answer.values() if isinstance(value, list))
            found[f"{service}.{operation}"] = {item[key] if key else item for item in items}
    found["iam.policies"] = {each["PolicyName"] for each in moto.client("iam").list_policies(Scope="Local")["Policies"]}
    # moto goes on showing what was deleted, as such
    ecs, ec2 = moto.client("ecs"), moto.client("ec2")
    clusters = ecs.describe_clusters(clusters=ecs.list_clusters()["clusterArns"])["clusters"]
    found["ecs.clusters"] = {each["clusterName"] for each in clusters if each["status"] == "ACTIVE"}
    endpoints = ec2.describe_vpc_endpoints()["VpcEndpoints"]
    found["ec2.endpoints"] = {each["VpcEndpointId"] for each in endpoints if each["State"] != "deleted"}
    return found


def tags(given: list[dict[str, str]]) -> dict[str, str]:
    """``[{"Key": …, "Value": …}]``, in either spelling, as a dict."""
    return {each.get("Key") or each["key"]: each.get("Value") or each["value"] for each in given}


def test_a_preview_shows_everything_and_writes_nothing(story: Story) -> None:
    planned = story.preview.changes
    assert len(planned) == COUNT, f"of {COUNT} resources the preview shows {len(planned)}"
    assert set(planned.values()) == {"create"}, "everything is new"
    writing = [call for call in story.preview_calls if not call.reads]
    assert not writing, f"a preview must only ask, and it called {writing}"
    assert story.preview_calls, "the record itself must work: the account's number was asked for"
    assert story.after_preview == story.before, "the account must be as it was"


def test_up_makes_what_the_preview_showed(story: Story) -> None:
    assert story.up.changes == story.preview.changes, "what is done must be what was shown"


def test_the_network_stands_as_declared(story: Story) -> None:
    (vpc,) = story.ask("ec2", "describe_vpcs", Filters=[{"Name": f"tag:{STACK_TAG}", "Values": [BASE]}])["Vpcs"]
    assert vpc["CidrBlock"] == "10.20.0.0/16", "the range of the network"
    assert tags(vpc["Tags"]) == {"Name": BASE, "team": "data", STACK_TAG: BASE}, "its own tags and the default ones"
    here = [{"Name": "vpc-id", "Values": [vpc["VpcId"]]}]
    subnets = sorted(story.ask("ec2", "describe_subnets", Filters=here)["Subnets"], key=lambda each: each["CidrBlock"])
    assert [each["CidrBlock"] for each in subnets] == ["10.20.0.0/24", "10.20.1.0/24"], "a subnet in each zone"
    assert [each["AvailabilityZone"] for each in subnets] == [f"{REGION}a", f"{REGION}b"], "zones that were asked for"

    (gateway,) = story.ask(
        "ec2",
        "describe_internet_gateways",
        Filters=[{"Name": "attachment.vpc-id", "Values": [vpc["VpcId"]]}],
    )["InternetGateways"]
    tables = story.ask("ec2", "describe_route_tables", Filters=here)["RouteTables"]
    (public,) = [each for each in tables if not any(link["Main"] for link in each["Associations"])]
    assert {link["SubnetId"] for link in public["Associations"]} == {each["SubnetId"] for each in subnets}, "routed"
    ways = {route.get("DestinationCidrBlock"): route.get("GatewayId") for route in public["Routes"]}
    assert ways["0.0.0.0/0"] == gateway["InternetGatewayId"], "the way out"
    (endpoint,) = story.ask("ec2", "describe_vpc_endpoints", Filters=here)["VpcEndpoints"]
    assert endpoint["ServiceName"] == f"com.amazonaws.{REGION}.s3", "the way to S3"
    assert endpoint["VpcEndpointType"] == "Gateway", "which costs nothing"
    assert endpoint["RouteTableIds"] == [public["RouteTableId"]], "for the subnets"


def test_the_security_groups_stand_as_declared(story: Story) -> None:
    groups = story.ask("ec2", "describe_security_groups")["SecurityGroups"]
    (code,) = [each for each in groups if each["GroupName"] == f"{BASE}-code"]
    assert code["Description"] == "Managed by Pulumi", "what the plugin fills in"
    (inside,) = code["IpPermissions"]
    assert (inside["IpProtocol"], inside["FromPort"], inside["ToPort"]) == ("tcp", 4000, 4000), "the port"
    assert [each["GroupId"] for each in inside["UserIdGroupPairs"]] == [code["GroupId"]], "from the group alone"
    assert not inside["IpRanges"], "from nowhere else"
    assert [each["CidrIp"] for each in code["IpPermissionsEgress"][0]["IpRanges"]] == ["0.0.0.0/0"], "out"
    (default,) = [each for each in groups if each["GroupName"] == "default" and each["VpcId"] == code["VpcId"]]
    assert (default["IpPermissions"], default["IpPermissionsEgress"]) == ([], []), "the network's own group is closed"


def test_the_bucket_stands_as_declared(story: Story) -> None:
    assert story.ask("s3", "get_bucket_versioning", Bucket=BUCKET)["Status"] == "Enabled", "versions"
    (rule,) = story.ask("s3", "get_bucket_encryption", Bucket=BUCKET)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}, "encrypted"
    closed = story.ask("s3", "get_public_access_block", Bucket=BUCKET)["PublicAccessBlockConfiguration"]
    assert set(closed.values()) == {True}, "nothing is public"
    assert len(closed) == 4, "in each of the four ways"
    (owner,) = story.ask("s3", "get_bucket_ownership_controls", Bucket=BUCKET)["OwnershipControls"]["Rules"]
    assert owner["ObjectOwnership"] == "BucketOwnerEnforced", "no lists of access"
    policy = json.loads(story.ask("s3", "get_bucket_policy", Bucket=BUCKET)["Policy"])
    assert policy["Statement"][0]["Resource"] == [f"arn:aws:s3:::{BUCKET}", f"arn:aws:s3:::{BUCKET}/*"], "TLS only"
    said = story.ask("s3", "get_bucket_tagging", Bucket=BUCKET)["TagSet"]
    assert tags(said) == {"team": "data", STACK_TAG: BASE}, "the default tags"


def test_registry_secret_and_logs_stand_as_declared(story: Story) -> None:
    (repository,) = story.ask("ecr", "describe_repositories", repositoryNames=[f"{BASE}/code"])["repositories"]
    assert repository["imageTagMutability"] == "IMMUTABLE", "a tag stays what it is"
    assert repository["imageScanningConfiguration"] == {"scanOnPush": True}, "images are looked at"
    expiry = story.ask("ecr", "get_lifecycle_policy", repositoryName=f"{BASE}/code")["lifecyclePolicyText"]
    assert json.loads(expiry)["rules"][0]["selection"]["tagStatus"] == "untagged", "only untagged layers expire"
    pull = json.loads(story.ask("ecr", "get_repository_policy", repositoryName=f"{BASE}/code")["policyText"])
    assert pull["Statement"][0]["Principal"]["AWS"] == f"arn:aws:iam::{ACCOUNT}:role/{BASE}-execution", "who may pull"
    value = story.ask("secretsmanager", "get_secret_value", SecretId=f"{BASE}/agent-token")
    assert value["SecretString"] == SECRET, "the secret's value must arrive"
    (group,) = story.ask("logs", "describe_log_groups", logGroupNamePrefix=f"/{BASE}/agent")["logGroups"]
    assert group["retentionInDays"] == 14, "logs are kept for that long"


def test_the_roles_stand_as_declared(story: Story) -> None:
    role = story.ask("iam", "get_role", RoleName=f"{BASE}-agent")["Role"]
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": ACCOUNT}}, "trusted for this account only"
    policy = story.ask("iam", "get_role_policy", RoleName=f"{BASE}-agent", PolicyName="reads")["PolicyDocument"]
    assert policy["Statement"][0]["Resource"] == f"arn:aws:s3:::{BUCKET}/*", "an ARN that was unknown in the preview"
    (attached,) = story.ask("iam", "list_attached_role_policies", RoleName=f"{BASE}-agent")["AttachedPolicies"]
    assert attached["PolicyName"] == f"{BASE}-shared", "the shared policy"
    (provider,) = story.ask("iam", "list_open_id_connect_providers")["OpenIDConnectProviderList"]
    seen = story.ask("iam", "get_open_id_connect_provider", OpenIDConnectProviderArn=provider["Arn"])
    assert seen["ClientIDList"] == ["sts.amazonaws.com"], "for whom its tokens are"


def test_the_alarm_and_its_ways_stand_as_declared(story: Story) -> None:
    (alarm,) = story.ask("cloudwatch", "describe_alarms")["MetricAlarms"]
    (topic,) = story.ask("sns", "list_topics")["Topics"]
    (mail,) = story.ask("sns", "list_subscriptions")["Subscriptions"]
    assert alarm["AlarmName"] == f"{BASE}-no-agent", "the SDK's name is AWS's AlarmName"
    assert alarm["AlarmActions"] == [topic["TopicArn"]], "whom it tells"
    assert (alarm["Threshold"], alarm["TreatMissingData"]) == (1.0, "breaching"), "when"
    assert (mail["Protocol"], mail["Endpoint"]) == ("email", "team@example.com"), "the SDK's topic is AWS's TopicArn"
    (target,) = story.ask("events", "list_targets_by_rule", Rule=f"{BASE}-stopped")["Targets"]
    assert (target["Id"], target["Arn"]) == ("topic", topic["TopicArn"]), "the rule's target"


def test_the_agent_s_service_stands_as_declared(story: Story) -> None:
    (service,) = story.ask("ecs", "describe_services", cluster=BASE, services=[f"{BASE}-agent"])["services"]
    net = service["networkConfiguration"]["awsvpcConfiguration"]
    assert (service["desiredCount"], service["launchType"]) == (1, "FARGATE"), "one task on Fargate"
    assert service["deploymentConfiguration"]["deploymentCircuitBreaker"] == {"enable": True, "rollback": True}
    assert (net["assignPublicIp"], len(net["subnets"]), len(net["securityGroups"])) == ("ENABLED", 2, 1), "where"
    task = story.ask("ecs", "describe_task_definition", taskDefinition=service["taskDefinition"])["taskDefinition"]
    assert (task["cpu"], task["memory"], task["networkMode"]) == ("256", "1024", "awsvpc"), "its size"
    (container,) = task["containerDefinitions"]
    secret = story.ask("secretsmanager", "describe_secret", SecretId=f"{BASE}/agent-token")
    assert container["secrets"] == [{"name": "DAGSTER_CLOUD_AGENT_TOKEN", "valueFrom": secret["ARN"]}], "by its ARN"
    cluster = story.ask("ecs", "describe_clusters", clusters=[BASE], include=["SETTINGS"])["clusters"][0]
    assert cluster["settings"] == [{"name": "containerInsights", "value": "enabled"}], "measured"
    (namespace,) = story.ask("servicediscovery", "list_namespaces")["Namespaces"]
    assert (namespace["Name"], namespace["Type"]) == (f"{BASE}.local", "DNS_PRIVATE"), "names of code servers"


def test_outputs_of_functions_and_resources_reach_the_program(story: Story) -> None:
    told = story.program.outputs(f"standin-{story.program.stack}")
    (vpc,) = story.ask("ec2", "describe_vpcs", Filters=[{"Name": "cidr", "Values": ["10.20.0.0/16"]}])["Vpcs"]
    assert (told["account"], told["region"], told["partition"]) == (ACCOUNT, REGION, "aws"), "what functions found"
    assert (told["vpc"], told["found"]) == (vpc["VpcId"], "10.20.0.0/16"), "a function that waited for a resource"
    assert story.program.outputs("agent")["arn"].endswith(f"service/{BASE}/{BASE}-agent"), "an output of the newer SDK"
    merged = story.program.outputs("cluster")["tagsAll"]
    assert merged == {"team": "data", STACK_TAG: BASE}, "default tags are shown in tagsAll"


def test_no_secret_lies_in_the_state(story: Story) -> None:
    assert f"{BASE}/agent-token" in story.program.state_text(), "the state that is read must be this stack's"
    assert SECRET not in story.program.state_text(), "a secret lies in the state in the clear"


def test_a_second_up_changes_nothing_also_when_it_looks_first(story: Story) -> None:
    assert story.program.up().changes == {}, "the same program must change nothing"
    with story.moto.recorded() as calls:
        looked = story.program.up(refresh=True)  # two processes of the plugin at once
    assert looked.changes == {}, "what stands must be what was declared"
    assert len(looked.refreshed) == COUNT, "everything must have been looked at"
    assert not [call for call in calls if not call.reads], "looking must not write"


def test_what_is_changed_by_hand_is_seen_and_set_right(story: Story) -> None:
    vpc = story.program.outputs("vpc")["id"]
    story.ask("logs", "put_retention_policy", logGroupName=f"/{BASE}/agent", retentionInDays=365)
    story.ask("ec2", "create_tags", Resources=[vpc], Tags=[{"Key": "Name", "Value": "somebody's"}])
    story.ask("iam", "delete_role_policy", RoleName=f"{BASE}-agent", PolicyName="reads")
    refreshed = story.program.refresh()
    assert refreshed.drift == {"agent-logs": "update", "vpc": "update", "agent-reads": "delete"}, "exactly the drift"

    planned = story.program.preview()
    assert planned.changes == {"agent-logs": "update", "vpc": "update", "agent-reads": "create"}, "the way back"
    assert planned.step("agent-logs").changed == ("retentionInDays",), "what differs is named"
    assert planned.step("vpc").changed == ('tagsAll["Name"]', 'tags["Name"]'), "down to the tag"
    story.program.up()
    (group,) = story.ask("logs", "describe_log_groups", logGroupNamePrefix=f"/{BASE}/agent")["logGroups"]
    assert group["retentionInDays"] == 14, "as declared again"
    assert "reads" in story.ask("iam", "list_role_policies", RoleName=f"{BASE}-agent")["PolicyNames"], "made again"


def test_a_change_replaces_only_what_cannot_be_changed(story: Story) -> None:
    first = story.program.outputs("agent-task")["arn"]
    story.program.declare(Estate(retention=30, image="agent:2"))
    planned = story.program.preview()
    assert planned.changes == {
        "agent-logs": "update",
        "agent-task": "delete-replaced",
        "agent": "update",
    }, "a task definition is made anew, the service goes on"
    assert planned.step("agent-task", "replace").keys == ("containerDefinitions",), "the reason is named"
    story.program.up()
    (service,) = story.ask("ecs", "describe_services", cluster=BASE, services=[f"{BASE}-agent"])["services"]
    second = story.program.outputs("agent-task")["arn"]
    assert second != first, "another revision"
    assert service["taskDefinition"] == second, "the service runs it"


def test_another_default_tag_reaches_everything_that_has_tags(story: Story) -> None:
    story.program.declare(Estate(retention=30, image="agent:2", tags={"team": "ml"}))
    done = story.program.up()
    assert set(done.changes.values()) == {"update"}, "tags are changed in place"
    bucket = story.ask("s3", "get_bucket_tagging", Bucket=BUCKET)["TagSet"]
    role = story.ask("iam", "list_role_tags", RoleName=f"{BASE}-agent")["Tags"]
    assert tags(bucket)["team"] == tags(role)["team"] == "ml", "the new tag"
    assert story.program.up(refresh=True).changes == {}, "and that is all"


def test_destroy_leaves_nothing(story: Story) -> None:
    story.program.destroy()
    assert story.program.resources() == {}, "the state must be empty"
    # Of task definitions the list shows those that are active: they cannot be removed, only deregistered.
    assert account(story.moto) == story.before, "the account must be as it was before"
