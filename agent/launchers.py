"""The launcher part of an agent's ``dagster.yaml``, one per platform: what starts code servers and runs there.

Keys: dagster_cloud/workspace/user_code_launcher and dagster_cloud/workspace/docker of dagster-cloud 1.13.27, and the
launchers of our own that add to them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.any_spec import AnyAgentSpec, ServerTtl
from agent.docker_spec import DockerAgentSpec
from agent.spec import LocalAgentSpec


@dataclass(frozen=True)
class Launcher:
    """The class that starts code servers and runs, and its configuration."""

    module: str
    name: str
    config: Mapping[str, Any]

    def document(self) -> dict[str, Any]:
        """As ``user_code_launcher`` of a ``dagster.yaml`` says it."""
        return {"module": self.module, "class": self.name, "config": dict(self.config)}


def stock_process_launcher(spec: LocalAgentSpec) -> Launcher:
    """Dagster's own processes: it does not notice run workers that die."""
    return Launcher("dagster_cloud.workspace.user_code_launcher", "ProcessUserCodeLauncher", _processes(spec))


def process_launcher(spec: LocalAgentSpec, run_workers_folder: Path) -> Launcher:
    """Processes whose run workers are noted down in the folder and missed when they die
    (``agent.process_launcher``, which the agent's environment has to have)."""
    config = {**_processes(spec), "run_workers_folder": str(run_workers_folder)}
    return Launcher("agent.process_launcher", "ProcessUserCodeLauncher", config)


def docker_launcher(
    spec: DockerAgentSpec, *, stack: str, network: str, storage_volume: str, storage_folder: str
) -> Launcher:
    """Containers on the stack's network, with its label and its volume (``agent/image/hybrid_docker_launcher.py``)."""
    log = {"max-size": spec.log_max_size, "max-file": str(spec.log_max_files)}
    config = {
        **shared_configuration(spec),
        "requires_healthcheck": True,  # the image's health check looks for the file that this writes
        "networks": [network],
        "env_vars": sorted(spec.environment),
        "container_kwargs": {"log_config": {"type": "json-file", "config": log}, **spec.container_kwargs},
        "stack": stack,
        "storage": {"volume": storage_volume, "folder": storage_folder},
        "finished_run_containers_kept_seconds": spec.finished_run_containers_kept_seconds,
    }
    return Launcher("hybrid_docker_launcher", "DockerUserCodeLauncher", config)


def _processes(spec: LocalAgentSpec) -> dict[str, Any]:
    return {
        **shared_configuration(spec),
        "wait_for_processes": spec.wait_for_processes,
        # the Docker launcher of 1.13.27 knows neither
        "agent_metrics": {"enabled": spec.agent_metrics},
        "code_server_metrics": {"enabled": spec.code_server_metrics},
    }


def shared_configuration(spec: AnyAgentSpec) -> dict[str, Any]:
    """What every launcher is told in the same words."""
    config: dict[str, Any] = {
        "server_process_startup_timeout": spec.startup_timeout_seconds,
        "direct_snapshot_uploads": spec.direct_snapshot_uploads,
        "upload_snapshots_on_startup": spec.upload_snapshots_on_startup,
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
