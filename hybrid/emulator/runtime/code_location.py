"""A code location whose code server stands behind an agent: definitions from its upload, calls by way of requests.

Rests on ``client``: the calls that Dagster's host makes to a code server map one to one to the agent's requests
(dagster_cloud/agent/dagster_cloud_agent.py ``_handle_api_request``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from dagster._core.errors import DagsterCodeLocationLoadError
from dagster._core.remote_origin import RegisteredCodeLocationOrigin
from dagster._core.remote_representation.code_location import GrpcServerCodeLocation
from dagster._core.remote_representation.external import RemoteRepository
from dagster._core.remote_representation.external_data import JobDataSnap, JobRefSnap, RepositorySnap
from dagster._core.remote_representation.handle import RepositoryHandle
from dagster._core.snap import JobSnap
from dagster._grpc.client import DagsterGrpcClient
from dagster._grpc.types import NotebookPathArgs
from dagster._serdes import deserialize_value
from dagster_cloud.api.dagster_cloud_api import (
    DagsterCloudApi,
    DagsterCloudCodeLocationManifest,
    RefreshComponentStateArgs,
)
from dagster_shared.error import SerializableErrorInfo
from dagster_shared.record import replace
from dagster_shared.serdes.objects.models.defs_state_info import DefsStateInfo

if TYPE_CHECKING:
    from dagster import DagsterInstance

    from hybrid.emulator.runtime.agent_requests import AgentRequests
    from hybrid.emulator.runtime.uploads.snapshots import SnapshotStore


class RelayClient(DagsterGrpcClient):
    """A gRPC client without a connection: each call is asked of an agent.

    The base class is not initialized: it would check for a host and a port, and none of its other methods is called
    on a location whose definitions were uploaded.
    """

    def __init__(
        self, requests: AgentRequests, location: RegisteredCodeLocationOrigin, agent_queue: str | None
    ) -> None:
        self._requests = requests
        self._location = location
        self._agent_queue = agent_queue

    def _relay(self, api: DagsterCloudApi, arguments: Any) -> str:
        """The host's own instance is left out: the agent puts its own there, and the host's is no one's business."""
        if getattr(arguments, "instance_ref", None) is not None:
            arguments = replace(arguments, instance_ref=None)
        return self._requests.ask(api, arguments, self._agent_queue)

    def execution_plan_snapshot(self, execution_plan_snapshot_args: Any) -> str:
        return self._relay(DagsterCloudApi.GET_EXTERNAL_EXECUTION_PLAN, execution_plan_snapshot_args)

    async def gen_execution_plan_snapshot(self, execution_plan_snapshot_args: Any) -> str:
        return await asyncio.to_thread(self.execution_plan_snapshot, execution_plan_snapshot_args)

    def external_pipeline_subset(self, pipeline_subset_snapshot_args: Any) -> str:
        return self._relay(DagsterCloudApi.GET_SUBSET_EXTERNAL_PIPELINE_RESULT, pipeline_subset_snapshot_args)

    async def gen_external_pipeline_subset(self, pipeline_subset_snapshot_args: Any) -> str:
        return await asyncio.to_thread(self.external_pipeline_subset, pipeline_subset_snapshot_args)

    def external_partition_config(self, partition_args: Any) -> str:
        return self._relay(DagsterCloudApi.GET_EXTERNAL_PARTITION_CONFIG, partition_args)

    def external_partition_tags(self, partition_args: Any) -> str:
        return self._relay(DagsterCloudApi.GET_EXTERNAL_PARTITION_TAGS, partition_args)

    def external_partition_names(self, partition_names_args: Any) -> str:
        return self._relay(DagsterCloudApi.GET_EXTERNAL_PARTITION_NAMES, partition_names_args)

    def external_partition_set_execution_params(self, partition_set_execution_param_args: Any) -> str:
        return self._relay(
            DagsterCloudApi.GET_EXTERNAL_PARTITION_SET_EXECUTION_PARAM_DATA, partition_set_execution_param_args
        )

    def external_schedule_execution(self, external_schedule_execution_args: Any) -> str:
        return self._relay(DagsterCloudApi.GET_EXTERNAL_SCHEDULE_EXECUTION_DATA, external_schedule_execution_args)

    def external_sensor_execution(self, sensor_execution_args: Any, custom_timeout_message: str | None = None) -> str:
        return self._relay(DagsterCloudApi.GET_EXTERNAL_SENSOR_EXECUTION_DATA, sensor_execution_args)

    def external_notebook_data(self, notebook_path: str) -> bytes:
        arguments = NotebookPathArgs(code_location_origin=self._location, notebook_path=notebook_path)
        return self._relay(DagsterCloudApi.GET_EXTERNAL_NOTEBOOK_DATA, arguments).encode()

    def refreshed_component_state(self, defs_state_keys: Sequence[str]) -> DefsStateInfo:
        """The state of components after it was fetched anew. Raises ``DagsterCodeLocationLoadError`` when it could not.

        Not ``refresh_component_state``: that of the base class answers in gRPC's own messages.
        """
        name = self._location.location_name
        arguments = RefreshComponentStateArgs(location_name=name, defs_state_keys=list(defs_state_keys))
        answer = deserialize_value(
            self._relay(DagsterCloudApi.REFRESH_COMPONENT_STATE, arguments), (DefsStateInfo, SerializableErrorInfo)
        )
        if isinstance(answer, SerializableErrorInfo):
            message = f"The state of components of {name} could not be fetched: {answer.message}"
            raise DagsterCodeLocationLoadError(message, load_error_infos=[answer])  # type: ignore[no-untyped-call]
        return answer


class AgentCodeLocation(GrpcServerCodeLocation):
    """A loaded location.

    The base class is not initialized: it connects to a code server and fetches what here comes from the upload. What
    it would have set and its methods read is set instead.
    """

    def __init__(
        self,
        name: str,
        manifest: DagsterCloudCodeLocationManifest,
        snapshots: SnapshotStore,
        requests: AgentRequests,
        instance: DagsterInstance,
    ) -> None:
        self._origin = RegisteredCodeLocationOrigin(name)
        self._instance = instance
        self._snapshots = snapshots
        self._relay = RelayClient(requests, self._origin, manifest.code_location_deploy_data.agent_queue)
        self.client = self._relay
        self.grpc_server_registry = None
        self._heartbeat_shutdown_event = self._heartbeat_thread = None
        self._server_id = str(uuid4())
        self._host, self._port, self._socket, self._use_ssl = "agent", None, None, False
        self._executable_path = manifest.executable_path
        self._container_image = manifest.container_image
        self._container_context = manifest.code_location_deploy_data.container_context
        self._entry_point: Sequence[str] | None = None
        self._dagster_library_versions = manifest.dagster_library_versions
        self._repository_code_pointer_dict = {
            repository.name: repository.code_pointer for repository in manifest.repositories
        }
        self.repository_names = set(self._repository_code_pointer_dict)
        self.remote_repositories = {
            repository.name: self._repository(repository.name, repository.stored_snapshot.uri)
            for repository in manifest.repositories
        }

    def _repository(self, name: str, uri: str) -> RemoteRepository:
        return RemoteRepository(
            deserialize_value(self._snapshots.read(uri), RepositorySnap),
            RepositoryHandle.from_location(repository_name=name, code_location=self),
            auto_materialize_use_sensors=self._instance.auto_materialize_use_sensors,
            ref_to_data_fn=self._job_data,
        )

    def _job_data(self, job: JobRefSnap) -> JobDataSnap:
        parent = job.parent_snapshot_id
        return JobDataSnap(
            name=job.name,
            job=self._job_snapshot(job.snapshot_id),
            parent_job=self._job_snapshot(parent) if parent and self._snapshots.has_job(parent) else None,
            active_presets=job.active_presets,
        )

    def _job_snapshot(self, snapshot_id: str) -> JobSnap:
        return deserialize_value(self._snapshots.job(snapshot_id), JobSnap)

    def refresh_component_state(self, defs_state_keys: Sequence[str]) -> DefsStateInfo:
        """See ``RelayClient.refreshed_component_state``."""
        return self._relay.refreshed_component_state(defs_state_keys)

    @property
    def is_reload_supported(self) -> bool:
        """The UI offers it; ``AgentWorkspace.reload_code_location`` does it."""
        return True
