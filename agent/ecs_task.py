"""The agent's own task on ECS: a container of a stock image, to which its settings come as text and its token as a
secret. Pure.

Keys: RegisterTaskDefinition of ECS, https://docs.aws.amazon.com/AmazonECS/latest/APIReference.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from agent.compute_logs import in_bucket, in_dagster_plus, nowhere
from agent.dagster_yaml import AGENT_TOKEN_VARIABLE, render
from agent.ecs_launcher import CodePlace, ecs_launcher
from agent.ecs_parts import ARCHITECTURES
from agent.ecs_spec import EcsAgentSpec
from agent.launchers import Launcher
from agent.proxy import Proxy
from hybrid.errors import SettingsError

CONTAINER: Final = "agent"
"""The name of the agent's container, and the first part of its log streams."""

SCRATCH: Final = "/tmp"  # noqa: S108 - all that the agent writes to when its root is read-only
HOME: Final = f"{SCRATCH}/dagster"
SENTINELS: Final = f"{SCRATCH}/dagster-sentinels"
READY_FILE: Final = f"{SENTINELS}/finished_initial_reconciliation_sentinel.txt"
"""Written when the agent has first started its code servers (``_write_readiness_sentinel`` of
dagster_cloud/workspace/user_code_launcher/user_code_launcher.py)."""

SETTINGS_VARIABLE: Final = "HYBRID_DAGSTER_YAML"
GENERATION_VARIABLE: Final = "HYBRID_GENERATION"

_START: Final = (
    "set -eu; umask 077; "
    f'mkdir -p "$DAGSTER_HOME" "$DAGSTER_CLOUD_AGENT_SENTINEL_DIR"; rm -f {READY_FILE}; '
    f'printf \'%s\' "${SETTINGS_VARIABLE}" > "$DAGSTER_HOME/dagster.yaml"; unset {SETTINGS_VARIABLE}; '
    'exec dagster-cloud agent run "$DAGSTER_HOME"'
)
# Every run's command carries the agent's settings, in JSON within JSON, and ECS takes 8192 characters of overrides
# (dagster_aws/ecs/launcher.py; https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RunTask.html).
_OVERRIDES: Final = 8192
_INSTANCE: Final = 2900  # what else Dagster writes down of an instance
_NAMES: Final = 1000  # location, job, module and image
SETTINGS_ROOM: Final = _OVERRIDES - _INSTANCE - _NAMES
"""How long the settings may be, in characters of JSON within JSON."""

_CREDENTIALS_OF_ECS: Final = "169.254.170.2"


@dataclass(frozen=True)
class AgentText:
    """What the agent is told, beside its settings."""

    label: str
    deployment: str
    url: str
    """Where Dagster+ answers agents."""
    region: str
    bucket: str | None = None
    """The bucket for the output of steps; needed for ``computeLogs: bucket`` alone."""
    compute_log_prefix: str = "compute-logs"


def dagster_yaml(spec: EcsAgentSpec, place: CodePlace, said: AgentText) -> str:
    """The agent's settings. The token is not in them.

    Raises ``SettingsError`` when they are so long that ECS would refuse every run.
    """
    launcher = ecs_launcher(spec, place)
    text = render(
        spec,
        launcher,
        url=said.url,
        label=said.label,
        deployment=said.deployment,
        compute_logs=_compute_logs(spec, said),
        full_deployment=spec.full_deployment,
        proxies=spec.proxy.to_dagster_plus if spec.proxy else None,
    )
    if (length := length_in_a_run(text)) > SETTINGS_ROOM:
        raise _too_long(length, launcher)
    return text


def length_in_a_run(settings: str) -> int:
    """How many characters of a run's command the settings take: JSON within JSON, without the quotes around it."""
    return len(json.dumps(json.dumps(settings)[1:-1])) - 2


def _too_long(length: int, launcher: Launcher) -> SettingsError:
    sizes = {key: length_in_a_run(json.dumps(value)) for key, value in launcher.config.items()}
    largest = sorted(sizes, key=lambda key: -sizes[key])[:3]
    return SettingsError(
        f"The agent's settings are {length - SETTINGS_ROOM} characters too long for ECS to start a run.",
        why=f"Dagster hands them to each run in its command, of which ECS takes {_OVERRIDES} characters in all. The "
        "largest are " + ", ".join(f"{key} ({sizes[key]})" for key in largest) + "; tags count twice.",
        next_step="say sidecars, volumes and secrets in the container_context.yaml of the locations that need them, "
        "which is not handed on; or use fewer tags.",
    )


def _compute_logs(spec: EcsAgentSpec, said: AgentText) -> dict[str, Any]:
    match spec.compute_logs:
        case "off":
            return nowhere()
        case "bucket":
            if said.bucket is None:
                raise ValueError("`computeLogs: bucket` needs a bucket")
            return in_bucket(said.bucket, said.compute_log_prefix, said.region, spec.log_upload_interval_seconds)
        case _:
            return in_dagster_plus(spec.log_upload_interval_seconds)


def agent_container(
    spec: EcsAgentSpec,
    *,
    settings: str,
    region: str,
    log_group: str,
    token_secret_arn: str,
    namespace_name: str,
    generation: str = "",
    locations: int = 1,
    image: str | None = None,
    code_environment: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The container, as a task definition has it.

    ``settings``: the text of ``dagster_yaml``. ``generation``: any text; another one starts the agent anew.
    ``locations``: how many it serves, for its health check. ``image``: one instead of the settings'.
    ``code_environment``: ``CodePlace.environment``, whose values the launcher takes from here.
    """
    timing = spec.timing(locations)
    environment = {
        "DAGSTER_HOME": HOME,
        "DAGSTER_CLOUD_AGENT_SENTINEL_DIR": SENTINELS,
        "AWS_DEFAULT_REGION": region,
        "PYTHONUNBUFFERED": "1",
        # in the words of the task definition, as the agent sends those of code servers
        "DAGSTER_CLOUD_AGENT_CPU_LIMIT": str(spec.cpu),
        "DAGSTER_CLOUD_AGENT_MEMORY_LIMIT": str(spec.memory_mib),
        **timing.environment(),
        **(proxy_environment(spec.proxy, namespace_name) if spec.proxy else {}),
        **({GENERATION_VARIABLE: generation} if generation else {}),
        **(code_environment or {}),
        **spec.environment,
        SETTINGS_VARIABLE: settings,
    }
    container: dict[str, Any] = {
        "name": CONTAINER,
        "image": image or spec.image,
        "essential": True,
        "entryPoint": ["/bin/sh", "-c"],
        "command": [_START],
        "environment": [{"name": name, "value": value} for name, value in sorted(environment.items())],
        "secrets": [{"name": AGENT_TOKEN_VARIABLE, "valueFrom": token_secret_arn}],
        "logConfiguration": _log(log_group, region),
        "healthCheck": {
            "command": ["CMD-SHELL", f"test -f {READY_FILE}"],
            "interval": timing.health.interval,
            "timeout": timing.health.timeout,
            "retries": timing.health.retries,
            "startPeriod": timing.health.start_period,
        },
        "stopTimeout": timing.stop,
    }
    if spec.image_credentials is not None:
        container["repositoryCredentials"] = {"credentialsParameter": spec.image_credentials}
    if spec.exec:
        container["linuxParameters"] = {"initProcessEnabled": True}  # who reaps what a shell leaves
    elif spec.root_is_read_only:
        container["linuxParameters"] = {"capabilities": {"drop": ["ALL"]}}
    if spec.root_is_read_only:
        container["readonlyRootFilesystem"] = True
        container["mountPoints"] = [{"sourceVolume": "scratch", "containerPath": SCRATCH, "readOnly": False}]
    return container


def proxy_environment(proxy: Proxy, namespace_name: str) -> dict[str, str]:
    """Code servers are in the namespace."""
    return proxy.environment(_CREDENTIALS_OF_ECS, f".{namespace_name.strip('.')}")


def volumes(spec: EcsAgentSpec) -> list[dict[str, Any]]:
    """The task's volumes."""
    return [{"name": "scratch"}] if spec.root_is_read_only else []


def task_definition(
    spec: EcsAgentSpec,
    container: Mapping[str, Any],
    *,
    family: str,
    task_role_arn: str,
    execution_role_arn: str,
) -> dict[str, Any]:
    """The arguments of RegisterTaskDefinition."""
    said: dict[str, Any] = {
        "family": family,
        "requiresCompatibilities": ["FARGATE"],
        "networkMode": "awsvpc",
        "cpu": str(spec.cpu),
        "memory": str(spec.memory_mib),
        "runtimePlatform": {
            "cpuArchitecture": ARCHITECTURES[spec.architecture],
            "operatingSystemFamily": "LINUX",
        },
        "taskRoleArn": task_role_arn,
        "executionRoleArn": execution_role_arn,
        "containerDefinitions": [dict(container)],
    }
    scratch = volumes(spec)
    return {**said, "volumes": scratch} if scratch else said


def _log(group: str, region: str) -> dict[str, Any]:
    options = {
        "awslogs-group": group,
        "awslogs-region": region,
        "awslogs-stream-prefix": CONTAINER,
        # the agent goes on working while CloudWatch does not answer; beyond the buffer, lines are lost
        "mode": "non-blocking",
        "max-buffer-size": "10m",
    }
    return {"logDriver": "awslogs", "options": options}
