"""The runtime with everything imported; ``hybrid.emulator.runtime`` imports it when it is loaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from dagster_cloud.api.dagster_cloud_api import DagsterCloudApi
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from hybrid.emulator.runtime import heartbeat, location_document, storage_sdl
from hybrid.emulator.runtime.agent_requests import AgentRequests
from hybrid.emulator.runtime.bridge import Bridge, storage_resolvers
from hybrid.emulator.runtime.compute_logs import LogUploads, UploadedComputeLogs
from hybrid.emulator.runtime.daemons import Daemons
from hybrid.emulator.runtime.instance import make_instance
from hybrid.emulator.runtime.launcher import AgentRunLauncher
from hybrid.emulator.runtime.presigned import Signer
from hybrid.emulator.runtime.storage import open_storages
from hybrid.emulator.runtime.uploads.answers import Answers
from hybrid.emulator.runtime.uploads.definitions import DefinitionUploads
from hybrid.emulator.runtime.uploads.snapshots import SnapshotStore
from hybrid.emulator.runtime.web import Web
from hybrid.emulator.runtime.workspace import AgentWorkspace


class OrganizationParts(Protocol):
    """What the runtime needs of the organization (``hybrid.emulator.organization.Organization`` has it)."""

    @property
    def locations(self) -> Any: ...
    @property
    def requests(self) -> Any: ...


class LoadedRuntime:
    """See ``hybrid.emulator.seam.Runtime``."""

    def __init__(self, data: Path, organization: OrganizationParts, deployment: str) -> None:
        self._organization = organization
        self._deployment = deployment
        self._requests = AgentRequests(organization.requests, deployment)
        self.storages = open_storages(data / "storage")
        logs = UploadedComputeLogs(str(data / "compute_logs"))
        launcher = AgentRunLauncher(self._requests, self._agent_queue_of)
        self.instance = make_instance(self.storages, logs, launcher)
        snapshots = SnapshotStore(data / "blobs")
        self._workspace = AgentWorkspace(
            self.instance, organization.locations, snapshots, self._requests, deployment, self.location_changed
        )
        bridge = Bridge(self.instance, self.storages, self._workspace.create_request_context)
        signer = Signer(data / "presigning-key")
        # What was uploaded is built at once, in the agent's request, not in somebody's first look at it.
        uploads = DefinitionUploads(snapshots, organization.locations, signer, deployment, self._workspace.current)
        answers = Answers(bridge, organization.requests, launcher.refused)
        self.resolvers: Mapping[str, Mapping[str, Callable[..., Any]]] = storage_resolvers(bridge)
        self.routes: Sequence[BaseRoute] = [
            *uploads.routes(),
            *answers.routes(),
            *LogUploads(logs, signer).routes(),
        ]
        self._web = Web(self._workspace)
        self._daemons = Daemons(self._workspace)
        self._daemons.start()

    @property
    def sdl(self) -> str:
        return storage_sdl()

    @property
    def web(self) -> ASGIApp:
        return self._web.app

    @property
    def oss_root_fields(self) -> Mapping[str, frozenset[str]]:
        return self._web.root_fields

    def execute_oss(
        self, query: str, variables: Mapping[str, Any] | None, operation_name: str | None
    ) -> Mapping[str, Any]:
        return self._web.execute(query, variables, operation_name)

    def validate_document(self, document: Mapping[str, Any]) -> list[str]:
        return location_document.validate_document(document)

    def deploy_metadata(self, document: Mapping[str, Any], deployment: str) -> str:
        return location_document.deploy_metadata(document, deployment)

    def read_heartbeat(self, serialized: str) -> heartbeat.HeartbeatView:
        return heartbeat.read_heartbeat(serialized)

    def read_error(self, serialized: str) -> heartbeat.ErrorView:
        return heartbeat.read_error(serialized)

    def location_changed(self, name: str) -> None:
        """Tell the location's agents to look at once; one that was deleted they see within 5 s by themselves."""
        self._requests.hand_over(DagsterCloudApi.CHECK_FOR_WORKSPACE_UPDATES, None, self._agent_queue_of(name))
        self._workspace.current()

    def close(self) -> None:
        self._daemons.close()
        self.instance.dispose()
        self.storages.dispose()

    def _agent_queue_of(self, name: str) -> str | None:
        record = self._organization.locations.get(self._deployment, name)
        queue = record.document.get("agent_queue") if record else None
        return str(queue) if queue else None
