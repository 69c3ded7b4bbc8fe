"""The life of a stack on ECS by Pulumi's real engine: stood up, changed, drifted, mended, its token rotated, taken down
and stood up again. The tests of this module follow one stack, in order.

The account is moto's, behind the plugin that the session's header names; Dagster+ is an emulator, and the tasks hold no
container: that an agent lives on what is made here is for tests/ecs. The phase is `prepare`, as nobody serves.
"""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from agent import ecs_policies
from agent.ecs_policies import PolicyScope
from infra.place import Place
from infra.roles import task_trust
from infra.statements import policy_text
from tests.aws.ecs_account import (
    active_clusters,
    all_task_definitions,
    leave_a_code_server,
    open_to_tests,
    policies,
    same,
    stored,
    token_versions,
)
from tests.aws.ecs_changes import CHANGES
from tests.aws.ecs_stack import BASE, NAMES, STACK_TAG, EcsStack
from tests.aws.moto_server import ACCOUNT, REGION
from tests.emulated.checkout import Answer, until

pytestmark = [pytest.mark.program, pytest.mark.slow, pytest.mark.timeout(900)]

ROLES = ("agent", "agent-execution", "code", "code-execution")
RESTART = "restarts the agent and so redeploys every location"


@pytest.fixture(autouse=True)
def no_token_is_shown(ecs_stack: EcsStack) -> Any:
    """After each test: none of the tokens that ever were is in the state, or in what ECS shows of tasks."""
    yield
    texts = {"the state": ecs_stack.state(), "ECS": all_task_definitions(ecs_stack)}
    for version in token_versions(ecs_stack):
        for where, text in texts.items():
            assert version not in text, f"{where} has a token in plain"


def up(stack: EcsStack) -> Answer:
    answer = stack.hybrid("up", "prod", "--yes")
    assert answer.code == 0, f"`hybrid up prod` ended with {answer.code}:\n{answer.err}"
    for token in token_versions(stack):
        assert token not in answer.out + answer.err, "a token is shown"
    return answer


def done(answer: Answer) -> dict[str, str]:
    """Names of resources to what was done to them first."""
    return {name: did for did, name in reversed(re.findall(r"^✓ (\w+) \w+ (\S+)", answer.err, re.MULTILINE))}


def settle(stack: EcsStack) -> None:
    """Nothing is left to do, also when everything is looked at."""
    run = stack.pulumi("up", "--expect-no-changes")
    assert run.code == 0, f"the same settings must change nothing:\n{run.said}"
    assert (run.changes, run.drift) == ({}, {}), run.said


# stood up


def test_it_stands_up_and_its_agent_has_a_token_of_dagster_plus(ecs_stack: EcsStack) -> None:
    answer = up(ecs_stack)
    assert len(done(answer)) > 55, answer.err
    assert ecs_stack.good_tokens() == ["hybrid-prod (made by the stack prod)"], "one token for one agent"
    asked = ecs_stack.plus.ask("{ agents { id } }", token=ecs_stack.token())
    assert asked == {"agents": []}, "Dagster+ takes what Secrets Manager holds; no agent has come yet"
    with ecs_stack.dagster_plus() as client:
        (token,) = [each for each in client.agent_tokens() if not each.revoked]
    assert token.grants is not None
    assert (token.grants.organization, set(token.grants.deployments)) == (False, {"prod"}), "it is narrowed"


def test_the_bucket_is_closed_and_keeps_what_is_deleted(ecs_stack: EcsStack) -> None:
    s3, bucket = ecs_stack.client("s3"), {"Bucket": NAMES.bucket}
    closed = s3.get_public_access_block(**bucket)["PublicAccessBlockConfiguration"]
    assert set(closed.values()) == {True}, f"nothing is public: {closed}"
    (owner,) = s3.get_bucket_ownership_controls(**bucket)["OwnershipControls"]["Rules"]
    assert owner["ObjectOwnership"] == "BucketOwnerEnforced", "there are no ACLs"
    assert s3.get_bucket_versioning(**bucket)["Status"] == "Enabled"
    (encrypted,) = s3.get_bucket_encryption(**bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert encrypted["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    statements = json.loads(s3.get_bucket_policy(**bucket)["Policy"])["Statement"]
    assert {each["Effect"] for each in statements} == {"Deny"}, "it grants nothing to anybody"
    assert [each["Condition"] for each in statements] == [
        {"Bool": {"aws:SecureTransport": "false"}},
        {"NumericLessThan": {"s3:TlsVersion": "1.2"}},
    ], "by TLS alone, and by none that is outdated"
    rules = s3.get_bucket_lifecycle_configuration(**bucket)["Rules"]
    assert {"NoncurrentDays": 30} in [rule.get("NoncurrentVersionExpiration") for rule in rules], "old versions go"
    expiring = [rule for rule in rules if "Expiration" in rule and "Days" in rule["Expiration"]]
    assert [(rule["Filter"]["Prefix"], rule["Expiration"]["Days"]) for rule in expiring] == [("compute-logs/", 90)], (
        "the output of steps goes, the team's values never"
    )


def test_images_cannot_be_moved_and_are_scanned(ecs_stack: EcsStack) -> None:
    ecr = ecs_stack.client("ecr")
    (repository,) = ecr.describe_repositories()["repositories"]
    assert repository["repositoryName"] == NAMES.repository("alpha"), "one for the location that is built here"
    assert repository["imageTagMutability"] == "IMMUTABLE"
    assert repository["imageScanningConfiguration"] == {"scanOnPush": True}
    text = ecr.get_lifecycle_policy(repositoryName=NAMES.repository("alpha"))["lifecyclePolicyText"]
    (rule,) = json.loads(text)["rules"]
    assert rule["selection"]["tagStatus"] == "untagged", "what is deployed never expires"


def test_roles_have_the_policies_that_are_rendered_and_no_others(ecs_stack: EcsStack) -> None:
    spaces = ecs_stack.client("servicediscovery").list_namespaces()["Namespaces"]
    secret = ecs_stack.client("secretsmanager").describe_secret(SecretId=NAMES.token_secret)["ARN"]
    role = {what: NAMES.arn("iam", f"role/{NAMES.role(what)}", region=False) for what in ROLES}
    scope = PolicyScope(
        names=NAMES,
        cluster=NAMES.cluster,
        namespace_arn=spaces[0]["Arn"],
        token_secret_arn=secret,
        code_role_arns=(role["code"],),
        code_execution_role_arn=role["code-execution"],
        agent_log_group=NAMES.agent_log_group,
        code_log_group=NAMES.code_log_group,
    )
    agent = {"agent": same(policy_text(ecs_policies.agent_statements(scope)))}
    start = {"start": same(policy_text(ecs_policies.agent_execution_statements(scope)))}
    assert policies(ecs_stack, "agent") == agent, "as it is proven"
    assert policies(ecs_stack, "agent-execution") == start
    assert policies(ecs_stack, "code-execution")["start"] == same(
        policy_text(ecs_policies.code_execution_statements(scope))
    )
    assert set(policies(ecs_stack, "code-execution")) == {"start", "pull"}
    assert set(policies(ecs_stack, "code")) == {"assets"}, "user code has its part of the bucket and no more"
    trust = policy_text([task_trust(Place(ACCOUNT, REGION))])
    iam = ecs_stack.client("iam")
    listed = {each["RoleName"]: each["AssumeRolePolicyDocument"] for each in iam.list_roles()["Roles"]}
    assert set(listed) == {NAMES.role(what) for what in ROLES}, "these roles and no others"
    assert {json.dumps(each, sort_keys=True) for each in listed.values()} == {same(trust)}, "only tasks take them"
    attached = [iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"] for name in listed]
    assert not any(attached), "no managed policy"


def test_the_agent_runs_as_it_is_rendered_in_the_private_subnets(ecs_stack: EcsStack) -> None:
    definition, service = ecs_stack.task_definition(), ecs_stack.service()
    assert service is not None
    assert (definition["cpu"], definition["memory"], definition["networkMode"]) == ("256", "1024", "awsvpc")
    assert definition["taskRoleArn"].endswith(f"role/{NAMES.role('agent')}")
    assert definition["executionRoleArn"].endswith(f"role/{NAMES.role('agent-execution')}")
    (container,) = definition["containerDefinitions"]
    secret = ecs_stack.client("secretsmanager").describe_secret(SecretId=NAMES.token_secret)["ARN"]
    assert container["secrets"] == [{"name": "DAGSTER_CLOUD_AGENT_TOKEN", "valueFrom": secret}]
    assert (service["desiredCount"], service["runningCount"], service["launchType"]) == (1, 1, "FARGATE")
    deployment = service["deploymentConfiguration"]
    assert deployment["deploymentCircuitBreaker"] == {"enable": True, "rollback": True}
    ec2 = ecs_stack.client("ec2")
    network = service["networkConfiguration"]["awsvpcConfiguration"]
    assert network["assignPublicIp"] == "DISABLED"
    own = ec2.describe_subnets(SubnetIds=network["subnets"])["Subnets"]
    assert len({each["AvailabilityZone"] for each in own}) == 2, "a zone may fail"
    for subnet in network["subnets"]:
        asked = [{"Name": "association.subnet-id", "Values": [subnet]}]
        (table,) = ec2.describe_route_tables(Filters=asked)["RouteTables"]
        ways = {route.get("DestinationCidrBlock"): route for route in table["Routes"]}
        assert "NatGatewayId" in ways["0.0.0.0/0"], "out by NAT, and nothing comes in"


def test_only_the_agent_and_code_speak_to_code_servers(ecs_stack: EcsStack) -> None:
    ec2 = ecs_stack.client("ec2")
    asked = [{"Name": f"tag:{STACK_TAG}", "Values": [BASE]}]
    groups = {each["GroupName"]: each for each in ec2.describe_security_groups(Filters=asked)["SecurityGroups"]}
    code = next(each for name, each in groups.items() if name.startswith("tasks-code"))
    agent = next(each for name, each in groups.items() if name.startswith("tasks-agent"))
    assert agent["IpPermissions"] == [], "nobody speaks to the agent"
    entering = [(rule["FromPort"], rule["ToPort"], rule["IpRanges"]) for rule in code["IpPermissions"]]
    assert {each[:2] for each in entering} == {(4000, 4000)}, "code servers' port alone"
    assert not any(ranges for *_, ranges in entering), "by group, and from no address"
    from_whom = {pair["GroupId"] for rule in code["IpPermissions"] for pair in rule["UserIdGroupPairs"]}
    assert from_whom == {agent["GroupId"], code["GroupId"]}
    default = next(each for name, each in groups.items() if name == "default")
    assert (default["IpPermissions"], default["IpPermissionsEgress"]) == ([], []), "the VPC's own group is closed"


def test_everything_that_can_bears_the_stacks_tag(ecs_stack: EcsStack) -> None:
    bearing = [each for each in ecs_stack.listed() if "tagsAll" in each.get("outputs", {})]
    assert len(bearing) > 25, "most of AWS's things can"
    untagged = [each["urn"] for each in bearing if each["outputs"]["tagsAll"].get(STACK_TAG) != BASE]
    assert not untagged, "what is the stack's is known by its tag"
    ecs, iam = ecs_stack.client("ecs"), ecs_stack.client("iam")
    told = [
        ecs.list_tags_for_resource(resourceArn=ecs_stack.service()["serviceArn"])["tags"],
        ecs_stack.task_definition()["tags"],
    ]
    assert all({"key": STACK_TAG, "value": BASE} in tags for tags in told), "AWS says it, too"
    assert {"Key": STACK_TAG, "Value": BASE} in iam.list_role_tags(RoleName=NAMES.role("agent"))["Tags"]
    tasks = ecs.list_tasks(cluster=NAMES.cluster)["taskArns"]
    (task,) = ecs.describe_tasks(cluster=NAMES.cluster, tasks=tasks, include=["TAGS"])["tasks"]
    assert {"key": STACK_TAG, "value": BASE} in task["tags"], "tasks have the service's tags"


def test_stood_up_again_there_is_nothing_to_do(ecs_stack: EcsStack) -> None:
    answer = up(ecs_stack)
    assert "Nothing had to change" in answer.err, answer.err
    settle(ecs_stack)


# changed


@pytest.mark.parametrize("setting", CHANGES)
def test_a_setting_changes_what_it_names_and_nothing_else(ecs_stack: EcsStack, setting: str) -> None:
    change, expected = CHANGES[setting]
    ecs_stack.reset()
    change(ecs_stack)
    run = ecs_stack.pulumi("preview", "--refresh=false")
    ecs_stack.reset()
    assert run.code == 0, run.said
    assert run.changes == expected


def test_a_tag_is_put_on_everything_and_starts_the_agent_anew(ecs_stack: EcsStack) -> None:
    ecs_stack.change("aws", tags={"team": "data"})
    run = ecs_stack.pulumi("preview", "--refresh=false")
    ecs_stack.reset()
    tagged = {each["urn"].rpartition("::")[2] for each in ecs_stack.listed() if "tagsAll" in each.get("outputs", {})}
    followed = {"aws", "agent-state"}  # the provider has the tags, the state follows the service
    assert set(run.changes) == tagged | followed, "what can have tags, all of it, and nothing else"
    assert {name for name, what in run.changes.items() if what != "update"} == {"agent-task"}


def test_changes_are_made_together_and_the_agents_restart_is_told(ecs_stack: EcsStack) -> None:
    for change, _ in CHANGES.values():
        change(ecs_stack)
    answer = up(ecs_stack)
    assert RESTART in answer.err, f"what it costs must be said:\n{answer.err}"
    service, definition = ecs_stack.service(), ecs_stack.task_definition()
    assert service is not None
    assert (service["desiredCount"], service["runningCount"], definition["cpu"]) == (2, 2, "512")
    assert definition["containerDefinitions"][0]["image"].endswith(":1.13.26")
    states = [each["State"] for each in ecs_stack.client("ec2").describe_nat_gateways()["NatGateways"]]
    assert states == ["available", "available"]
    groups = ecs_stack.client("logs").describe_log_groups(logGroupNamePrefix=f"/{BASE}/")["logGroups"]
    assert {each["retentionInDays"] for each in groups} == {7}
    assert "assets/ready/*" in policies(ecs_stack, "location-ready")["assets-ready"]
    assert ecs_stack.client("cloudwatch").describe_alarms()["MetricAlarms"], "somebody is told"
    assert set(policies(ecs_stack, "code")) == {"assets", "compute-logs"}
    settle(ecs_stack)


def test_what_is_taken_out_again_goes(ecs_stack: EcsStack) -> None:
    ecs_stack.reset()
    up(ecs_stack)
    assert not ecs_stack.client("cloudwatch").describe_alarms()["MetricAlarms"]
    assert not ecs_stack.client("sns").list_topics()["Topics"]
    assert len(ecs_stack.client("iam").list_roles()["Roles"]) == len(ROLES)
    left = [
        each["NatGatewayId"]
        for each in ecs_stack.client("ec2").describe_nat_gateways()["NatGateways"]
        if each["State"] == "available"
    ]
    assert len(left) == 1, "NAT gateways cost by the hour"
    settle(ecs_stack)


# drifted


def test_what_others_change_is_shown_and_put_right(ecs_stack: EcsStack) -> None:
    iam, ecs, s3 = (ecs_stack.client(name) for name in ("iam", "ecs", "s3"))
    before = policies(ecs_stack, "agent")
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    iam.put_role_policy(RoleName=NAMES.role("agent"), PolicyName="agent", PolicyDocument=json.dumps(everything))
    ecs.update_service(cluster=NAMES.cluster, service=NAMES.service, desiredCount=3)
    ecs_stack.client("logs").put_retention_policy(logGroupName=NAMES.agent_log_group, retentionInDays=365)
    s3.delete_public_access_block(Bucket=NAMES.bucket)
    with ecs_stack.dagster_plus() as client:
        for token in client.agent_tokens():
            client.revoke_agent_token(token.id)
    until(lambda: ecs_stack.service()["runningCount"] == 3, seconds=30, what="three tasks run")

    preview = ecs_stack.hybrid("preview", "prod")
    shown = ("AgentToken agent-token", "RolePolicy agent-agent", "BucketPublicAccessBlock storage-private",
             "Service agent-service", "LogGroup ground-agent-log-group")  # fmt: skip
    for what in shown:
        assert what in preview.err, f"{what} must be shown:\n{preview.err}"
    assert RESTART in preview.err, "a new token is a restart"
    up(ecs_stack)
    assert policies(ecs_stack, "agent") == before, "nobody gives the agent more by hand"
    assert ecs_stack.service()["desiredCount"] == 1
    (group,) = ecs_stack.client("logs").describe_log_groups(logGroupNamePrefix=NAMES.agent_log_group)["logGroups"]
    assert group["retentionInDays"] == 30
    assert s3.get_public_access_block(Bucket=NAMES.bucket), "closed again"
    assert len(ecs_stack.good_tokens()) == 1, "a token that was revoked is made anew"
    ecs_stack.plus.ask("{ agents { id } }", token=ecs_stack.token())
    settle(ecs_stack)


def test_a_refresh_takes_in_what_is_there(ecs_stack: EcsStack) -> None:
    ecs_stack.client("logs").put_retention_policy(logGroupName=NAMES.code_log_group, retentionInDays=365)
    answer = ecs_stack.hybrid("refresh", "prod")
    assert answer.code == 0, answer.err
    assert ecs_stack.resources()["ground-code-log-group"]["outputs"]["retentionInDays"] == 365
    assert done(up(ecs_stack)) == {"ground-code-log-group": "updated"}


def test_a_service_that_was_deleted_by_hand_is_made_again(ecs_stack: EcsStack) -> None:
    """The provider waits two minutes for it to be active before it says that it is gone."""
    ecs_stack.client("ecs").delete_service(cluster=NAMES.cluster, service=NAMES.service, force=True)
    assert set(done(up(ecs_stack))) == {"agent-service", "agent-state"}, "this and its state, and no more"
    assert ecs_stack.service() is not None
    settle(ecs_stack)


# a new token


def test_a_rotation_makes_a_new_token_and_revokes_the_former_one_at_the_end(ecs_stack: EcsStack) -> None:
    former, revision = ecs_stack.token(), ecs_stack.task_definition()["revision"]
    ecs_stack.change("agent", tokenRotation=1)
    answer = up(ecs_stack)
    assert RESTART in answer.err, answer.err
    assert ecs_stack.good_tokens() == ["hybrid-prod (made by the stack prod), rotation 1"], "the former one is no good"
    assert ecs_stack.token() != former, "the secret has a new version"
    assert ecs_stack.task_definition()["revision"] > revision, "an agent has the token that it was started with"
    revoked = answer.err.index("removed the old AgentToken")
    assert revoked > answer.err.index("EcsServiceState agent-state"), "only when the new agent stands"
    settle(ecs_stack)


# taken down, and stood up again


def test_it_goes_with_what_the_agent_left_and_without_the_teams_data(ecs_stack: EcsStack) -> None:
    leave_a_code_server(ecs_stack)
    with open_to_tests(ecs_stack) as s3:
        s3.put_object(Bucket=NAMES.bucket, Key="assets/answer", Body=b"42")
    answer = ecs_stack.hybrid("down", "prod", "--yes")
    assert answer.code == 0, answer.err
    assert "removed what the agent had left" in answer.err, answer.err
    left = {
        "bucket": [each["Name"] for each in ecs_stack.client("s3").list_buckets()["Buckets"]],
        "repository": [
            each["repositoryName"] for each in ecs_stack.client("ecr").describe_repositories()["repositories"]
        ],
        "role": [each["RoleName"] for each in ecs_stack.client("iam").list_roles()["Roles"]],
        "cluster": active_clusters(ecs_stack),
        "log group": ecs_stack.client("logs").describe_log_groups()["logGroups"],
        "secret": ecs_stack.client("secretsmanager").list_secrets(IncludePlannedDeletion=True)["SecretList"],
        "namespace": ecs_stack.client("servicediscovery").list_namespaces()["Namespaces"],
        "address": ecs_stack.client("ec2").describe_addresses()["Addresses"],
        "vpc": [each for each in ecs_stack.client("ec2").describe_vpcs()["Vpcs"] if not each["IsDefault"]],
        "task definition": ecs_stack.client("ecs").list_task_definitions(familyPrefix=BASE)["taskDefinitionArns"],
        "token": ecs_stack.good_tokens(),
    }  # fmt: skip
    kept = {what: found for what, found in left.items() if found}
    assert kept == {"bucket": [NAMES.bucket], "repository": [NAMES.repository("alpha")]}
    assert stored(ecs_stack) == b"42"
    s3 = ecs_stack.client("s3")
    assert s3.get_public_access_block(Bucket=NAMES.bucket), "it stays closed"
    assert s3.get_bucket_policy(Bucket=NAMES.bucket), "and its policy stays"
    listed = json.loads(ecs_stack.state())["deployment"].get("resources") or []
    assert not listed, "the state is empty"


def test_stood_up_again_it_takes_up_what_was_kept(ecs_stack: EcsStack) -> None:
    ecs_stack.change("aws", tags={"team": "other"})
    answer = up(ecs_stack)
    assert done(answer)["storage-bucket"] == "imported", answer.err
    assert done(answer)["alpha-images-repository"] == "imported", answer.err
    assert stored(ecs_stack) == b"42", "the data is as it was"
    up(ecs_stack)  # an import takes tags as they are; the next update puts them right
    s3 = ecs_stack.client("s3")
    tags = {each["Key"]: each["Value"] for each in s3.get_bucket_tagging(Bucket=NAMES.bucket)["TagSet"]}
    assert tags == {STACK_TAG: BASE, "team": "other"}
    settle(ecs_stack)


def test_a_destroy_by_pulumi_itself_does_the_same(ecs_stack: EcsStack) -> None:
    run = ecs_stack.pulumi("destroy")
    assert run.code == 0, run.said
    assert ecs_stack.good_tokens() == []
    assert not active_clusters(ecs_stack)
    assert [each["Name"] for each in ecs_stack.client("s3").list_buckets()["Buckets"]] == [NAMES.bucket]
