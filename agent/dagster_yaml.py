"""The agent's ``dagster.yaml``. Pure: a spec and a few addresses in, text out.

Keys and their meaning: dagster_cloud/instance/__init__.py, dagster_cloud/storage/client.py and
dagster_cloud/workspace of dagster-cloud 1.13.27; tests/contracts/test_dagster_yaml.py holds every
rendering against them. Keys that only say Dagster's default are left out where the spec has no say in them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from agent.any_spec import AgentQueues, AnyAgentSpec
from agent.compute_logs import in_dagster_plus
from agent.launchers import Launcher

AGENT_TOKEN_VARIABLE = "DAGSTER_CLOUD_AGENT_TOKEN"  # noqa: S105 - the variable's name, not a token


def render(
    spec: AnyAgentSpec,
    launcher: Launcher,
    *,
    label: str,
    deployment: str,
    url: str | None = None,
    agent_token_env: str = AGENT_TOKEN_VARIABLE,
    compute_logs_folder: Path | None = None,
    storage_folder: Path | None = None,
    compute_logs: Mapping[str, Any] | None = None,
    full_deployment: bool = True,
    proxies: Mapping[str, str] | None = None,
) -> str:
    """The file's text; the same arguments give the same bytes.

    ``launcher`` is one of ``agent.launchers``. ``url`` is the agent's address of Dagster+ (``Endpoint.agent_url``);
    without it the agent derives one from its token. The token itself is never in the file: the agent reads it from the
    variable ``agent_token_env``. ``compute_logs_folder`` is where the output of steps lies until it is sent (default:
    the system's temporary folder), ``storage_folder`` where Dagster's file IO manager keeps asset values (default:
    below ``DAGSTER_HOME``). ``compute_logs`` says where the output of steps goes, one of ``agent.compute_logs``
    (default: to Dagster+). ``full_deployment``: whether the agent serves ``deployment``, or branch deployments alone.
    ``proxies``, by ``http`` and ``https``, are those by which it reaches Dagster+.
    """
    document: dict[str, Any] = {
        "instance_class": {"module": "dagster_cloud.instance", "class": "DagsterCloudAgentInstance"},
        "dagster_cloud_api": {
            **_api(spec, url, deployment, label, agent_token_env, full_deployment=full_deployment),
            **({"proxies": dict(proxies)} if proxies else {}),
        },
        "agent_queues": _queues(spec.queues),
        "isolated_agents": {"enabled": spec.isolated},
        "user_code_launcher": launcher.document(),
        "compute_logs": dict(
            compute_logs or in_dagster_plus(spec.log_upload_interval_seconds, folder=compute_logs_folder)
        ),
    }
    if spec.allowed_locations is not None:
        allowed = list(spec.allowed_locations)
        if full_deployment:
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


def _api(
    spec: AnyAgentSpec, url: str | None, deployment: str, label: str, token_env: str, *, full_deployment: bool
) -> dict[str, Any]:
    api: dict[str, Any] = {} if url is None else {"url": url}
    return api | {
        "agent_token": {"env": token_env},
        "agent_label": label,
        "deployments": [deployment] if full_deployment else [],
        "branch_deployments": spec.branch_deployments,
        "timeout": spec.api_timeout_seconds,
        "retries": spec.api_retries,
    }


def _queues(queues: AgentQueues) -> dict[str, Any]:
    return {"include_default_queue": queues.include_default, "additional_queues": list(queues.additional)}
