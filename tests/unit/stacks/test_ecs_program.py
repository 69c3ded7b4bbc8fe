"""The program of an ECS stack under a strict recorder: which resources it declares for which settings, who waits for
whom, and where the agent's token goes. That AWS accepts it is for tests/aws; that an agent lives on it, for tests/ecs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
import yaml

from hybrid.delivery.catalog import CodeLocationFolder
from hybrid.errors import SettingsError
from hybrid.workspace import Workspace
from stacks.ecs import EcsPlatform
from stacks.ecs_facts import EcsFacts
from stacks.ecs_standing import Kept
from stacks.identity import StackIdentity
from stacks.served import served_locations
from stacks.settings import parse
from stacks.stack import HybridStack
from tests.unit.infra import recording

pytestmark = pytest.mark.unit

ACCOUNT, REGION = "123456789012", "eu-central-1"
TOKEN = "agent:acme:" + "0f" * 12
OURS = "dagsterhybrid:index:"
BASE = {"organization": "acme", "agent": {"kind": "ecs"}, "locations": ["hello"]}
PLACE = {"account": ACCOUNT, "region": REGION}
SECRET = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:warehouse-AbCdEf"
ANSWERS = {
    f"{OURS}VirtualEnvironment": {"executable": "/x/bin/python"},
    f"{OURS}LocationImage": lambda inputs: {"reference": f"{inputs['repository']}@sha256:{'a' * 64}"},
    f"{OURS}PublishedImage": lambda inputs: {"reference": inputs["image"]},
    f"{OURS}CodeLocation": {"revision": "1"},
    f"{OURS}AgentToken": {"token": TOKEN, "tokenId": "1"},
    f"{OURS}EcsServiceState": {"instance": "i", "startedAt": "2026-01-01T00:00:00+00:00"},
}


@cache
def _hello() -> CodeLocationFolder:
    workspace = Workspace.of_this_checkout()
    who = StackIdentity.of("prod", parse({**BASE, "aws": PLACE}, stack="prod", source="x"), workspace)
    (folder,) = served_locations(workspace, who)
    return folder


def record(
    aws: Mapping[str, Any] | None = None,
    *,
    context: Mapping[str, Any] | None = None,
    answers: Mapping[str, Any] | None = None,
    kept: Kept | None = None,
    **settings: Any,
) -> recording.Record:
    workspace = Workspace.of_this_checkout()
    values = {**BASE, **settings, "aws": {**PLACE, **(aws or {})}}
    who = StackIdentity.of("prod", parse(values, stack="prod", source="x"), workspace)
    folder = replace(_hello(), container_context={"ecs": context} if context else {})
    names = EcsFacts(who).names
    assert who.settings.aws

    def build() -> None:
        platform = EcsPlatform(who, workspace, who.settings.agent, (folder,), names, who.settings.aws, kept or Kept())
        HybridStack(who, workspace, (folder,), platform).build()

    return recording.run(build, answers={**ANSWERS, **(answers or {})}, region=REGION)


def statements(made: recording.Record, policy: str) -> dict[str, Any]:
    document = json.loads(made.named(policy).inputs["policy"])
    return {statement["Sid"]: statement for statement in document["Statement"]}


def agents_container(made: recording.Record) -> dict[str, Any]:
    (container,) = json.loads(made.only("aws:ecs/taskDefinition:TaskDefinition").inputs["containerDefinitions"])
    return container


def launcher(made: recording.Record) -> dict[str, Any]:
    environment = {each["name"]: each["value"] for each in agents_container(made)["environment"]}
    return yaml.safe_load(environment["HYBRID_DAGSTER_YAML"])["user_code_launcher"]["config"]


@pytest.fixture(scope="module")
def default() -> recording.Record:
    return record()


def test_the_agent_starts_when_its_policies_and_its_way_out_stand_and_goes_before_them(default) -> None:
    waits = default.named("agent-service").options.depends_on
    for first in ("agent-agent", "agent-execution-start", "code-execution-start", "code-execution-pull"):
        assert first in waits, f"an agent that starts before {first} is denied what it asks first"
    for first in ("network-private-1-way-out", "network-nat-1", "tasks-agent-out"):
        assert first in waits, f"without {first} its image cannot be pulled"
    assert "ecs-drain" in waits, "what the agent leaves behind is removed after it, and before cluster and roles"
    drain = default.named("ecs-drain").options.depends_on
    assert {"ground-cluster", "ground-namespace", "code-role", "code-execution-role"} <= drain, "so these go last"


def test_a_location_is_told_of_only_when_ecs_can_launch_it(default) -> None:
    assert "hello-launch" in default.named("hello-location").options.depends_on, "an update that fails ends the old one"
    launch = default.named("hello-launch")
    assert "hello-image" in launch.options.depends_on, "it is the pushed image that is looked at"
    assert {"code-execution-start", "code-execution-pull"} <= launch.options.depends_on, "and the grants are made"
    assert launch.inputs["executionRoleArn"].endswith("role/hybrid-prod-code-execution")
    assert "hello-images-repository" in default.named("hello-image").options.depends_on, "there must be a place to push"


def test_the_token_is_a_secret_everywhere_and_a_text_nowhere(default) -> None:
    for made in default.resources:
        shown = {name: value for name, value in made.inputs.items() if name not in made.secret}
        assert TOKEN not in json.dumps(shown, default=str), f"{made.name} has the agent's token in plain"
    assert "secretString" in default.only("aws:secretsmanager/secretVersion:SecretVersion").secret
    (secret,) = agents_container(default)["secrets"]
    assert secret["name"] == "DAGSTER_CLOUD_AGENT_TOKEN", "ECS puts it into the agent's environment"
    assert secret in launcher(default)["secrets"], "code servers and runs speak to Dagster+, too"


def test_user_code_has_a_role_of_its_own_and_may_do_nothing_but_its_part_of_the_bucket(default) -> None:
    policies = [made for made in default.of("aws:iam/rolePolicy:RolePolicy") if made.name.startswith("code-")]
    assert {made.name for made in policies if made.inputs["role"] == "hybrid-prod-code"} == {"code-assets"}
    (resource,) = {statements(default, "code-assets")["ReadAndWrite"]["Resource"]}
    assert resource.endswith("/assets/*"), "what else is in the bucket is not its business"
    assert launcher(default)["task_role_arn"].endswith("role/hybrid-prod-code"), "not the agent's"
    assert statements(default, "agent-agent")["PassCodeRoles"]["Resource"] == [
        f"arn:aws:iam::{ACCOUNT}:role/hybrid-prod-code",
        f"arn:aws:iam::{ACCOUNT}:role/hybrid-prod-code-execution",
    ]
    every = [action for sid in statements(default, "agent-agent").values() for action in _list(sid["Action"])]
    assert not [action for action in every if action.split(":")[0] in {"ec2", "secretsmanager", "s3"}]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def test_everything_is_made_by_the_provider_of_the_named_account_and_bears_the_stacks_tag(default) -> None:
    provider = default.only("pulumi:providers:aws").inputs
    assert _plain(provider["allowedAccountIds"]) == [ACCOUNT], "credentials of another account are refused"
    assert _plain(provider["defaultTags"])["tags"] == {"dagster-hybrid/stack": "hybrid-prod"}
    strangers = [
        made.name for made in default.resources if made.token.startswith("aws:") and made.options.provider != "aws"
    ]
    assert not strangers, "the default provider would take whatever account the shell has"
    assert {"key": "dagster-hybrid/stack", "value": "hybrid-prod"} in launcher(default)["server_ecs_tags"]


def _plain(value: Any) -> Any:
    """The inputs of a provider are JSON texts on the wire."""
    return json.loads(value) if isinstance(value, str) else value


@pytest.mark.parametrize(
    ("tasks", "nat", "gateways", "public"),
    [("private", None, 1, False), ("private", "per-zone", 2, False), ("public", None, 0, True)],
)
def test_the_network_is_as_the_settings_say_for_agent_and_code_alike(tasks, nat, gateways, public) -> None:
    made = record({"network": {"tasks": tasks, **({"nat": nat} if nat else {})}})
    assert len(made.of("aws:ec2/natGateway:NatGateway")) == gateways
    service = made.named("agent-service").inputs["networkConfiguration"]
    assert (service["assignPublicIp"], launcher(made)["assign_public_ip"]) == (public, public), "never guessed"
    assert service["subnets"] == launcher(made)["subnets"], "agent and code live in the same subnets"


def test_tasks_without_a_way_out_are_refused_with_what_is_missing() -> None:
    with pytest.raises(SettingsError, match="no way out") as refused:
        record({"network": {"nat": "none"}})
    assert "ecr.api" in refused.value.sentence(), "it lists the endpoints"


def test_tasks_without_a_way_out_run_by_private_link_endpoints_and_mirrored_images() -> None:
    endpoints = ["ecr.api", "ecr.dkr", "logs", "secretsmanager", "ecs", "servicediscovery", "tagging"]
    link = f"com.amazonaws.vpce.{REGION}.vpce-svc-0123456789abcdef0"
    made = record(
        {"network": {"nat": "none", "endpoints": endpoints, "privateLink": link}},
        agent={"kind": "ecs", "mirrorImage": True},
        url="https://acme.private.example",
    )
    assert len(made.of("aws:ec2/vpcEndpoint:VpcEndpoint")) == len(endpoints) + 2, "these, the link's and S3's"
    assert not made.of("aws:ec2/internetGateway:InternetGateway")
    assert "endpoints-ecr.api" in made.named("agent-service").options.depends_on or any(
        name.startswith("endpoints-") for name in made.named("agent-service").options.depends_on
    ), "the image comes through them"


def test_an_adopted_network_is_looked_at_and_not_made() -> None:
    ids = [f"subnet-{'0' * 16}{letter}" for letter in "ab"]
    answers = {
        "aws:ec2/getSubnet:getSubnet": lambda asked: {
            "vpcId": "vpc-0123456789abcdef0",
            "availabilityZone": f"{REGION}{asked['id'][-1]}",
            "availableIpAddressCount": 200,
            "cidrBlock": "10.0.0.0/24",
        },
        "aws:ec2/getVpc:getVpc": {
            "id": "vpc-0123456789abcdef0",
            "cidrBlock": "10.0.0.0/16",
            "enableDnsSupport": True,
            "enableDnsHostnames": True,
        },
        "aws:ec2/getRouteTables:getRouteTables": {"ids": ["rtb-1"]},
        "aws:ec2/getRouteTable:getRouteTable": {"routes": [{"cidrBlock": "0.0.0.0/0", "natGatewayId": "nat-1"}]},
    }
    network = {"kind": "ids", "vpcId": "vpc-0123456789abcdef0", "subnetIds": ids, "assignPublicIp": False}
    made = record({"network": network}, answers=answers)
    assert not made.of("aws:ec2/vpc:Vpc"), "it is somebody else's"
    assert made.named("agent-service").inputs["networkConfiguration"]["subnets"] == ids


def test_a_location_with_a_role_of_its_own_is_told_with_it_and_the_agent_may_pass_it() -> None:
    policy = f"arn:aws:iam::{ACCOUNT}:policy/warehouse"
    made = record({"locationRoles": {"hello": {"policyArns": [policy], "prefixes": ["assets/hello/"]}}})
    role = f"arn:aws:iam::{ACCOUNT}:role/hybrid-prod-location-hello"
    assert made.named("hello-location").inputs["document"]["container_context"]["ecs"]["task_role_arn"] == role
    assert role in statements(made, "agent-agent")["PassCodeRoles"]["Resource"]
    assert made.only("aws:iam/rolePolicyAttachment:RolePolicyAttachment").inputs["policyArn"] == policy
    (granted,) = [each for each in made.of("aws:iam/rolePolicy:RolePolicy") if "location-hello" in each.inputs["role"]]
    assert "assets/hello/*" in granted.inputs["policy"], "and its own part of the bucket"
    assert made.named("hello-launch").inputs["taskRoleArn"] == role


def test_what_a_location_names_is_granted_by_its_arn_and_checked_before_it_is_told() -> None:
    own = f"arn:aws:iam::{ACCOUNT}:role/data-team"
    made = record(context={"secrets": [{"name": "WAREHOUSE", "valueFrom": SECRET}], "task_role_arn": own})
    assert SECRET in statements(made, "code-execution-start")["ReadSecrets"]["Resource"]
    assert own in statements(made, "agent-agent")["PassCodeRoles"]["Resource"], "exactly this one more"
    assert made.named("hello-location").inputs["document"]["container_context"]["ecs"]["task_role_arn"] == own
    assert SECRET in made.named("hello-launch").inputs["secrets"]


def test_images_of_another_registry_need_no_repository_here() -> None:
    made = record(registry={"address": "registry.acme.example/data"})
    assert not made.of("aws:ecr/repository:Repository")
    assert made.named("hello-image").inputs["repository"] == "registry.acme.example/data/hello"
    made = record(registry={"address": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/shared"})
    pull = statements(made, "code-execution-pull-elsewhere")["Pull"]
    assert pull["Resource"] == f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/shared/hello", (
        "one of ECR is granted by name"
    )


def test_a_copy_of_the_agents_image_is_what_its_task_runs() -> None:
    made = record(agent={"kind": "ecs", "mirrorImage": True})
    image = agents_container(made)["image"]
    assert image.startswith(f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/hybrid-prod/hybrid-agent@sha256:")
    assert statements(made, "agent-execution-pull")["Pull"]["Resource"].endswith("repository/hybrid-prod/hybrid-agent")
    assert "agent-image" in made.named("agent-service").options.depends_on


def test_an_agents_image_of_ecr_is_granted_to_the_role_that_starts_it() -> None:
    made = record(agent={"kind": "ecs", "image": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/tools/agent:1.13.27"})
    pulled = statements(made, "agent-execution-pull-elsewhere")["Pull"]["Resource"]
    assert pulled == f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/tools/agent", "or ECS could not pull it"
    assert "agent-execution-pull-elsewhere" in made.named("agent-service").options.depends_on


def test_roles_get_the_boundary_and_path_and_ci_may_push_and_nothing_else() -> None:
    boundary = f"arn:aws:iam::{ACCOUNT}:policy/boundary"
    made = record({"permissionsBoundary": boundary, "rolePath": "/data/", "ci": {"github": "acme/data"}})
    for role in made.of("aws:iam/role:Role"):
        assert (role.inputs["permissionsBoundary"], role.inputs["path"]) == (boundary, "/data/"), role.name
    assert f"arn:aws:iam::{ACCOUNT}:role/data/hybrid-prod-code" in str(statements(made, "agent-agent")["PassCodeRoles"])
    trust = json.loads(made.named("ci-role").inputs["assumeRolePolicy"])["Statement"][0]["Condition"]["StringEquals"]
    assert trust["token.actions.githubusercontent.com:sub"] == "repo:acme/data:ref:refs/heads/main", "one branch"
    assert {sid["Sid"] for sid in json.loads(made.named("ci-push").inputs["policy"])["Statement"]} == {"LogIn", "Push"}


def test_ci_reads_by_roles_that_are_bound_to_environments_and_may_only_read() -> None:
    ci = {"github": "acme/data", "reviews": True, "drift": True, "stateBucket": "acme-state"}
    made = record({"ci": ci, "rolePath": "/data/"})
    issuer = made.only("aws:iam/openIdConnectProvider:OpenIdConnectProvider").outputs["arn"]
    for what in ("review", "drift"):
        (trust,) = json.loads(made.named(f"{what}-role").inputs["assumeRolePolicy"])["Statement"]
        assert trust["Principal"] == {"Federated": issuer}, "an account has one issuer: it is not made again"
        subject = trust["Condition"]["StringEquals"]["token.actions.githubusercontent.com:sub"]
        assert subject == f"repo:acme/data:environment:{what}", "no other job takes it"
    review, drift = statements(made, "review-read"), statements(made, "drift-read")
    denied = {sid for sid, each in review.items() if each["Effect"] == "Deny"}
    assert denied == {"NoValuesOfSecrets", "NoDecryption", "NoObjects", "NoOtherRole"}
    assert review["ReadState"]["Resource"] == "arn:aws:s3:::acme-state/*"
    assert "ReadToken" in drift, "drift of the token's value is drift"
    assert f"arn:aws:iam::{ACCOUNT}:role/data/hybrid-prod-code" in drift["ReadRoles"]["Resource"], "with the path"
    plain = {role.name for role in record({"ci": {"github": "acme/data"}}).of("aws:iam/role:Role")}
    assert not plain & {"review-role", "drift-role"}, "neither is there unless it is wanted"


def test_a_role_of_another_stack_reads_this_one_too() -> None:
    made = record({"ci": {"github": "acme/data", "reviewRole": "hybrid-first-review"}})
    policy = made.named("review-read")
    assert (policy.inputs["role"], policy.inputs["name"]) == ("hybrid-first-review", "hybrid-prod")
    assert "NoValuesOfSecrets" in statements(made, "review-read"), "and is denied what this stack's own would be"
    assert "review-role" not in {role.name for role in made.of("aws:iam/role:Role")}


def test_the_bucket_and_the_repositories_stay_unless_told() -> None:
    kept = record()
    assert kept.only("aws:s3/bucket:Bucket").options.retain_on_delete, "it has the team's data"
    assert kept.only("aws:ecr/repository:Repository").options.retain_on_delete, "images of a rollback are in it"
    gone = record({"storage": {"keep": False}, "repositories": {"keep": False}})
    assert not gone.only("aws:s3/bucket:Bucket").options.retain_on_delete
    assert not gone.only("aws:ecr/repository:Repository").options.retain_on_delete


def test_output_of_steps_in_the_bucket_is_written_by_code_and_expires() -> None:
    made = record({"storage": {"computeLogDays": 7}}, agent={"kind": "ecs", "computeLogs": "bucket"})
    assert statements(made, "code-compute-logs")["ReadAndWrite"]["Resource"].endswith("/compute-logs/*")
    rules = made.only("aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration").inputs["rules"]
    assert [rule for rule in rules if rule.get("expiration", {}).get("days") == 7], "as long as they were to be kept"


def test_a_shell_is_for_those_who_ask_for_it() -> None:
    assert not [made for made in record().of("aws:iam/rolePolicy:RolePolicy") if "ssmmessages" in made.inputs["policy"]]
    made = record(agent={"kind": "ecs", "exec": True})
    granted = {
        each.inputs["role"]
        for each in made.of("aws:iam/rolePolicy:RolePolicy")
        if "ssmmessages" in each.inputs["policy"]
    }
    assert granted == {"hybrid-prod-agent", "hybrid-prod-code"}


def test_alarms_go_before_the_service_does() -> None:
    made = record({"alarms": {"emails": ["oncall@acme.example"]}})
    for alarm in made.of("aws:cloudwatch/metricAlarm:MetricAlarm"):
        assert "agent-service" in alarm.options.depends_on, "a destroy is no outage"


def test_a_stack_that_prepares_tells_dagster_plus_of_no_location() -> None:
    made = record(phase="prepare")
    assert not made.of(f"{OURS}CodeLocation")
    assert made.of("aws:ecs/service:Service"), "its agent runs all the same"


def test_an_adopted_cluster_is_shared_and_is_left_standing() -> None:
    arn = f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/shared"
    answers = {"aws:ecs/getCluster:getCluster": {"clusterName": "shared", "arn": arn}}
    made = record(agent={"kind": "ecs", "cluster": "shared"}, answers=answers)
    assert not made.of("aws:ecs/cluster:Cluster")
    assert made.named("ecs-drain").inputs["ownsCluster"] is False, "tasks of others are in it"
    assert "cluster/shared" in str(statements(made, "agent-agent")["ListCluster"]["Condition"])
