"""The agent's own launcher in this process, as the agent's service account: what it does in a cluster, call by call.

Its code is dagster_cloud's and dagster_k8s', its settings are a stack's ``dagster.yaml``. Not there: Dagster+, and the
code servers' port, since Pods of a ``PaperCluster`` have none. Runs are of an instance on this machine.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from dagster import DagsterInstance, DagsterRun, DagsterRunStatus
from dagster._core.code_pointer import ModuleCodePointer
from dagster._core.instance.ref import configurable_class_data
from dagster._core.launcher import LaunchRunContext
from dagster._core.origin import JobPythonOrigin, RepositoryPythonOrigin
from dagster_cloud.workspace.kubernetes import K8sUserCodeLauncher
from dagster_cloud.workspace.user_code_launcher import UserCodeLauncherEntry
from dagster_cloud.workspace.user_code_launcher.user_code_launcher import DagsterCloudUserCodeLauncher
from dagster_cloud_cli.core.workspace import CodeLocationDeployData
from kubernetes.client import Configuration

from agent.dagster_yaml import AGENT_TOKEN_VARIABLE
from agent.kubernetes_launcher import CodePlace
from agent.kubernetes_names import KubernetesNames
from agent.kubernetes_pod import HOME, AgentText, dagster_yaml
from agent.kubernetes_spec import KubernetesAgentSpec
from tests.standins.paper_node import AFTER, LIFE, SAYS

NAMES: Final = KubernetesNames.of("least")
DEPLOYMENT: Final = "prod"
IMAGE: Final = "registry.test/code@sha256:" + "a" * 64
NOBODY: Final = "an-account-that-is-not-there"
"""Pods of this service account are never made; why not stands in an event of what owns them."""


def life(kind: str = "ready", *, after: float = 0, says: str = "") -> dict[str, Any]:
    """What a location or a run says for the life of its Pods on the node."""
    notes = {LIFE: kind, AFTER: str(after), SAYS: says}
    return {"pod_template_spec_metadata": {"annotations": notes}}


class LauncherAtWork:
    """Names of locations are also keys: one server each."""

    def __init__(self, launcher: K8sUserCodeLauncher, runs: Any, instance: DagsterInstance) -> None:
        self.launcher, self.runs, self.instance = launcher, runs, instance

    def serve(self, location: str, **context: Any) -> Any:
        """Ask for a code server; it is there or not after that."""
        entry = _entry(context)
        server = self.launcher._start_new_server_spinup(DEPLOYMENT, location, entry)
        with self.launcher._grpc_servers_lock:
            self.launcher._grpc_servers[(DEPLOYMENT, location)] = server
        return server.server_handle

    def load(self, location: str, **context: Any) -> Any:
        """The same, and wait for its Pod as the agent does. Raises what Dagster+ shows as the location's error."""
        handle = self.serve(location, **context)
        self._until_ready(location, handle, context)
        return handle

    def _until_ready(self, location: str, handle: Any, context: Mapping[str, Any]) -> None:
        server = self.launcher._grpc_servers[(DEPLOYMENT, location)]
        waiting = self.launcher._wait_for_new_server_ready(
            DEPLOYMENT, location, _entry(context), handle, server.server_endpoint
        )
        asyncio.run(waiting)

    def reload(self, location: str, **context: Any) -> None:
        """Another state of its definitions, as Dagster+ tells of one. Raises what ends the attempt."""
        self.launcher._reload_pin_in_place((DEPLOYMENT, location), _entry(context))

    def reloads_in_place(self, location: str) -> bool:
        return self.launcher.supports_in_place_pin_reload((DEPLOYMENT, location), _entry({}))

    def clean_up(self) -> None:
        """What an agent does at its end, and another one from time to time."""
        self.launcher._graceful_cleanup_servers(include_own_servers=True)

    def why_not(self, handle: Any) -> str:
        """The text that people read about a code server that does not come up."""
        return str(self.launcher._get_timeout_debug_info(handle))

    def launch(self, **context: Any) -> DagsterRun:
        """A run that has started, as far as Dagster knows."""
        run = self.instance.add_run(_run(context))
        self.runs.launch_run(LaunchRunContext(run, workspace=None))
        return run


@contextmanager
def launcher_at_work(
    folder: Path, kubeconfig: Path, patch: pytest.MonkeyPatch, names: KubernetesNames = NAMES
) -> Iterator[LauncherAtWork]:
    """With the settings of a stack, and the rights of a kubeconfig. Each is an agent of its own."""
    patch.setenv(AGENT_TOKEN_VARIABLE, "agent:acme:" + "5" * 32)
    # who else is RUNNING only Dagster+ knows, and the code server's port is not on paper
    patch.setattr(DagsterCloudUserCodeLauncher, "get_active_agent_ids", lambda _: set())
    patch.setattr(DagsterCloudUserCodeLauncher, "_reload_pin_in_place", lambda *_: None)
    patch.setattr(DagsterCloudUserCodeLauncher, "_wait_for_dagster_server_process", _at_once)
    patch.setattr("dagster_cloud.workspace.kubernetes.launcher.ORPHAN_DEFS_STATE_CONFIG_MAP_GRACE_PERIOD_SECONDS", 0)
    patch.setattr(Configuration, "_default", None)  # the launcher's kubeconfig becomes this process's own
    for name in ("agent", "runs"):
        (folder / name).mkdir()
    document = yaml.safe_load(_settings(names))
    document["user_code_launcher"]["config"]["kubeconfig_file"] = str(kubeconfig)
    (folder / "agent" / "dagster.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    with (
        DagsterInstance.from_config(str(folder / "agent")) as agent,
        DagsterInstance.local_temp(str(folder / "runs")) as local,
    ):
        runs = configurable_class_data(document["user_code_launcher"]).rehydrate(as_type=K8sUserCodeLauncher)
        runs.run_launcher().register_instance(local)
        yield LauncherAtWork(agent.user_code_launcher, runs.run_launcher(), local)  # type: ignore[attr-defined]


async def _at_once(*_: Any, **__: Any) -> None:
    return


def _settings(names: KubernetesNames) -> str:
    spec = KubernetesAgentSpec.model_validate({"podStartupTimeoutSeconds": 60})
    place = CodePlace(names=names, home=HOME, code_account=names.code)
    return dagster_yaml(spec, place, AgentText(label=names.base, deployment=DEPLOYMENT, url="http://127.0.0.1:9"))


def _entry(context: Mapping[str, Any]) -> UserCodeLauncherEntry:
    k8s = _context("server_k8s_config", context)
    metadata = CodeLocationDeployData(image=IMAGE, module_name="code", container_context={"k8s": k8s})
    return UserCodeLauncherEntry(metadata, update_timestamp=1.0)


def _run(context: Mapping[str, Any]) -> DagsterRun:
    k8s = _context("run_k8s_config", context)
    repository = RepositoryPythonOrigin(
        executable_path="python",
        code_pointer=ModuleCodePointer("code", "defs", "/opt"),
        container_image=IMAGE,
        entry_point=["dagster"],
        container_context={"k8s": k8s},
    )
    return DagsterRun(
        job_name="load", job_code_origin=JobPythonOrigin("load", repository), status=DagsterRunStatus.STARTED
    )


def _context(raw: str, context: Mapping[str, Any]) -> dict[str, Any]:
    """What a location says of Kubernetes: ``config`` is its raw configuration, all else a key of its own."""
    return {raw if key == "config" else key: value for key, value in context.items()}
