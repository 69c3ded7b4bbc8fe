"""The settings of an agent on ECS: what is refused, and in which words. That Dagster takes what is rendered from them
is shown by tests/contracts/test_ecs_dagster_yaml.py."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from agent.ecs_spec import AGENT_IMAGE, AGENT_VERSION, EcsAgentSpec
from agent.spec import AgentSpec, LocalAgentSpec
from stacks.reference import meanings

pytestmark = pytest.mark.unit

AGENT = TypeAdapter[LocalAgentSpec | EcsAgentSpec](AgentSpec)
SECRET = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:a-AbCdEf"
EFS = {"name": "data", "mountPath": "/data", "fileSystemId": "fs-0123456789abcdef0"}


def problems(**said: Any) -> list[tuple[tuple[int | str, ...], str]]:
    with pytest.raises(ValidationError) as caught:
        AGENT.validate_python({"kind": "ecs", **said})
    return [(problem["loc"], problem["msg"]) for problem in caught.value.errors()]


def spec(**said: Any) -> EcsAgentSpec:
    found = AGENT.validate_python({"kind": "ecs", **said})
    assert isinstance(found, EcsAgentSpec)
    return found


def test_an_ecs_agent_needs_no_more_than_its_kind() -> None:
    found = spec()
    assert (found.cpu, found.memory_mib, found.image) == (256, 1024, AGENT_IMAGE)
    assert found.server_resources.launcher() == {"cpu": "256", "memory": "1024", "replica_count": 1}
    assert found.run_resources.launcher() == {"cpu": "256", "memory": "1024"}


def test_the_default_image_is_of_the_version_that_is_tested_here() -> None:
    assert version("dagster-cloud") == AGENT_VERSION


@pytest.mark.parametrize(
    ("said", "isolated"),
    [
        ({}, True),
        ({"zeroDowntime": False}, False),
        ({"zeroDowntime": False, "replicas": 2}, True),
        ({"zeroDowntime": False, "isolated": True}, True),
    ],
    ids=str,
)
def test_agents_are_isolated_when_two_may_be_up_at_once(said: dict[str, Any], isolated: bool) -> None:
    assert spec(**said).isolated is isolated


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"cpu": 256, "memoryMib": 4096}, "with 256 the nearest are 2048 MiB"),
        ({"cpu": 300}, "the nearest are 256 or 512"),
        ({"serverResources": {"cpu": 1024, "memoryMib": 1024}}, "nearest are 2048 MiB"),
        ({"runResources": {"ephemeralStorageGib": 20}}, "greater than or equal to 21"),
        ({"replicas": 6}, "less than or equal to 5"),
        ({"replicas": 2, "isolated": False}, "each answers for its own code servers alone"),
        ({"isolated": False}, "two agents are up at once"),
        ({"fullDeployment": False}, "would serve no deployment"),
        ({"architecture": "arm64"}, "for amd64 alone"),
        ({"startupTimeoutSeconds": 3600}, "lower `startupTimeoutSeconds`"),
        ({"cleanupGraceSeconds": 60}, "another one could remove them"),
        ({"stopTimeoutSeconds": 121}, "less than or equal to 120"),
        ({"launchType": "EC2"}, "stand up a second agent"),
        ({"capacityProviders": ["FARGATE_SPOT"]}, "`spotRuns`"),
        ({"gpus": 1}, "Fargate has none"),
        ({"taskRoleArn": "x"}, "`hybrid:aws.locationRoles`"),
        ({"environment": {"DAGSTER_HOME": "/x"}}, "where the agent's settings lie"),
        ({"environment": {"DAGSTER_CLOUD_AGENT_TOKEN": "x"}}, "gives it as a secret"),
        ({"environment": {"AWS_SECRET_ACCESS_KEY": "x"}}, "the credentials of their roles"),
        ({"environment": {"HTTPS_PROXY": "x"}}, "use `proxy`"),
        ({"environment": {"A": "x"}, "secrets": {"A": SECRET}}, "ECS starts no such task"),
        ({"secrets": {"DAGSTER_CLOUD_AGENT_TOKEN": SECRET}}, "cannot be a secret"),
        ({"secrets": {"A": "swordfish"}}, "match pattern"),
        ({"proxy": {"url": "http://me:swordfish@proxy:3128"}}, "match pattern"),
        ({"volumes": [EFS, {**EFS, "mountPath": "/other"}]}, "two volumes have one name"),
        ({"volumes": [EFS, {**EFS, "name": "other"}]}, "two volumes have one mount path"),
        ({"volumes": [{"name": "a", "mountPath": "/a", "iam": True}]}, "belong to a `fileSystemId`"),
        (
            {"volumes": [{**EFS, "accessPointId": "fsap-0123456789abcdef0", "rootDirectory": "/x"}]},
            "has its own root",
        ),
        ({"serverSidecars": [{"name": "a"}]}, "needs `image`"),
        ({"serverSidecars": [{"name": "dagster", "image": "a"}]}, "the code's own"),
        ({"runSidecars": [{"name": "a", "image": "b"}, {"name": "a", "image": "b"}]}, "two containers"),
        ({"runSidecars": [{"name": "a", "image": "b", "logConfig": {}}]}, "Unknown parameter in input"),
        ({"runSidecars": [{"name": "a", "image": "b", "memory": "1"}]}, "Invalid type for parameter memory"),
        ({"namespace": {"id": "ns-abcdefgh"}}, "Field required"),
        ({"cluster": "arn:aws:ecs:x"}, "match pattern"),
        ({"image": "Name with spaces"}, "match pattern"),
        ({"network": "x"}, "Extra inputs"),
    ],
    ids=str,
)
def test_what_ecs_or_the_agent_cannot_do_is_refused_with_the_reason(said: dict[str, Any], words: str) -> None:
    found = problems(**said)
    assert len(found) == 1, found
    ((where, sentence),) = found
    assert where[0] == "ecs"
    assert words in sentence
    assert "swordfish" not in sentence


def test_an_image_of_ones_own_may_be_for_arm64() -> None:
    assert spec(architecture="arm64", image="123456789012.dkr.ecr.eu-west-1.amazonaws.com/agent:1").architecture


def test_a_shell_needs_a_root_that_can_be_written_to() -> None:
    assert spec().root_is_read_only
    assert not spec(exec=True).root_is_read_only, "ECS Exec puts its own program into the container"
    assert not spec(readOnlyRoot=False).root_is_read_only


def test_efs_is_always_encrypted_on_the_way() -> None:
    (volume,) = spec(volumes=[{**EFS, "accessPointId": "fsap-0123456789abcdef0", "iam": True}]).volumes
    assert volume.volume() == {
        "name": "data",
        "efsVolumeConfiguration": {
            "fileSystemId": "fs-0123456789abcdef0",
            "transitEncryption": "ENABLED",
            "authorizationConfig": {"accessPointId": "fsap-0123456789abcdef0", "iam": "ENABLED"},
        },
    }
    assert volume.mount_point() == {"sourceVolume": "data", "containerPath": "/data", "readOnly": False}


def test_every_setting_has_its_text() -> None:
    said = meanings(EcsAgentSpec)
    assert [name for name in EcsAgentSpec.model_fields if not said.get(name)] == []
