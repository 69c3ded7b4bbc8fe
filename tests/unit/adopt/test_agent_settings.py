"""An agent that AWS tells of, said as settings. The official template's shape is moto's and our own (estate.py); what
comes out is held against the program's own models of the stack file."""

from __future__ import annotations

import json

import pytest

from hybrid.adopt.agent_in_aws import read_agent
from hybrid.adopt.agent_settings import new_label, settings_of
from hybrid.adopt.launcher_settings import LauncherSettings
from hybrid.errors import UsageError
from hybrid.plus import Endpoint
from stacks.settings import parse
from tests.unit.adopt.estate import _BUCKETS, ACCOUNT, CLUSTER, REGION, TOKEN, VALUE, dagster_yaml, running

pytestmark = pytest.mark.unit

ENDPOINT = Endpoint.of("acme", "prod")
SECRET = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:db-AbCdEf"


def launched(config=None, variables=None, secrets=None):
    return LauncherSettings(config or {}, variables or {}, secrets or {})


def unsaid(found):
    return {remark.subject: remark.text for remark in found.remarks if remark.kind == "unsaid"}


def accepted(agent, aws=None):
    """The settings as the program's models read them."""
    aws = {"account": ACCOUNT, "region": REGION, **(aws or {})}
    values = {"organization": "acme", "agent": {"kind": "ecs", **agent}, "aws": aws}
    return parse(values, stack="prod", source="test")


def settled(estate, account, **changes):
    """The settings of a second agent like the official one."""
    estate.agent("other", **changes)
    return settings_of(account, read_agent(account, CLUSTER, "other"), ENDPOINT)


def test_the_official_template_is_said_whole(estate, account):
    found = settings_of(account, read_agent(account, CLUSTER, "agent"), ENDPOINT)
    assert found.agent == {
        "kind": "ecs",
        "cpu": 256,
        "memoryMib": 1024,
        "zeroDowntime": False,
        "agentMetrics": False,
        "codeServerMetrics": False,
        "serverResources": {"cpu": 256, "memoryMib": 512},
        "runResources": {"cpu": 256, "memoryMib": 512},
        "cluster": CLUSTER,
        "namespace": {"id": estate.namespace, "name": estate.namespace_name},
    }
    assert found.aws == {
        "network": {
            "kind": "ids", "vpcId": estate.network, "subnetIds": estate.subnets, "assignPublicIp": True,
        },
        "logRetentionDays": 7,
    }  # fmt: skip
    accepted(found.agent, found.aws)
    told = {(remark.kind, remark.subject): remark.text for remark in found.remarks}
    assert "plain text" in told["danger", "agent token"]
    assert "default group" in told["new", "security groups"], "the template has none, and databases let something in"
    assert "agent's own role" in told["changes", "role of code"]
    assert "every secret" in told["changes", "secrets"]
    assert "1.13.18" in told["changes", "agent"]
    assert not unsaid(found), "all of the official template can be said"
    assert TOKEN not in repr(found)


def test_what_code_relied_on_is_told_and_its_managed_policies_are_kept(estate, account):
    iam, name = estate.clients["iam"], estate.role.rpartition("/")[2]
    iam.put_role_policy(RoleName=name, PolicyName="buckets", PolicyDocument=json.dumps(_BUCKETS))
    for path, policy in (("/", "Reader"), ("/service-role/", "AmazonECSTaskExecutionRolePolicy")):
        made = iam.create_policy(PolicyName=policy, Path=path, PolicyDocument=json.dumps(_BUCKETS))["Policy"]["Arn"]
        iam.attach_role_policy(RoleName=name, PolicyArn=made)
    found = settings_of(account, read_agent(account, CLUSTER, "agent"), ENDPOINT)
    assert found.aws["codePolicyArns"] == [f"arn:aws:iam::{ACCOUNT}:policy/Reader"]
    assert "s3:GetObject, s3:PutObject" in unsaid(found)["policy buckets"]
    assert "policy root" not in unsaid(found), "what every agent needs is not what code relies on"
    accepted(found.agent, found.aws)


def test_a_boundary_and_a_path_are_kept(estate, account):
    iam = estate.clients["iam"]
    boundary = iam.create_policy(PolicyName="bound", PolicyDocument=json.dumps(_BUCKETS))["Policy"]["Arn"]
    role = iam.create_role(
        RoleName="own", Path="/teams/data/", AssumeRolePolicyDocument="{}", PermissionsBoundary=boundary
    )["Role"]["Arn"]
    found = settled(estate, account, document=dagster_yaml(launcher={**estate.launcher, "task_role_arn": role}))
    assert (found.aws["permissionsBoundary"], found.aws["rolePath"]) == (boundary, "/teams/data/")
    assert ("changes", "role of code") not in {(each.kind, each.subject) for each in found.remarks}, "it was apart"


def test_a_role_that_may_not_be_read_is_told(estate, account, monkeypatch):
    role = {**estate.launcher, "task_role_arn": f"arn:aws:iam::{ACCOUNT}:role/gone"}
    found = settled(estate, account, document=dagster_yaml(launcher=role))
    (remark,) = [each for each in found.remarks if each.subject == "role of code"]
    assert remark.kind == "danger"
    assert "could not be read" in remark.text


def test_zero_downtime_and_replicas_are_read_from_the_service(estate, account):
    rollout = {"maximumPercent": 200, "minimumHealthyPercent": 100}
    found = settled(estate, account, service={"desiredCount": 3, "deploymentConfiguration": rollout})
    assert (found.agent["replicas"], found.agent.get("zeroDowntime")) == (3, None)
    settings = accepted(found.agent).agent
    assert settings.isolated, "several agents need it"


def test_queues_fences_and_the_api_are_said(estate, account):
    document = dagster_yaml(
        launcher=estate.launcher,
        api={
            "timeout": 90,
            "retries": 9,
            "branch_deployments": True,
            "backoff_factor": 2,
            "proxies": {"https": "http://p:3128"},
        },
        agent_queues={"include_default_queue": False, "additional_queues": ["gpu"]},
        allowed_full_deployment_locations={"prod": ["hello"], "staging": ["x"]},
        allowed_branch_deployment_locations=["hello"],
        run_retries={"enabled": True},
    )
    found = settled(estate, account, document=document)
    settings = accepted(found.agent).agent
    assert (settings.api_timeout_seconds, settings.api_retries, settings.branch_deployments) == (90, 9, True)
    assert (settings.queues.include_default, settings.queues.additional) == (False, ("gpu",))
    assert settings.allowed_locations == ("hello",)
    assert settings.proxy.url == "http://p:3128"
    assert unsaid(found).keys() == {
        "allowed_full_deployment_locations", "dagster_cloud_api.backoff_factor", "run_retries",
    }  # fmt: skip


def test_an_agent_of_another_deployment_is_refused(estate, account):
    with pytest.raises(UsageError, match="serves staging, not the deployment 'prod'"):
        settled(estate, account, document=dagster_yaml(launcher=estate.launcher, api={"deployments": ["staging"]}))


def test_an_agent_that_starts_code_elsewhere_is_refused(estate, account):
    document = dagster_yaml(
        user_code_launcher={"module": "dagster_cloud.workspace.docker", "class": "DockerUserCodeLauncher"}
    )
    with pytest.raises(UsageError, match="not on ECS"):
        settled(estate, account, document=document)


def test_settings_inside_the_image_leave_the_network_of_the_service(estate, account):
    container = {"image": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/agent:7", "command": ["dagster-cloud agent run"]}
    found = settled(estate, account, container=container)
    assert found.aws["network"]["subnetIds"] == estate.subnets
    assert found.agent["image"].endswith("/agent:7"), "an image of one's own stays"
    assert "not known" in unsaid(found)["dagster.yaml"]
    assert "namespace" not in found.agent
    accepted(found.agent, found.aws)


def test_compute_logs_in_a_bucket_go_to_the_stacks(estate, account):
    logs = {
        "module": "dagster_aws.s3.compute_log_manager",
        "class": "S3ComputeLogManager",
        "config": {"bucket": "old", "prefix": "p", "upload_interval": 30, "extra_s3_args": {"x": 1}},
    }
    found = settled(estate, account, document=dagster_yaml(launcher=estate.launcher, compute_logs=logs))
    assert (found.agent["computeLogs"], found.agent["logUploadIntervalSeconds"]) == ("bucket", 30)
    assert "compute_logs.config.extra_s3_args" in unsaid(found)


def test_tags_of_the_service_and_of_what_it_makes_are_everythings(estate, account):
    config = {
        **estate.launcher,
        "server_ecs_tags": [{"key": "team", "value": "data"}],
        "run_ecs_tags": [{"key": "team", "value": "data"}],
    }
    found = settled(
        estate, account, document=dagster_yaml(launcher=config), service={"tags": [{"key": "cost", "value": "7"}]}
    )
    assert found.aws["tags"] == {"cost": "7", "team": "data"}
    accepted(found.agent, found.aws)


# the launcher's configuration, key by key


def test_every_size_time_and_switch_is_said():
    found = launched(
        {
            "server_process_startup_timeout": 300,
            "ecs_timeout": 900,
            "ecs_grace_period": 60,
            "enable_ecs_exec": True,
            "direct_snapshot_uploads": False,
            "agent_metrics": {"enabled": True},
            "server_resources": {"cpu": "512", "memory": "2048", "ephemeral_storage": 50, "replica_count": 2},
            "run_resources": {"cpu": "1024", "memory": "4096"},
            "runtime_platform": {"cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX"},
            "server_ttl": {
                "full_deployments": {"ttl_seconds": 600},
                "branch_deployments": {"ttl_seconds": 900},
                "max_servers": 5,
            },
            "server_health_check": {"command": ["CMD-SHELL", "true"], "interval": 10},
            "secrets_tag": "dagster",
            "repository_credentials": SECRET,
        }
    )
    settings = accepted(found.settings).agent
    assert settings.server_resources.model_dump() == {
        "cpu": 512, "memory_mib": 2048, "ephemeral_storage_gib": 50, "replicas": 2,
    }  # fmt: skip
    assert settings.code_architecture == "arm64"
    assert settings.server_ttl.full_deployments.enabled, "Dagster takes a section without `enabled` for true"
    assert settings.server_health_check.command == ("/bin/sh", "-c", "true")
    assert settings.server_health_check.interval_seconds == 10
    assert settings.server_health_check.timeout_seconds == 5, "what ECS takes where nothing is said"
    assert (settings.ecs_timeout_seconds, settings.exec, settings.direct_snapshot_uploads) == (900, True, False)
    assert not found.remarks


def test_variables_and_secrets_are_said_wherever_they_come_from():
    found = launched(
        {
            "env_vars": ["A=1", "B", "C", "D", "HTTPS_PROXY", "DAGSTER_HOME", "S=x"],
            "secrets": [
                {"name": "S", "valueFrom": SECRET},
                {"name": "P", "valueFrom": "arn:aws:ssm:x:1:parameter/p"},
                SECRET,
            ],
        },
        variables={"B": "2"},
        secrets={"C": SECRET},
    )
    assert found.settings["environment"] == {"A": "1", "B": "2"}
    assert found.settings["secrets"] == {"S": SECRET, "C": SECRET}
    assert unsaid(found).keys() == {"env_vars: D", "env_vars: DAGSTER_HOME", "env_vars: S", "secrets: P", "secrets"}
    accepted(found.settings)


def test_a_variable_that_looks_like_a_secret_is_not_copied():
    found = launched({"env_vars": [f"DB_PASSWORD={VALUE}", "TOKEN"]}, variables={"TOKEN": VALUE})
    assert "environment" not in found.settings
    assert [remark.kind for remark in found.remarks] == ["danger", "danger"]
    assert VALUE not in repr(found.remarks)


def test_folders_of_efs_and_scratch_are_said_and_others_listed():
    efs = {"fileSystemId": "fs-12345678", "transitEncryption": "ENABLED", "authorizationConfig": {"iam": "ENABLED"}}
    found = launched(
        {
            "volumes": [
                {"name": "data", "efsVolumeConfiguration": efs},
                {"name": "tmp"},
                {"name": "host", "host": {"sourcePath": "/x"}},
            ],
            "mount_points": [
                {"sourceVolume": "data", "containerPath": "/data", "readOnly": True},
                {"sourceVolume": "tmp", "containerPath": "/scratch"},
                {"sourceVolume": "host", "containerPath": "/x"},
                {"sourceVolume": "none", "containerPath": "/y"},
            ],
        }
    )
    data, tmp = accepted(found.settings).agent.volumes
    assert (data.file_system_id, data.iam, data.read_only, data.mount_path) == ("fs-12345678", True, True, "/data")
    assert tmp.file_system_id is None
    assert unsaid(found).keys() == {"volumes: host", "mount_points: none"}


@pytest.mark.parametrize(
    ("config", "subject"),
    [
        ({"launch_type": "EC2"}, "launch_type"),
        ({"defer_job_snapshots": True}, "user_code_launcher.config.defer_job_snapshots"),
        ({"server_resources": {"cpu": "128", "memory": "128"}}, "server_resources"),
        ({"server_resources": {"gpu": 1}}, "server_resources.gpu"),
        ({"run_resources": {"cpu": "1 vCPU"}}, "run_resources.cpu"),
        ({"server_ecs_tags": [{"key": "dagster/x", "value": "y"}]}, "tag dagster/x"),
        ({"ecs_timeout": {"env": "T"}}, "user_code_launcher.config.ecs_timeout"),
    ],
)
def test_what_has_no_words_is_listed(config, subject):
    assert subject in unsaid(launched(config))


def test_a_label_that_is_taken_is_not_taken_again():
    assert new_label("prod", [running("other")]) is None
    assert new_label("prod", [running("hybrid-prod"), running("hybrid-prod-2")]) == "hybrid-prod-3"
