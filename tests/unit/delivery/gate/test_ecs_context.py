"""Rules about ``container_context.ecs`` that the agent's schema does not have."""

from __future__ import annotations

import pytest

from hybrid.delivery.gate.context import context_findings
from hybrid.delivery.gate.given import GivenByStack
from hybrid.delivery.gate.places import Places

pytestmark = pytest.mark.unit

SECRET = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:a-AbCdEf"
PARAMETER = "arn:aws:ssm:eu-west-1:123456789012:parameter/a"
ROLE = "arn:aws:iam::123456789012:role/orders"


def findings(platform="ecs", given=None, **ecs):
    return list(context_findings("orders", {"ecs": ecs}, platform, Places(), given=given))


def test_a_context_that_ecs_takes_is_right():
    assert (
        findings(
            server_resources={"cpu": "512", "memory": "1024", "ephemeral_storage": 30, "replica_count": 2},
            run_resources={"cpu": "1024", "memory": "2048"},
            secrets=[{"name": "A", "valueFrom": SECRET}, {"name": "B", "valueFrom": f"{SECRET}:key::"}],
            env_vars=["STAGE=prod"],
            task_role_arn=ROLE,
            execution_role_arn=ROLE,
            repository_credentials=SECRET,
            server_ecs_tags=[{"key": "team", "value": "a"}],
            runtime_platform={"cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX"},
            volumes=[{"name": "a"}, {"name": "b", "efsVolumeConfiguration": {"fileSystemId": "fs-1"}}],
            run_sidecar_containers=[{"name": "proxy", "image": "envoy:1"}],
        )
        == []
    )


@pytest.mark.parametrize(
    ("ecs", "words"),
    [
        ({"server_resources": {"cpu": "256", "memory": "4096"}}, "nearest are 2048 MiB"),
        ({"run_resources": {"cpu": "1 vCPU", "memory": "2048"}}, "digits alone"),
        ({"run_resources": {"ephemeral_storage": 20}}, "21 to 200 GiB"),
        ({"server_resources": {"replica_count": 0}}, "never loads"),
        ({"secrets": [{"name": "A", "valueFrom": "swordfish"}]}, "not the ARN of a secret"),
        ({"secrets": [{"name": "A", "valueFrom": PARAMETER}]}, "parameter of Systems Manager"),
        ({"secrets": [{"name": "DAGSTER_CLOUD_AGENT_TOKEN", "valueFrom": SECRET}]}, "is the agent's"),
        ({"secrets": [{"name": "A", "valueFrom": SECRET}], "env_vars": ["A=1"]}, "given more than once"),
        ({"secrets": [{"name": "A", "valueFrom": SECRET}] * 2}, "given more than once"),
        ({"env_vars": ["DAGSTER_CLOUD_AGENT_TOKEN"]}, "given to all code as a secret"),
        ({"task_role_arn": "orders"}, "not the ARN of a role"),
        ({"execution_role_arn": "arn:aws:iam::1:role/x"}, "not the ARN of a role"),
        ({"repository_credentials": "login"}, "not the ARN of a secret"),
        ({"run_ecs_tags": [{"key": "dagster-hybrid/stack", "value": "x"}]}, "know what is theirs"),
        ({"server_ecs_tags": [{"key": "dagster/agent_id", "value": "x"}]}, "know what is theirs"),
        ({"server_ecs_tags": [{"key": "aws:x", "value": "x"}]}, "such keys are AWS's"),
        ({"run_ecs_tags": [{"key": "a"}, {"key": "a"}]}, "twice"),
        ({"runtime_platform": {"operatingSystemFamily": "WINDOWS_SERVER_2022_CORE"}}, "code runs on LINUX"),
        ({"runtime_platform": {"cpuArchitecture": "arm64"}}, "X86_64 or ARM64"),
        ({"volumes": [{"name": "a", "host": {"sourcePath": "/x"}}]}, "Fargate has EFS and scratch"),
        ({"run_sidecar_containers": [{"name": "proxy"}]}, "lacks `image`"),
        ({"server_sidecar_containers": [{"name": "dagster", "image": "a"}]}, "the code's own"),
        (
            {"run_sidecar_containers": [{"name": "a", "image": "b", "secrets": [{"name": "A", "valueFrom": "x"}]}]},
            "not the ARN of a secret",
        ),
    ],
    ids=str,
)
def test_what_would_fail_after_the_old_server_is_gone_is_an_error_before(ecs, words):
    (found,) = findings(**ecs)
    assert found.severity == "error"
    assert words in found.what
    assert found.next_step
    assert "swordfish" not in repr(found), "it may be the secret itself, and an error is printed and logged"


@pytest.mark.parametrize(
    ("ecs", "words"),
    [
        ({"server_resources": {"cpu": "1024"}}, "says `cpu` alone"),
        ({"run_resources": {"memory": "2048"}}, "says `memory` alone"),
        ({"secrets_tags": ["team"]}, "every secret of the account"),
    ],
    ids=str,
)
def test_what_may_be_meant_is_a_warning(ecs, words):
    (found,) = findings(**ecs)
    assert found.severity == "warning"
    assert words in found.what


def test_a_parameter_is_read_by_a_role_of_ones_own():
    assert findings(secrets=[{"name": "A", "valueFrom": PARAMETER}], execution_role_arn=ROLE) == []


def test_on_another_platform_it_is_a_warning_at_most():
    (found,) = findings("docker", task_role_arn="orders")
    assert found.severity == "warning", "a folder's files serve several stacks"


@pytest.mark.parametrize("value", [None, 7, "x", [1], {"a": 1}, [[]], [{"name": 3}]], ids=str)
@pytest.mark.parametrize(
    "key", ["secrets", "server_resources", "run_ecs_tags", "volumes", "run_sidecar_containers", "secrets_tags"]
)
def test_a_value_of_a_wrong_type_is_left_to_the_schema(key, value):
    for found in findings(**{key: value}):
        assert found.what


GIVEN = GivenByStack(tags=("team",), variables=("STAGE",), secrets=("WAREHOUSE",))


@pytest.mark.parametrize(
    ("ecs", "words"),
    [
        ({"run_ecs_tags": [{"key": "team", "value": "x"}]}, "`hybrid:aws.tags`"),
        ({"secrets": [{"name": "STAGE", "valueFrom": SECRET}]}, "to all code as a variable"),
        ({"env_vars": ["WAREHOUSE=x"]}, "to all code as a secret"),
    ],
)
def test_what_the_stack_gives_already_in_another_way_is_an_error(ecs, words):
    (found,) = findings(given=GIVEN, **ecs)
    assert (found.severity, words in found.what) == ("error", True)
    assert findings(**ecs) == [], "of a stack that does not give it, it is right"
    assert all(each.severity == "warning" for each in findings("docker", GIVEN, **ecs)), "it is another stack's"


def test_a_tag_of_a_server_that_is_the_stack_s_too_is_lost_and_warned_about():
    (found,) = findings(given=GIVEN, server_ecs_tags=[{"key": "team", "value": "x"}])
    assert (found.severity, "hybrid:aws.tags" in found.what) == ("warning", True)


def test_a_location_may_say_the_stack_s_values_otherwise():
    own = {"secrets": [{"name": "WAREHOUSE", "valueFrom": SECRET}], "env_vars": ["STAGE=other"]}
    assert findings(given=GIVEN, **own) == [], "the launcher takes the location's"
