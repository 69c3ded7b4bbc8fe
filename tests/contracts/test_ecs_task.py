"""The agent's task definition against AWS's own description of RegisterTaskDefinition, as botocore has it, and its
start with a real shell.

botocore knows names, types and which must be there. Values, such as Fargate's sizes, it does not judge; nor whether the
image starts: that takes a container.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import botocore.session
import pytest
import yaml
from botocore.validate import ParamValidator

from agent.ecs_launcher import CodePlace
from agent.ecs_spec import EcsAgentSpec
from agent.ecs_task import (
    HOME,
    READY_FILE,
    SENTINELS,
    SETTINGS_VARIABLE,
    AgentText,
    agent_container,
    dagster_yaml,
    task_definition,
)

pytestmark = pytest.mark.contracts

SECRET = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:hybrid-prod/agent-token-AbCdEf"
ROLE = "arn:aws:iam::123456789012:role/hybrid-prod-"
PLACE = CodePlace(
    base="hybrid-prod",
    cluster="hybrid-prod",
    subnet_ids=["subnet-0aaaaaaaaaaaaaaaa"],
    security_group_ids=["sg-0cccccccccccccccc"],
    assign_public_ip=False,
    namespace_id="ns-abcdefghijklmnop",
    log_group="/hybrid-prod/code",
    task_role_arn=f"{ROLE}code",
    execution_role_arn=f"{ROLE}code-execution",
    token_secret_arn=SECRET,
    server_prefix="hybrid-prod-s",
    run_prefix="hybrid-prod-r",
)
BRANCHES: list[dict[str, Any]] = [
    {},
    {"exec": True},
    {"readOnlyRoot": False},
    {"zeroDowntime": False, "replicas": 3},
    {"proxy": {"url": "http://proxy.internal:3128", "exceptFor": ["amazonaws.com"]}},
    {"imageCredentials": SECRET, "image": "registry.internal/agent@sha256:" + "a" * 64, "architecture": "arm64"},
    {"computeLogs": "bucket", "logUploadIntervalSeconds": 30},
    {"computeLogs": "off", "environment": {"STAGE": "prod"}},
    {"cpu": 1024, "memoryMib": 2048, "stopTimeoutSeconds": 30},
]


def container(**said: Any) -> dict[str, Any]:
    spec = EcsAgentSpec.model_validate(said)
    text = AgentText("hybrid-prod", "prod", "https://acme.agent.dagster.cloud", "eu-west-1", bucket="b")
    return agent_container(
        spec,
        settings=dagster_yaml(spec, PLACE, text),
        region="eu-west-1",
        log_group="/hybrid-prod/agent",
        token_secret_arn=SECRET,
        namespace_name="hybrid-prod.local",
        generation="restart 1",
    )


def definition(**said: Any) -> dict[str, Any]:
    return task_definition(
        EcsAgentSpec.model_validate(said),
        container(**said),
        family="hybrid-prod-agent",
        task_role_arn=f"{ROLE}agent",
        execution_role_arn=f"{ROLE}agent-execution",
    )


def complaints(arguments: dict[str, Any]) -> str:
    model = botocore.session.get_session().get_service_model("ecs")
    shape = model.operation_model("RegisterTaskDefinition").input_shape
    return ParamValidator().validate(arguments, shape).generate_report()


@pytest.mark.parametrize("said", BRANCHES, ids=str)
def test_aws_knows_every_key_of_the_task_definition(said: dict[str, Any]) -> None:
    assert complaints(definition(**said)) == ""


def test_the_judge_finds_a_key_that_aws_does_not_know() -> None:
    spoilt = definition()
    spoilt["containerDefinitions"][0]["logConfig"] = spoilt["containerDefinitions"][0].pop("logConfiguration")
    assert "logConfig" in complaints(spoilt)


@pytest.mark.parametrize("said", BRANCHES, ids=str)
def test_a_task_definition_stays_far_below_the_64_kib_that_ecs_takes(said: dict[str, Any]) -> None:
    assert len(json.dumps(definition(**said))) < 16_384


def test_the_token_comes_as_a_secret_and_in_no_text() -> None:
    found = container()
    assert found["secrets"] == [{"name": "DAGSTER_CLOUD_AGENT_TOKEN", "valueFrom": SECRET}]
    assert "DAGSTER_CLOUD_AGENT_TOKEN" not in {entry["name"] for entry in found["environment"]}
    assert "echo" not in found["command"][0], "what a container prints is in CloudWatch"


def test_the_health_check_looks_for_the_file_that_the_agent_writes_when_it_has_loaded() -> None:
    found = container()
    environment = {entry["name"]: entry["value"] for entry in found["environment"]}
    assert environment["DAGSTER_CLOUD_AGENT_SENTINEL_DIR"] == SENTINELS
    assert found["healthCheck"]["command"] == ["CMD-SHELL", f"test -f {READY_FILE}"]
    assert found["stopTimeout"] == 120
    assert (environment["DAGSTER_CLOUD_AGENT_CPU_LIMIT"], environment["DAGSTER_CLOUD_AGENT_MEMORY_LIMIT"]) == (
        "256",
        "1024",
    )


def test_a_read_only_root_comes_with_a_folder_to_write_to() -> None:
    locked, open_ = definition()["containerDefinitions"][0], definition(exec=True)["containerDefinitions"][0]
    assert locked["readonlyRootFilesystem"] is True
    assert [point["containerPath"] for point in locked["mountPoints"]] == ["/tmp"]
    assert locked["linuxParameters"] == {"capabilities": {"drop": ["ALL"]}}
    assert HOME.startswith("/tmp/")
    assert SENTINELS.startswith("/tmp/")
    assert "readonlyRootFilesystem" not in open_
    assert open_["linuxParameters"] == {"initProcessEnabled": True}


def test_a_proxy_is_never_asked_for_code_servers_nor_for_the_tasks_credentials() -> None:
    found = container(proxy={"url": "http://proxy.internal:3128", "exceptFor": ["amazonaws.com"]})
    environment = {entry["name"]: entry["value"] for entry in found["environment"]}
    direct = environment["NO_PROXY"].split(",")
    assert {"169.254.170.2", ".hybrid-prod.local", "amazonaws.com"} <= set(direct)
    assert not {"http_proxy", "https_proxy"} & set(environment), "gRPC reads these, and would ask the proxy"
    settings = yaml.safe_load(environment[SETTINGS_VARIABLE])
    assert settings["dagster_cloud_api"]["proxies"]["https"] == "http://proxy.internal:3128"


def test_the_command_writes_the_settings_and_becomes_the_agent(tmp_path: Path) -> None:
    """In a real shell, with a program called dagster-cloud that shows what it was given."""
    found = container(environment={"STAGE": "it's $HOME `x` \\n"})
    program = tmp_path / "bin" / "dagster-cloud"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\necho "$$ $*"\nenv | grep -c HYBRID_DAGSTER_YAML\nexit 7\n')
    program.chmod(0o755)
    environment = {entry["name"]: entry["value"] for entry in found["environment"]}
    environment |= {
        "PATH": f"{program.parent}:{os.environ['PATH']}",
        "DAGSTER_HOME": str(tmp_path / "home"),
        "DAGSTER_CLOUD_AGENT_SENTINEL_DIR": str(tmp_path / "sentinels"),
    }
    with subprocess.Popen(
        [*found["entryPoint"], *found["command"]], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        said, complained = process.communicate(timeout=30)
    process_id, *arguments = said.decode().split()
    assert (process.returncode, complained) == (7, b""), "the agent's own exit code is the container's"
    assert process_id == str(process.pid), "the agent takes the shell's place, and so gets SIGTERM"
    assert arguments == ["agent", "run", str(tmp_path / "home"), "0"], "its settings are in no process beside it"
    written = tmp_path / "home" / "dagster.yaml"
    assert written.read_text() == environment[SETTINGS_VARIABLE]
    assert written.stat().st_mode & 0o077 == 0
    assert (tmp_path / "sentinels").is_dir()
