"""The agent's ``dagster.yaml``. Pure: a spec and a few addresses in, text out.

Keys and their meaning: dagster_cloud/instance/__init__.py, dagster_cloud/storage/client.py and
dagster_cloud/workspace/user_code_launcher of dagster-cloud 1.13.27; tests/contracts/test_dagster_yaml.py holds every
rendering against them. Keys that only say Dagster's default are left out where the spec has no say in them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from agent.spec import AgentQueues, LocalAgentSpec, ServerTtl

AGENT_TOKEN_VARIABLE = "DAGSTER_CLOUD_AGENT_TOKEN"  # noqa: S105 - the variable's name, not a token


def render(
    spec: LocalAgentSpec,
    *,
    label: str,
    deployment: str,
    url: str | None = None,
    agent_token_env: str = AGENT_TOKEN_VARIABLE,
    compute_logs_folder: Path | None = None,
    storage_folder: Path | None = None,
    run_workers_folder: Path | None = None,
) -> str:
    """The file's text; the same arguments give the same bytes.

    ``url`` is the agent's address of Dagster+ (``Endpoint.agent_url``); without it the agent derives one from its
    token. The token itself is never in the file: the agent reads it from the variable ``agent_token_env``.
    ``compute_logs_folder`` is where the output of steps lies until it is sent (default: the system's temporary
    folder), ``storage_folder`` where Dagster's file IO manager keeps asset values (default: below ``DAGSTER_HOME``).
    With ``run_workers_folder`` the agent notes its run workers down there and notices those that die
    (``agent.process_launcher``, which its environment has to have); default: Dagster's own launcher, which does not.
    """
    document: dict[str, Any] = {
        "instance_class": {"module": "dagster_cloud.instance", "class": "DagsterCloudAgentInstance"},
        "dagster_cloud_api": _api(spec, url, deployment, label, agent_token_env),
        "agent_queues": _queues(spec.queues),
        "isolated_agents": {"enabled": spec.isolated},
        "user_code_launcher": _user_code_launcher(spec, run_workers_folder),
        "compute_logs": _compute_logs(spec, compute_logs_folder),
    }
    if spec.allowed_locations is not None:
        allowed = list(spec.allowed_locations)
        document["allowed_full_deployment_locations"] = {deployment: allowed}
        if spec.branch_deployments:
            document["allowed_branch_deployment_locations"] = list(allowed)
    if storage_folder is not None:
        document["local_artifact_storage"] = {
            "module": "dagster._core.storage.root",
            "class": "LocalArtifactStorage",
            "config": {"base_dir": str(storage_folder)},
        }
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=10_000)


def _api(spec: LocalAgentSpec, url: str | None, deployment: str, label: str, token_env: str) -> dict[str, Any]:
    api: dict[str, Any] = {} if url is None else {"url": url}
    return api | {
        "agent_token": {"env": token_env},
        "agent_label": label,
        "deployments": [deployment],
        "branch_deployments": spec.branch_deployments,
        "timeout": spec.api_timeout_seconds,
        "retries": spec.api_retries,
    }


def _queues(queues: AgentQueues) -> dict[str, Any]:
    return {"include_default_queue": queues.include_default, "additional_queues": list(queues.additional)}


def _user_code_launcher(spec: LocalAgentSpec, run_workers_folder: Path | None) -> dict[str, Any]:
    watched = run_workers_folder is not None
    return {
        "module": "agent.process_launcher" if watched else "dagster_cloud.workspace.user_code_launcher",
        "class": "ProcessUserCodeLauncher",
        "config": {**_launcher(spec), **({"run_workers_folder": str(run_workers_folder)} if watched else {})},
    }


def _launcher(spec: LocalAgentSpec) -> dict[str, Any]:
    config: dict[str, Any] = {
        "server_process_startup_timeout": spec.startup_timeout_seconds,
        "wait_for_processes": spec.wait_for_processes,
        "direct_snapshot_uploads": spec.direct_snapshot_uploads,
        "upload_snapshots_on_startup": spec.upload_snapshots_on_startup,
        "agent_metrics": {"enabled": spec.agent_metrics},
        "code_server_metrics": {"enabled": spec.code_server_metrics},
    }
    if spec.server_ttl is not None:
        config["server_ttl"] = _server_ttl(spec.server_ttl)
    return config


def _server_ttl(ttl: ServerTtl) -> dict[str, Any]:
    return {
        "full_deployments": {
            "enabled": ttl.full_deployments.enabled,
            "ttl_seconds": ttl.full_deployments.ttl_seconds,
        },
        "branch_deployments": {"ttl_seconds": ttl.branch_deployments.ttl_seconds},
        "max_servers": ttl.max_servers,
    }


def _compute_logs(spec: LocalAgentSpec, folder: Path | None) -> dict[str, Any]:
    config: dict[str, Any] = {}
    if folder is not None:
        config["local_dir"] = str(folder)
    if spec.log_upload_interval_seconds is not None:
        config["upload_interval"] = spec.log_upload_interval_seconds
    return {
        "module": "dagster_cloud.storage.compute_logs",
        "class": "CloudComputeLogManager",
        "config": config,
    }
