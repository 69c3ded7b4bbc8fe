"""The components of an agent on ECS in the recording engine: what they ask AWS for, with each branch of the settings.

That AWS takes it is for the tests with a provider.
"""

from __future__ import annotations

import json
from typing import Any

import pulumi
import pulumi_aws as aws
import pytest
import yaml

from agent.ecs import EcsAgent, EcsAgentArgs
from agent.ecs_ground import EcsGround, EcsGroundArgs
from agent.ecs_names import EcsNames
from agent.ecs_spec import EcsAgentSpec
from hybrid.errors import SettingsError
from tests.unit.infra import recording

pytestmark = pytest.mark.unit

NAMES = EcsNames.of("prod", "123456789012", "eu-west-1")
SECRET = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:hybrid-prod/agent-token-AbCdEf"
CLUSTER, NAMESPACE = "aws:ecs/cluster:Cluster", "aws:servicediscovery/privateDnsNamespace:PrivateDnsNamespace"
TASK, SERVICE = "aws:ecs/taskDefinition:TaskDefinition", "aws:ecs/service:Service"


def build(args: dict[str, Any] | None = None, **said: Any) -> EcsAgent:
    spec = EcsAgentSpec.model_validate(said)
    ground = EcsGround("ground", EcsGroundArgs(spec, NAMES, vpc_id="vpc-0123456789abcdef0", log_retention_days=30))
    policy = aws.iam.RolePolicy("grant", role="hybrid-prod-agent", policy='{"Version":"2012-10-17","Statement":[]}')
    return EcsAgent(
        "agent",
        EcsAgentArgs(
            spec=spec,
            names=NAMES,
            ground=ground,
            deployment="prod",
            label="hybrid-prod",
            agent_url="https://acme.agent.dagster.cloud",
            token_secret_arn=SECRET,
            subnet_ids=["subnet-0aaaaaaaaaaaaaaaa", "subnet-0bbbbbbbbbbbbbbbb"],
            assign_public_ip=False,
            agent_security_group_ids=["sg-0aaaaaaaaaaaaaaaa"],
            code_security_group_ids=["sg-0cccccccccccccccc"],
            agent_role_arn=NAMES.arn("iam", "role/hybrid-prod-agent", region=False),
            agent_execution_role_arn=NAMES.arn("iam", "role/hybrid-prod-agent-execution", region=False),
            code_role_arn=NAMES.arn("iam", "role/hybrid-prod-code", region=False),
            code_execution_role_arn=NAMES.arn("iam", "role/hybrid-prod-code-execution", region=False),
            before_service=[policy],
            **(args or {}),
        ),
    )


def made(args: dict[str, Any] | None = None, *, preview: bool = False, **said: Any) -> recording.Record:
    answer = {
        "clusterName": "shared",
        "arn": NAMES.arn("ecs", "cluster/shared"),
        "id": "shared",
        "status": "ACTIVE",
        "pendingTasksCount": 0,
        "registeredContainerInstancesCount": 0,
        "runningTasksCount": 0,
        "settings": [],
        "serviceConnectDefaults": [],
        "tags": {},
        "region": "eu-west-1",
    }
    answers = {"aws:ecs/getCluster:getCluster": answer}
    return recording.run(lambda: build(args, **said), answers=answers, preview=preview)


def container(record: recording.Record) -> dict[str, Any]:
    (found,) = json.loads(record.only(TASK).inputs["containerDefinitions"])
    return found


def settings(record: recording.Record) -> dict[str, Any]:
    environment = {entry["name"]: entry["value"] for entry in container(record)["environment"]}
    return yaml.safe_load(environment["HYBRID_DAGSTER_YAML"])


def test_the_usual_agent_is_a_service_with_a_task_a_cluster_a_namespace_and_two_log_groups() -> None:
    record = made()
    assert record.counts() == {
        CLUSTER: 1,
        NAMESPACE: 1,
        "aws:cloudwatch/logGroup:LogGroup": 2,
        TASK: 1,
        SERVICE: 1,
        "aws:iam/rolePolicy:RolePolicy": 1,
    }
    task = record.only(TASK).inputs
    assert (task["cpu"], task["memory"], task["networkMode"]) == ("256", "1024", "awsvpc")
    assert task["runtimePlatform"] == {"cpuArchitecture": "X86_64", "operatingSystemFamily": "LINUX"}
    assert task["taskRoleArn"].endswith("role/hybrid-prod-agent")
    assert task["executionRoleArn"].endswith("role/hybrid-prod-agent-execution")
    assert record.value(record.result.instance) == record.only(TASK).outputs["arn"]


def test_the_launcher_is_told_of_what_was_made() -> None:
    record = made({"tags": {"team": "data"}})
    config = settings(record)["user_code_launcher"]["config"]
    assert config["cluster"] == "hybrid-prod"
    assert config["service_discovery_namespace_id"] == record.only(NAMESPACE).id
    assert config["log_group"] == "/hybrid-prod/code"
    assert config["assign_public_ip"] is False
    assert config["security_group_ids"] == ["sg-0cccccccccccccccc"], "code has a group of its own"
    assert config["task_role_arn"].endswith("role/hybrid-prod-code"), "user code never gets the agent's role"
    assert config["server_task_definition_prefix"] == NAMES.server_prefix
    assert {"key": "dagster-hybrid/stack", "value": "hybrid-prod"} in config["server_ecs_tags"]
    assert {"key": "team", "value": "data"} in config["run_ecs_tags"]


@pytest.mark.parametrize(("zero", "percents"), [(True, (200, 100)), (False, (100, 0))])
def test_an_update_is_rolled_back_when_it_does_not_come_up(zero: bool, percents: tuple[int, int]) -> None:
    service = made(zeroDowntime=zero, replicas=3).only(SERVICE)
    given = (service.inputs["deploymentMaximumPercent"], service.inputs["deploymentMinimumHealthyPercent"])
    assert given == percents
    assert service.inputs["deploymentCircuitBreaker"] == {"enable": True, "rollback": True}
    assert service.inputs["desiredCount"] == 3
    assert service.inputs["waitForSteadyState"] is False, "readiness is judged elsewhere, with reasons"
    assert service.inputs["networkConfiguration"]["assignPublicIp"] is False


def test_the_service_is_the_last_to_come_and_the_first_to_go() -> None:
    options = made().only(SERVICE).options
    assert "grant" in options.depends_on, "an agent without its rights fails, and one that stops needs them still"
    assert options.custom_timeouts["delete"], "its tasks may take two minutes, and ECS some more"
    assert options.delete_before_replace, "its name is taken until it is gone"


def test_an_adopted_cluster_is_looked_up_and_not_changed() -> None:
    record = made(cluster="shared", spotRuns=True)
    assert record.of(CLUSTER) == []
    assert record.counts()["aws:ecs/clusterCapacityProviders:ClusterCapacityProviders"] == 0
    assert record.asked("aws:ecs/getCluster:getCluster")[0]["clusterName"] == "shared"
    assert record.only(SERVICE).inputs["cluster"] == NAMES.arn("ecs", "cluster/shared")
    assert settings(record)["user_code_launcher"]["config"]["cluster"] == "shared"


def test_runs_on_spot_need_a_cluster_that_offers_it() -> None:
    capacity = made(spotRuns=True).only("aws:ecs/clusterCapacityProviders:ClusterCapacityProviders")
    assert capacity.inputs["capacityProviders"] == ["FARGATE", "FARGATE_SPOT"]


@pytest.mark.parametrize(("role", "account"), [(None, "123456789012"), ("210987654321", "210987654321")])
def test_an_adopted_namespace_is_used_where_it_is(role: str | None, account: str) -> None:
    namespace = {"id": "ns-abcdefghijklmnop", "name": "code.internal"}
    if role:
        namespace["roleArn"] = f"arn:aws:iam::{role}:role/names"
    record = made(namespace=namespace)
    assert record.of(NAMESPACE) == []
    config = settings(record)["user_code_launcher"]["config"]
    assert config["service_discovery_namespace_id"] == "ns-abcdefghijklmnop"
    assert ("service_discovery_role_arn" in config) is (role is not None)


def test_the_namespaces_arn_is_of_the_account_that_owns_it() -> None:
    namespace = {
        "id": "ns-abcdefghijklmnop",
        "name": "code.internal",
        "roleArn": "arn:aws:iam::210987654321:role/names",
    }
    spec = EcsAgentSpec.model_validate({"namespace": namespace})
    record = recording.run(lambda: EcsGround("ground", EcsGroundArgs(spec, NAMES, vpc_id="vpc-0123456789abcdef0")))
    arn = "arn:aws:servicediscovery:eu-west-1:210987654321:namespace/ns-abcdefghijklmnop"
    assert record.value(record.result.namespace_arn) == arn


@pytest.mark.parametrize("insights", ["disabled", "enabled", "enhanced"])
def test_container_insights_are_said_either_way(insights: str) -> None:
    cluster = made(containerInsights=insights).only(CLUSTER)
    assert cluster.inputs["settings"] == [{"name": "containerInsights", "value": insights}], (
        "an account may have them on by default, and they are billed"
    )


def test_exec_is_open_for_agent_code_servers_and_runs_or_for_none() -> None:
    for on in (True, False):
        record = made(exec=on)
        assert record.only(SERVICE).inputs["enableExecuteCommand"] is on
        assert settings(record)["user_code_launcher"]["config"]["enable_ecs_exec"] is on
        assert bool(record.only(TASK).inputs.get("volumes")) is not on


def test_another_token_or_a_wanted_restart_changes_the_task_definition_and_nothing_else() -> None:
    plain, rotated, restarted = made(), made({"token_version": "v2"}), made(restarts=1)
    texts = [record.only(TASK).inputs["containerDefinitions"] for record in (plain, rotated, restarted)]
    assert len(set(texts)) == 3
    services = [{**record.only(SERVICE).inputs} for record in (plain, rotated, restarted)]
    assert services[0].keys() == services[1].keys() == services[2].keys()
    assert "forceNewDeployment" not in services[0], "with it a change of the number of agents would restart them all"


def test_the_bucket_gets_the_output_of_steps_when_it_is_wanted() -> None:
    logs = settings(made({"bucket": "hybrid-prod-data"}, computeLogs="bucket"))["compute_logs"]
    assert logs["config"] == {
        "bucket": "hybrid-prod-data",
        "prefix": "compute-logs",
        "region": "eu-west-1",
        "show_url_only": True,
    }


def test_the_stacks_own_variables_reach_code_by_the_agent_and_give_way_to_the_settings() -> None:
    record = made({"code_environment": {"HYBRID_BUCKET": "b", "STAGE": "stack"}}, environment={"STAGE": "mine"})
    environment = {entry["name"]: entry["value"] for entry in container(record)["environment"]}
    assert (environment["HYBRID_BUCKET"], environment["STAGE"]) == ("b", "mine")
    assert settings(record)["user_code_launcher"]["config"]["env_vars"] == ["HYBRID_BUCKET", "STAGE"], (
        "the launcher takes the values from the agent's environment by name"
    )


def test_a_copy_of_the_image_runs_in_place_of_the_settings_own() -> None:
    copy = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/hybrid-prod/agent@sha256:" + "a" * 64
    assert container(made({"image": copy}))["image"] == copy
    assert container(made())["image"].startswith("public.ecr.aws/dagster/dagster-cloud-agent:")


def test_no_text_has_a_token_and_the_secret_goes_by_its_arn() -> None:
    record = made()
    assert container(record)["secrets"][0]["valueFrom"] == SECRET
    assert settings(record)["user_code_launcher"]["config"]["secrets"] == [
        {"name": "DAGSTER_CLOUD_AGENT_TOKEN", "valueFrom": SECRET}
    ]


def test_a_preview_declares_all_although_it_knows_no_ids() -> None:
    record = made(preview=True)
    assert record.only(TASK).inputs["containerDefinitions"] is recording.UNKNOWN or isinstance(
        record.only(TASK).inputs["containerDefinitions"], pulumi.output.Unknown
    )
    assert record.only(SERVICE).inputs["name"] == "hybrid-prod-agent"


@pytest.mark.parametrize("preview", [True, False])
def test_settings_too_long_for_a_run_are_refused_at_the_preview_already(preview: bool) -> None:
    with pytest.raises(SettingsError, match="too long for ECS"):
        made({"tags": {f"a-tag-of-some-length-{n:03}": "a value" for n in range(60)}}, preview=preview)


def test_everything_is_below_its_component() -> None:
    record = made(spotRuns=True)
    for resource in record.resources:
        if not resource.is_component and resource.name != "grant":
            assert resource.parent, f"{resource.name} lies loose"


@pytest.mark.parametrize(("locations", "said"), [(1, {}), (55, {}), (60, {"stopTimeoutSeconds": 120})])
def test_code_servers_that_a_stopping_agent_has_no_time_for_are_warned_about_once(locations, said) -> None:
    left = EcsAgentSpec.model_validate(said).timing(locations).servers_left_behind
    warnings = [text for text in made({"locations": locations}, **said).warnings if "code servers" in text]
    assert len(warnings) == bool(left), "it concerns the agent, not each of its resources"
    if left:
        assert f"of {locations} locations: about {left} go on" in warnings[0]
        assert "hybrid down" in warnings[0], "who removes them"
