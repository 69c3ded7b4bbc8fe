"""Every ``dagster.yaml`` of an agent on ECS is loaded by Dagster's own instance code and its stock launcher.

It proves that keys and types are the agent's, that the agent reads the values meant, and that a run's command, which
holds the settings of the instance, stays below what ECS takes. Nothing is asked of AWS: clients of boto3 are made, and
a call of one fails the test. That the launcher then does what is meant takes a running agent.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from botocore.client import BaseClient
from dagster._core.code_pointer import ModuleCodePointer
from dagster._core.errors import DagsterInvalidConfigError
from dagster._core.origin import JobPythonOrigin, RepositoryPythonOrigin
from dagster._core.storage.noop_compute_log_manager import NoOpComputeLogManager
from dagster._grpc.types import ExecuteRunArgs
from dagster_aws.ecs.container_context import EcsContainerContext
from dagster_aws.s3.compute_log_manager import S3ComputeLogManager
from dagster_cloud.instance import DagsterCloudAgentInstance
from dagster_cloud.storage.compute_logs import CloudComputeLogManager
from dagster_cloud.workspace.ecs import EcsUserCodeLauncher
from hypothesis import HealthCheck, Phase, given, reject, settings
from hypothesis import strategies as some

from agent.dagster_yaml import AGENT_TOKEN_VARIABLE
from agent.ecs_launcher import CodePlace
from agent.ecs_names import STACK_TAG
from agent.ecs_spec import EcsAgentSpec
from agent.ecs_task import SETTINGS_ROOM, AgentText, dagster_yaml, length_in_a_run
from hybrid.errors import SettingsError
from tests.contracts.agent_instance import loaded

pytestmark = pytest.mark.contracts

TOKEN = "agent:acme:" + "5" * 32
SECRET = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:hybrid-prod/agent-token-AbCdEf"
PLACE = CodePlace(
    base="hybrid-prod",
    cluster="hybrid-prod",
    subnet_ids=["subnet-0aaaaaaaaaaaaaaaa", "subnet-0bbbbbbbbbbbbbbbb"],
    security_group_ids=["sg-0cccccccccccccccc"],
    assign_public_ip=False,
    namespace_id="ns-abcdefghijklmnop",
    log_group="/hybrid-prod/code",
    task_role_arn="arn:aws:iam::123456789012:role/hybrid-prod-code",
    execution_role_arn="arn:aws:iam::123456789012:role/hybrid-prod-code-execution",
    token_secret_arn=SECRET,
    server_prefix="hybrid-prod-s",
    run_prefix="hybrid-prod-r",
    tags={"team": "data"},
)
SAID = AgentText(
    label="hybrid-prod", deployment="prod", url="https://acme.agent.dagster.cloud", region="eu-west-1", bucket="b"
)
SIDECAR = {"name": "proxy", "image": "envoy:1", "essential": False, "memory": 128}


def sizes() -> some.SearchStrategy[dict[str, Any]]:
    return some.fixed_dictionaries(
        {"cpu": some.just(512), "memoryMib": some.sampled_from([1024, 4096])},
        optional={"ephemeralStorageGib": some.integers(21, 200)},
    )


CHOICES: dict[str, some.SearchStrategy[Any]] = {
    "branchDeployments": some.booleans(),
    "replicas": some.integers(1, 5),
    "zeroDowntime": some.booleans(),
    "exec": some.booleans(),
    "allowedLocations": some.just(["orders"]),
    "queues": some.just({"additional": ["gpu"]}),
    "serverTtl": some.just({"fullDeployments": {"enabled": True, "ttlSeconds": 600}}),
    "startupTimeoutSeconds": some.integers(60, 600),
    "ecsTimeoutSeconds": some.integers(60, 900),
    "ecsGraceSeconds": some.integers(5, 300),
    "serverResources": sizes(),
    "runResources": sizes(),
    "codeArchitecture": some.sampled_from(["amd64", "arm64"]),
    "volumes": some.just(
        [
            {"name": "shared", "mountPath": "/shared", "fileSystemId": "fs-0123456789abcdef0", "iam": True},
            {"name": "scratch", "mountPath": "/scratch", "readOnly": True},
        ]
    ),
    "serverSidecars": some.just([SIDECAR]),
    "runSidecars": some.just([SIDECAR]),
    "serverHealthCheck": some.just({"command": ["true"]}),
    "secrets": some.just({"PASSWORD": SECRET.replace("agent-token", "password") + ":key::"}),
    "secretsTag": some.sampled_from([None, "dagster"]),
    "environment": some.just({"STAGE": "prod"}),
    "repositoryCredentials": some.just(SECRET.replace("agent-token", "login")),
    "namespace": some.just({"id": "ns-abcdefghijklmnop", "name": "code.internal"}),
    "proxy": some.just({"url": "http://proxy.internal:3128", "exceptFor": ["amazonaws.com"]}),
    "computeLogs": some.sampled_from(["dagster-plus", "bucket", "off"]),
    "logUploadIntervalSeconds": some.none() | some.integers(5, 600),
    "agentMetrics": some.booleans(),
    "codeServerMetrics": some.booleans(),
}


def specs() -> some.SearchStrategy[EcsAgentSpec]:
    return some.fixed_dictionaries({}, optional=CHOICES).map(EcsAgentSpec.model_validate)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    def called(client: BaseClient, operation: str, *_: object) -> None:
        raise AssertionError(f"the launcher asked AWS: {client.meta.service_model.service_name} {operation}")

    monkeypatch.setattr(BaseClient, "_make_api_call", called)
    monkeypatch.setenv(AGENT_TOKEN_VARIABLE, TOKEN)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "none")  # else boto3 looks for the machine's own
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "none")
    monkeypatch.setenv("STAGE", "prod")
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"):
        monkeypatch.setenv(name, "x")
    return tmp_path


def launcher_of(instance: DagsterCloudAgentInstance) -> Any:
    launcher = instance.user_code_launcher
    assert type(launcher) is EcsUserCodeLauncher, "Dagster+ knows agents by the stock launcher's name"
    return launcher


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much],
    phases=[Phase.explicit, Phase.generate],
)
@given(spec=specs())
def test_dagster_loads_every_rendering_and_reads_what_was_meant(home: Path, spec: EcsAgentSpec) -> None:
    try:
        text = dagster_yaml(spec, PLACE, SAID)
    except SettingsError:
        reject()  # all at once are too long for ECS
    with loaded(home, text) as instance:
        assert run_command_size(instance) <= 8192
        assert instance.deployment_names == ["prod"]
        assert instance.dagster_cloud_agent_token == TOKEN
        assert instance.includes_branch_deployments is spec.branch_deployments
        proxies = {"http": spec.proxy.url, "https": spec.proxy.url} if spec.proxy else {}
        assert instance.dagster_cloud_api_proxies == proxies
        assert_launcher(launcher_of(instance), spec)
        assert_logs(instance, spec)


def assert_launcher(launcher: Any, spec: EcsAgentSpec) -> None:
    assert launcher._requires_healthcheck is True, "without it the agent never says that it has loaded"
    assert launcher._server_process_startup_timeout == spec.startup_timeout_seconds
    assert (launcher._ecs_timeout, launcher._ecs_grace_period) == (spec.ecs_timeout_seconds, spec.ecs_grace_seconds)
    assert launcher._enable_ecs_exec is spec.exec
    assert launcher.client.network_configuration["awsvpcConfiguration"] == {
        "subnets": PLACE.subnet_ids,
        "assignPublicIp": "DISABLED",
        "securityGroups": PLACE.security_group_ids,
    }, "asking AWS for it would take a right that the agent does not have"
    assert {tag["key"]: tag["value"] for tag in launcher.server_ecs_tags} == {"team": "data", STACK_TAG: "hybrid-prod"}
    assert launcher.server_ecs_tags == launcher.run_ecs_tags
    assert launcher.server_task_definition_prefix == PLACE.server_prefix
    assert launcher.run_task_definition_prefix == PLACE.run_prefix
    assert launcher.agent_metrics_enabled is spec.agent_metrics
    assert launcher.code_server_metrics_enabled is spec.code_server_metrics
    named = {secret["name"]: secret["valueFrom"] for secret in launcher.secrets}
    assert named == {**spec.secrets, AGENT_TOKEN_VARIABLE: SECRET}, "code has no other way to the agent's token"
    assert launcher.secrets_tag == spec.secrets_tag
    assert launcher.server_resources["memory"] == str(spec.server_resources.memory_mib)
    assert launcher.run_resources["cpu"] == str(spec.run_resources.cpu)
    context = EcsContainerContext(env_vars=launcher.env_vars).get_environment_dict()
    assert set(spec.environment) <= set(context), "variables of the agent reach code by name"
    assert ("HTTPS_PROXY" in context) is (spec.proxy is not None)


def assert_logs(instance: DagsterCloudAgentInstance, spec: EcsAgentSpec) -> None:
    manager = instance.compute_log_manager
    kinds = {"dagster-plus": CloudComputeLogManager, "bucket": S3ComputeLogManager, "off": NoOpComputeLogManager}
    assert type(manager) is kinds[spec.compute_logs]
    if isinstance(manager, CloudComputeLogManager | S3ComputeLogManager):
        assert manager.upload_interval == spec.log_upload_interval_seconds
    if isinstance(manager, S3ComputeLogManager):
        assert (manager._s3_bucket, manager._s3_prefix) == ("b", "compute-logs")
        assert manager._show_url_only is True, "Dagster+ cannot read the stack's bucket"


@pytest.mark.parametrize(
    "key",
    [
        "assign_public_ip",
        "ecs_timeout",
        "log_group",
        "secrets",
        "server_ecs_tags",
        "run_task_definition_prefix",
        "runtime_platform",
        "requires_healthcheck",
        "service_discovery_namespace_id",
    ],
)
def test_the_judge_refuses_a_misspelt_key_of_the_launcher(home: Path, key: str) -> None:
    document = yaml.safe_load(dagster_yaml(EcsAgentSpec(), PLACE, SAID))
    config = document["user_code_launcher"]["config"]
    config[f"{key}x"] = config.pop(key)
    with pytest.raises(DagsterInvalidConfigError), loaded(home, yaml.safe_dump(document)) as instance:
        _ = instance.user_code_launcher


def test_a_namespace_of_another_account_is_read_by_the_role_that_was_named(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[str] = []
    monkeypatch.setattr(
        "dagster_cloud.workspace.ecs.client.Client._create_service_discovery_session",
        lambda client: taken.append(client._service_discovery_role_arn),
    )
    monkeypatch.setattr(
        "dagster_cloud.workspace.ecs.client.Client._service_discovery_namespace_account_id", lambda _: "210987654321"
    )
    monkeypatch.setattr("dagster_cloud.workspace.ecs.client.Client._agent_account_id", lambda _: "123456789012")
    role = "arn:aws:iam::210987654321:role/names"
    namespace = {"id": "ns-abcdefghijklmnop", "name": "code.internal", "roleArn": role, "reconcileSeconds": 60}
    spec = EcsAgentSpec.model_validate({"namespace": namespace})
    with loaded(home, dagster_yaml(spec, PLACE, SAID)) as instance:
        launcher = launcher_of(instance)
        assert taken == [role]
        assert launcher.client.uses_cross_account_service_discovery
        assert launcher.service_discovery_reconcile_interval_seconds == 60


def test_an_agent_for_branch_deployments_alone_serves_no_full_deployment(home: Path) -> None:
    spec = EcsAgentSpec.model_validate(
        {"fullDeployment": False, "branchDeployments": True, "allowedLocations": ["orders"]}
    )
    with loaded(home, dagster_yaml(spec, PLACE, SAID)) as instance:
        assert instance.deployment_names == []
        assert instance.includes_branch_deployments
        assert not instance.is_location_allowed("b1", "other", is_branch_deployment=True)


def test_the_same_settings_give_the_same_bytes() -> None:
    texts = {dagster_yaml(EcsAgentSpec(), PLACE, SAID) for _ in range(2)}
    assert len(texts) == 1, "a rendering that changes by itself would restart the agent at every update"
    assert TOKEN not in texts.pop()


LONG = "a" * 100


def run_command_size(instance: DagsterCloudAgentInstance) -> int:
    """Characters of the overrides of RunTask for a run with long names, of which ECS takes 8192
    (dagster_aws/ecs/launcher.py)."""
    repository = RepositoryPythonOrigin(
        executable_path="/usr/local/bin/python",
        code_pointer=ModuleCodePointer(f"{LONG}.definitions", "definitions", "/opt/dagster/code"),
        container_image="123456789012.dkr.ecr.eu-west-1.amazonaws.com/hybrid-prod/orders@sha256:" + "a" * 64,
        entry_point=["dagster"],
        container_context={},
    )
    arguments = ExecuteRunArgs(
        job_origin=JobPythonOrigin(LONG, repository),
        run_id="00000000-0000-0000-0000-000000000000",
        instance_ref=instance.ref_for_deployment("prod"),
    )
    container = {"name": "dagster", "command": list(arguments.get_command_args()), "cpu": 256, "memory": 1024}
    return len(json.dumps({"containerOverrides": [container], "cpu": "256", "memory": "1024"}))


def tagged(count: int) -> CodePlace:
    return replace(PLACE, tags={f"a-tag-of-some-length-{n:03}": "a value" for n in range(count)})


def test_the_command_of_a_run_is_short_enough_for_ecs(home: Path) -> None:
    with loaded(home, dagster_yaml(EcsAgentSpec(), PLACE, SAID)) as instance:
        assert run_command_size(instance) < 6500, "the usual settings leave room for tags and secrets"


def test_the_longest_settings_that_are_taken_leave_room_for_long_names(home: Path) -> None:
    longest = None
    for count in range(60):
        with contextlib.suppress(SettingsError):
            longest = dagster_yaml(EcsAgentSpec(), tagged(count), SAID)
    assert longest is not None
    assert SETTINGS_ROOM - length_in_a_run(longest) < 200, "the example comes near to the limit"
    with loaded(home, longest) as instance:
        size = run_command_size(instance)
        assert 7500 < size <= 8192, "the room that is kept is neither too small nor wasted"


def test_settings_by_which_every_run_would_fail_are_refused_with_what_is_largest() -> None:
    with pytest.raises(SettingsError) as caught:
        dagster_yaml(EcsAgentSpec(), tagged(60), SAID)
    assert "too long for ECS to start a run" in caught.value.what
    assert "server_ecs_tags" in (caught.value.why or "")
