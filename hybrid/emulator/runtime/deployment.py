"""What Dagster keeps and runs for one deployment: storages, workspace, launcher, daemons and the stock UI."""

from __future__ import annotations

import functools
import logging
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from dagster_cloud.api.dagster_cloud_api import DagsterCloudApi

from hybrid.emulator.runtime.agent_requests import AgentRequests
from hybrid.emulator.runtime.bridge import Bridge
from hybrid.emulator.runtime.compute_logs import UploadedComputeLogs
from hybrid.emulator.runtime.daemons import Daemons
from hybrid.emulator.runtime.heartbeat import worker_state
from hybrid.emulator.runtime.insights import DeploymentInsights
from hybrid.emulator.runtime.instance import apply_settings, make_instance
from hybrid.emulator.runtime.launcher import AgentRunLauncher
from hybrid.emulator.runtime.storage import open_storages
from hybrid.emulator.runtime.web import Web
from hybrid.emulator.runtime.workspace import AgentWorkspace

if TYPE_CHECKING:
    from hybrid.emulator.organization import Deployment
    from hybrid.emulator.runtime.uploads.snapshots import SnapshotStore

STORAGE_FOLDER: Final = "storage"
LOGS_FOLDER: Final = "compute_logs"
_log = logging.getLogger(__name__)


class OrganizationParts(Protocol):
    """What the runtime needs of the organization (``hybrid.emulator.organization.Organization`` has it)."""

    @property
    def agents(self) -> Any: ...
    @property
    def deployments(self) -> Any: ...
    @property
    def locations(self) -> Any: ...
    @property
    def requests(self) -> Any: ...
    @property
    def settings(self) -> Any: ...


class DeploymentRuntime:
    """Dagster for one deployment, over ``folder``. Its daemons run from the start until ``close``."""

    def __init__(
        self,
        folder: Path,
        deployment: Deployment,
        organization: OrganizationParts,
        snapshots: SnapshotStore,
        path_prefix: str,
    ) -> None:
        self.name = deployment.name
        self._folder = folder
        self._organization = organization
        self._path_prefix = path_prefix
        folder.mkdir(parents=True, exist_ok=True)
        self.requests = AgentRequests(organization.requests, self.name)
        self.storages = open_storages(folder / STORAGE_FOLDER)
        self.logs = UploadedComputeLogs(str(folder / LOGS_FOLDER))
        self.launcher = AgentRunLauncher(self.requests, self._agent_queue_of, self._worker_state)
        settings = organization.settings.in_effect(deployment)
        self.instance = make_instance(self.storages, self.logs, self.launcher, settings)
        self.workspace = AgentWorkspace(
            self.instance, organization.locations, snapshots, self.requests, self.name, self.location_changed
        )
        self.bridge = Bridge(self.instance, self.storages, self.workspace.create_request_context)
        self.insights = DeploymentInsights(self.storages, self.workspace.create_request_context)
        self._daemons = Daemons(self.workspace)
        self._daemons.start()

    @functools.cached_property
    def web(self) -> Web:
        """The stock UI and GraphQL, made when they are first asked."""
        return Web(self.workspace, self._path_prefix)

    def location_changed(self, name: str) -> None:
        """Tell the location's agents to look at once; one that was deleted they see within 5 s by themselves."""
        self.requests.hand_over(DagsterCloudApi.CHECK_FOR_WORKSPACE_UPDATES, None, self._agent_queue_of(name))
        self.workspace.current()

    def configure(self, deployment: Deployment) -> None:
        """The deployment's settings changed; what runs goes on by the new ones."""
        apply_settings(self.instance, self._organization.settings.in_effect(deployment))
        self._daemons.follow()

    def ping(self, location: str) -> None:
        """Ask the location's agent for a sign of its code server; raises what Dagster raises when none comes."""
        self.requests.ping(location, self._agent_queue_of(location))

    def close(self) -> None:
        self._daemons.close()
        self.instance.dispose()
        self.storages.dispose()

    def delete(self) -> None:
        """Close it and remove all it kept."""
        self.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _agent_queue_of(self, name: str) -> str | None:
        record = self._organization.locations.get(self.name, name)
        queue = record.document.get("agent_queue") if record else None
        return str(queue) if queue else None

    def _worker_state(self, run_id: str, agent_id: str | None) -> tuple[str, str | None] | None:
        """A run worker's status and message as the agents that run say it; ``agent_id`` has launched it."""
        agents = self._organization.agents
        now = agents.now()
        running = [record for record in agents.all(self.name) if record.status(now) == "RUNNING"]
        launcher = next((record.report.run_workers for record in running if record.report.id == agent_id), None)
        return worker_state((record.report.run_workers for record in running), run_id, launcher)
