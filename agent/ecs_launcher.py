"""The launcher part of an ECS agent's ``dagster.yaml``. Pure.

Keys: dagster_cloud/workspace/ecs/launcher.py and dagster_cloud/workspace/config_schema/ecs.py of dagster-cloud 1.13.27.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agent.dagster_yaml import AGENT_TOKEN_VARIABLE
from agent.ecs_names import STACK_TAG
from agent.ecs_parts import ARCHITECTURES
from agent.ecs_spec import EcsAgentSpec
from agent.launchers import Launcher, shared_configuration


@dataclass(frozen=True)
class CodePlace:
    """Where in AWS code servers and runs live."""

    base: str
    """``EcsNames.base``, the value of the stack's tag."""
    cluster: str
    """The cluster's name."""
    subnet_ids: Sequence[str]
    security_group_ids: Sequence[str]
    assign_public_ip: bool
    """Always said: the agent would guess it from route tables, every half minute and wrongly behind a transit
    gateway."""
    namespace_id: str
    log_group: str
    task_role_arn: str
    execution_role_arn: str
    token_secret_arn: str
    server_prefix: str
    run_prefix: str
    environment: Mapping[str, str] = field(default_factory=dict)
    """The stack's own variables for code, which are in the agent's environment, too."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """Further ones for what the agent makes."""


def ecs_launcher(spec: EcsAgentSpec, place: CodePlace) -> Launcher:
    """Dagster's own launcher: a service of ECS for each code server, a task for each run."""
    config = {
        **shared_configuration(spec),
        "requires_healthcheck": True,  # the container's health check looks for the file that this writes
        **_place(place),
        **_code(spec, place),
        **_optional(spec),
        "ecs_timeout": spec.ecs_timeout_seconds,
        "ecs_grace_period": spec.ecs_grace_seconds,
        "enable_ecs_exec": spec.exec,
        "agent_metrics": {"enabled": spec.agent_metrics},
        "code_server_metrics": {"enabled": spec.code_server_metrics},
    }
    return Launcher("dagster_cloud.workspace.ecs", "EcsUserCodeLauncher", config)


def _place(place: CodePlace) -> dict[str, Any]:
    tags = [{"key": key, "value": value} for key, value in sorted({**place.tags, STACK_TAG: place.base}.items())]
    return {
        "cluster": place.cluster,
        "subnets": list(place.subnet_ids),
        "security_group_ids": list(place.security_group_ids),
        "assign_public_ip": place.assign_public_ip,
        "launch_type": "FARGATE",
        "service_discovery_namespace_id": place.namespace_id,
        "log_group": place.log_group,
        "task_role_arn": place.task_role_arn,
        "execution_role_arn": place.execution_role_arn,
        "server_task_definition_prefix": place.server_prefix,
        "run_task_definition_prefix": place.run_prefix,
        "server_ecs_tags": tags,
        "run_ecs_tags": [dict(tag) for tag in tags],  # not the same list: YAML would write a reference
    }


def _code(spec: EcsAgentSpec, place: CodePlace) -> dict[str, Any]:
    # code asks Dagster+ with the agent's token, by the variable's name in the instance that the agent hands on
    secrets = {**spec.secrets, AGENT_TOKEN_VARIABLE: place.token_secret_arn}
    architecture = ARCHITECTURES[spec.code_architecture]
    return {
        "secrets": [{"name": name, "valueFrom": arn} for name, arn in sorted(secrets.items())],
        "secrets_tag": spec.secrets_tag,
        # names alone: the launcher takes the values from the agent's own environment
        "env_vars": sorted({*place.environment, *spec.variable_names}),
        "server_resources": spec.server_resources.launcher(),
        "run_resources": spec.run_resources.launcher(),
        "runtime_platform": {"cpuArchitecture": architecture, "operatingSystemFamily": "LINUX"},
    }


def _optional(spec: EcsAgentSpec) -> dict[str, Any]:
    said: dict[str, Any] = {}
    if spec.volumes:
        said["volumes"] = [volume.volume() for volume in spec.volumes]
        said["mount_points"] = [volume.mount_point() for volume in spec.volumes]
    if spec.server_sidecars:
        said["server_sidecar_containers"] = list(spec.server_sidecars)
    if spec.run_sidecars:
        said["run_sidecar_containers"] = list(spec.run_sidecars)
    if spec.server_health_check is not None:
        said["server_health_check"] = spec.server_health_check.launcher()
    if spec.repository_credentials is not None:
        said["repository_credentials"] = spec.repository_credentials
    if spec.namespace is not None and spec.namespace.role_arn is not None:
        said["service_discovery_role_arn"] = spec.namespace.role_arn
        said["service_discovery_reconcile_interval"] = spec.namespace.reconcile_seconds
    return said
