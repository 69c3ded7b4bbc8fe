"""The embedded Dagster+ as a process, asked over HTTP; and the agent's side of it, in as few words as it takes.

The stand-in for an agent uploads definitions that this process has, answers requests with them, and runs nothing.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
from dagster import Definitions
from dagster._core.code_pointer import ModuleCodePointer
from dagster._core.remote_representation.external_data import JobDataSnap, RepositorySnap
from dagster._core.snap import snapshot_from_execution_plan
from dagster._serdes import deserialize_value, serialize_value
from dagster_cloud.agent.queries import (
    ADD_AGENT_HEARTBEATS_MUTATION,
    GET_USER_CLOUD_REQUESTS_QUERY,
    WORKSPACE_ENTRIES_QUERY,
)
from dagster_cloud.api.dagster_cloud_api import (
    AgentHeartbeat,
    DagsterCloudApi,
    DagsterCloudApiGrpcResponse,
    DagsterCloudApiRequest,
    DagsterCloudApiSuccess,
    DagsterCloudUploadApiResponse,
    DagsterCloudUploadLocationData,
    DagsterCloudUploadRepositoryData,
    DagsterCloudUploadWorkspaceEntry,
    DagsterCloudUploadWorkspaceResponse,
)
from dagster_cloud_cli.core.workspace import CodeLocationDeployData

DEADLINE_SECONDS = 40.0
DEPLOYMENT = "prod"
_MAKE_TOKEN = "mutation { createAgentToken { ... on DagsterCloudAgentToken { token } } }"


class Served:
    """A server of its own in ``folder``, loaded as soon as this is made."""

    def __init__(self, folder: Path) -> None:
        self.data, self._log = folder / "data", folder / "log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "hybrid.emulator", "--data", str(self.data), "--port", "0"],
                env={name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},
                stdout=log,
                stderr=log,
            )
        self.url = self._said(r"Serving \S+ at (\S+)")
        self._said(r"(Dagster is loaded)")
        self.http = httpx.Client(base_url=self.url, timeout=60)
        self.user_token = (self.data / "api-token").read_text().strip()
        self.agent_token: str = self.data_of(_MAKE_TOKEN)["createAgentToken"]["token"]

    def headers(self, token: str, deployment: str = DEPLOYMENT) -> dict[str, str]:
        return {
            "Dagster-Cloud-Api-Token": token,
            "Dagster-Cloud-Deployment": deployment,
            "Dagster-Cloud-Scope": "deployment",
        }

    def ask(
        self, query: str, variables: Mapping[str, Any] | None = None, token: str | None = None, **headers: str
    ) -> dict[str, Any]:
        """The answer's JSON; with the user's token unless another is given."""
        found = self.http.post(
            "/graphql",
            json={"query": query, "variables": dict(variables or {})},
            headers={**self.headers(token or self.user_token), **headers},
        )
        answer: dict[str, Any] = found.json()
        return answer

    def data_of(self, query: str, variables: Mapping[str, Any] | None = None, token: str | None = None) -> Any:
        answer = self.ask(query, variables, token)
        assert not answer.get("errors"), answer["errors"]
        return answer["data"]

    def execute(
        self,
        query: str,
        variable_values: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        idempotent_mutation: bool = False,
    ) -> dict[str, Any]:
        """What the client's storages call on the GraphQL client that they are given: with the agent's token."""
        return {"data": self.data_of(query, variable_values, self.agent_token)}

    def heartbeat(self, agent_id: str) -> float:
        """An agent's heartbeat, as it sends it; the time of it."""
        now = time.time()
        beat = AgentHeartbeat(
            timestamp=now,
            agent_id=agent_id,
            agent_label="bench",
            agent_type="ProcessUserCodeLauncher",
            metadata={"version": "1.13.27"},
            run_worker_statuses=None,
            code_server_heartbeats=[],
            agent_queues_config=None,
        )
        sent = [{"deploymentName": DEPLOYMENT, "serializedAgentHeartbeat": serialize_value(beat)}]
        variables = {"serializedAgentHeartbeats": sent, "serializedErrors": []}
        answer = self.data_of(ADD_AGENT_HEARTBEATS_MUTATION, variables, self.agent_token)
        assert answer["userCloudAgent"]["addAgentHeartbeats"]["ok"], "the heartbeat is taken"
        return now

    def end(self) -> None:
        self.http.close()
        self._process.terminate()
        self._process.wait(DEADLINE_SECONDS)

    def _said(self, pattern: str) -> str:
        until = time.monotonic() + DEADLINE_SECONDS
        while time.monotonic() < until:
            found = re.search(pattern, self._log.read_text())
            if found:
                return found[1]
            assert self._process.poll() is None, f"the server ended:\n{self._log.read_text()}"
            time.sleep(0.05)
        raise AssertionError(f"the server did not say {pattern}:\n{self._log.read_text()}")


class StandinAgent:
    """Serves one location, from ``definitions``, to a served organization."""

    def __init__(self, served: Served, location: str, definitions: Definitions) -> None:
        self._served, self._location = served, location
        self._repository = definitions.get_repository_def()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="standin-agent", daemon=True)
        self.launched: list[str] = []
        self.terminated: list[str] = []

    def start(self) -> StandinAgent:
        self.upload()
        self._thread.start()
        return self

    def end(self) -> None:
        self._ended.set()
        self._thread.join(DEADLINE_SECONDS)

    def upload(self) -> None:
        """All definitions in one piece, then the jobs, as an agent with ``direct_snapshot_uploads: false`` does."""
        repository = RepositorySnap.from_def(self._repository, defer_snapshots=True)
        entry = DagsterCloudUploadWorkspaceEntry(
            location_name=self._location,
            code_location_deploy_data=self._deployed(),
            upload_location_data=DagsterCloudUploadLocationData(
                upload_repository_datas=[
                    DagsterCloudUploadRepositoryData(
                        repository_name=self._repository.name,
                        code_pointer=ModuleCodePointer(self._location, "defs"),
                        serialized_repository_data=serialize_value(repository),
                    )
                ],
                container_image=None,
                executable_path=None,
            ),
            serialized_error_info=None,
        )
        if not self._send_entry(entry):
            for job in self._repository.get_all_jobs():
                data = JobDataSnap.from_job_def(job, include_parent_snapshot=False)
                self._put("/upload_job_snapshot", "job.tmp", serialize_value(data))
            assert self._send_entry(entry), "every job that was missing has been uploaded"

    def _send_entry(self, entry: DagsterCloudUploadWorkspaceEntry) -> bool:
        answer = self._put("/upload_workspace_entry", "workspace_entry.tmp", serialize_value(entry))
        return deserialize_value(answer.text, DagsterCloudUploadWorkspaceResponse).updated

    def _put(self, path: str, part: str, text: str) -> httpx.Response:
        headers = self._served.headers(self._served.agent_token)
        found = self._served.http.put(path, files={part: zlib.compress(text.encode())}, headers=headers)
        assert found.is_success, found.text
        return found

    def _deployed(self) -> CodeLocationDeployData:
        variables = {"deploymentNames": [DEPLOYMENT], "includeAllServerlessDeployments": False, "agentQueues": [None]}
        found = self._served.data_of(WORKSPACE_ENTRIES_QUERY, variables, self._served.agent_token)
        entries = {entry["locationName"]: entry for entry in found["deployments"][0]["workspaceEntries"]}
        return deserialize_value(entries[self._location]["serializedDeploymentMetadata"], CodeLocationDeployData)

    def _serve(self) -> None:
        variables = {"forBranchDeployments": False, "forFullDeployments": [DEPLOYMENT], "agentQueues": [None]}
        while not self._ended.wait(0.05):
            found = self._served.data_of(GET_USER_CLOUD_REQUESTS_QUERY, variables, self._served.agent_token)
            for request in found["userCloudAgent"]["popUserCloudAgentRequests"]:
                answer = DagsterCloudUploadApiResponse(
                    request_id=request["requestId"],
                    request_api=request["requestApi"],
                    response=self._answer(deserialize_value(request["requestBody"], DagsterCloudApiRequest)),
                )
                self._put("/upload_api_response", "api_response.tmp", serialize_value(answer))

    def _answer(self, request: DagsterCloudApiRequest) -> Any:
        if request.request_api == DagsterCloudApi.GET_EXTERNAL_EXECUTION_PLAN:
            return DagsterCloudApiGrpcResponse(
                serialized_response_or_error=serialize_value(self._plan(request.request_args))
            )
        if request.request_api == DagsterCloudApi.LAUNCH_RUN:
            self.launched.append(request.request_args.dagster_run.run_id)
        if request.request_api == DagsterCloudApi.TERMINATE_RUN:
            self.terminated.append(request.request_args.dagster_run.run_id)
        return DagsterCloudApiSuccess()

    def _plan(self, asked: Any) -> Any:
        from dagster._core.execution.api import create_execution_plan

        job = self._repository.get_job(asked.job_origin.job_name)
        if asked.asset_selection:
            job = job.get_subset(asset_selection=asked.asset_selection)
        plan = create_execution_plan(job, run_config=dict(asked.run_config))
        return snapshot_from_execution_plan(plan, asked.job_snapshot_id)
