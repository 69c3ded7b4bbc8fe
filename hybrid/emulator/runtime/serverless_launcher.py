"""How the Serverless agent runs code: as processes of this machine, with Python executables (PEX) as Serverless does.

For the agent's own process, which names the class in its ``dagster.yaml``. Rests on ``client``
(dagster_cloud/workspace/user_code_launcher/process.py, which serves PEX locations but does not run their jobs;
dagster_cloud/workspace/docker, which runs them by ``dagster-cloud pex execute-run``;
dagster_cloud/pex/grpc/server/registry.py, which takes the files that are in its folder already). ``invented``: that
there is no S3 between the upload and the agent. The service's own launcher is not published.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast

from dagster import DagsterRun
from dagster import _check as check
from dagster._core.launcher import LaunchRunContext
from dagster._core.utils import parse_env_var
from dagster._grpc.types import ExecuteRunArgs
from dagster._serdes import serialize_value
from dagster_cloud.execution.cloud_run_launcher.process import PID_TAG, CloudProcessRunLauncher
from dagster_cloud.workspace.user_code_launcher.process import ProcessUserCodeLauncher
from dagster_cloud.workspace.user_code_launcher.utils import get_instance_ref_for_user_code
from dagster_shared.ipc import open_ipc_subprocess

from hybrid.emulator.serverless.home import PEX_STORE_VARIABLE
from hybrid.emulator.serverless.pex_files import PexFiles, names_in_tag

if TYPE_CHECKING:
    from dagster_cloud.instance import DagsterCloudAgentInstance


class ServerlessUserCodeLauncher(ProcessUserCodeLauncher):
    """The process launcher, whose PEX locations have their files and run their jobs."""

    pex_of: ClassVar[dict[tuple[str, str], str]] = {}
    """Serialized ``PexMetadata`` by deployment and location; of the class, as runs are launched by another instance."""

    def _create_pex_server(self, deployment_name: str, location_name: str, desired_entry: Any, server: Any) -> None:
        pex = check.not_none(desired_entry.code_location_deploy_data.pex_metadata)
        files = PexFiles(Path(os.environ[PEX_STORE_VARIABLE]))
        files.lay_out(names_in_tag(pex.pex_tag), Path(os.environ["LOCAL_PEX_FILES_DIR"]))
        self.pex_of[deployment_name, location_name] = serialize_value(pex)
        super()._create_pex_server(deployment_name, location_name, desired_entry, server)

    def run_launcher(self) -> CloudProcessRunLauncher:
        if not self._run_launcher:
            self._run_launcher = PexRunLauncher()  # type: ignore[no-untyped-call]
            self._run_launcher.register_instance(self._instance)
        return self._run_launcher


class PexRunLauncher(CloudProcessRunLauncher):
    """The process run launcher; a run of a PEX location is a process of that PEX."""

    def launch_run(self, context: LaunchRunContext) -> None:
        run = context.dagster_run
        deployment = cast("DagsterCloudAgentInstance", self._instance).deployment_name
        pex = ServerlessUserCodeLauncher.pex_of.get((deployment or "", _location_of(run)))
        if pex is None:
            return super().launch_run(context)
        arguments = ExecuteRunArgs(
            job_origin=check.not_none(context.job_code_origin),
            run_id=run.run_id,
            instance_ref=get_instance_ref_for_user_code(self._instance.get_ref()),
        )
        command = ["dagster-cloud", "pex", "execute-run", serialize_value(arguments), pex]
        process = open_ipc_subprocess(command, env={**os.environ, **_variables_of(run)})
        self._run_ids.add(run.run_id)
        self._instance.add_run_tags(run.run_id, {PID_TAG: str(process.pid)})
        return None


def _location_of(run: DagsterRun) -> str:
    origin = check.not_none(run.remote_job_origin)
    return origin.repository_origin.code_location_origin.location_name


def _variables_of(run: DagsterRun) -> dict[str, str]:
    """Those that the location's container context gives its runs."""
    context = run.job_code_origin.repository_origin.container_context if run.job_code_origin else None
    return dict(parse_env_var(text) for text in (context or {}).get("env_vars") or ())
