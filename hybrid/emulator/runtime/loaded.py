"""The runtime with everything imported; ``hybrid.emulator.runtime`` imports it when it is loaded."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from dagster_cloud.api.dagster_cloud_api import DagsterCloudApiErrorResponse
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from hybrid.emulator.presigned import Signer
from hybrid.emulator.runtime import heartbeat, location_document, storage_sdl
from hybrid.emulator.runtime.bridge import Bridge, storage_resolvers
from hybrid.emulator.runtime.compute_logs import LogUploads, UploadedComputeLogs
from hybrid.emulator.runtime.deployment import LOGS_FOLDER, STORAGE_FOLDER, DeploymentRuntime, OrganizationParts
from hybrid.emulator.runtime.insights import DeploymentInsights
from hybrid.emulator.runtime.launcher import run_of_launch
from hybrid.emulator.runtime.uploads.answers import Answers
from hybrid.emulator.runtime.uploads.definitions import DefinitionUploads
from hybrid.emulator.runtime.uploads.snapshots import SnapshotStore

if TYPE_CHECKING:
    from hybrid.emulator.organization import AgentRequest, Deployment

DEPLOYMENTS_FOLDER: Final = "deployments"
_log = logging.getLogger(__name__)


class LoadedRuntime:
    """See ``hybrid.emulator.seam.Runtime``.

    Full deployments are opened at once, so that their daemons run; a branch deployment when it is first asked for, or
    right after loading if it was open before: what is turned on in it has to go on.
    """

    def __init__(self, data: Path, organization: OrganizationParts, signer: Signer) -> None:
        self._organization = organization
        self._folder = data / DEPLOYMENTS_FOLDER
        self._snapshots = SnapshotStore(data / "blobs")
        self._opened: dict[str, DeploymentRuntime] = {}
        self._lock = threading.RLock()
        first = organization.deployments.all()[0]
        self._first = first.name
        _adopt_former_layout(data, self._folder / str(first.id))
        uploads = DefinitionUploads(self._snapshots, organization.locations, signer, self._uploaded)
        answers = Answers(lambda name: self.of(name).bridge, organization.requests, self._refused)
        self.resolvers: Mapping[str, Mapping[str, Callable[..., Any]]] = storage_resolvers(self._bridge_of)
        self.routes: Sequence[BaseRoute] = [
            *uploads.routes(),
            *answers.routes(),
            *LogUploads(self._logs_of, signer).routes(),
        ]
        for deployment in organization.deployments.full():
            self.of(deployment.name)
        self.oss_root_fields = self.of(self._first).web.root_fields
        organization.requests.ask_before_launching(self._still_wanted)
        organization.deployments.when_changed(self._changed)
        organization.settings.when_changed(self._changed)
        organization.deployments.when_deleted(self._deleted)
        threading.Thread(target=self._reopen_branches, name="reopen-branches", daemon=True).start()

    def of(self, name: str) -> DeploymentRuntime:
        """The runtime of the deployment of that name. Raises ``LookupError`` when there is none."""
        found = self._opened.get(name)
        if found is not None:
            return found
        with self._lock:
            deployment = self._organization.deployments.named(name)
            if deployment is None:
                raise LookupError(f"There is no deployment '{name}'.")
            if name not in self._opened:
                prefix = "" if name == self._first else f"/{name}"
                folder = self._folder / str(deployment.id)
                self._opened[name] = DeploymentRuntime(folder, deployment, self._organization, self._snapshots, prefix)
            return self._opened[name]

    @property
    def sdl(self) -> str:
        return storage_sdl()

    def web(self, deployment: str) -> ASGIApp:
        return self.of(deployment).web.app

    def execute_oss(
        self, deployment: str, query: str, variables: Mapping[str, Any] | None, operation_name: str | None
    ) -> Mapping[str, Any]:
        return self.of(deployment).web.execute(query, variables, operation_name)

    def validate_document(self, document: Mapping[str, Any]) -> list[str]:
        return location_document.validate_document(document)

    def deploy_metadata(self, document: Mapping[str, Any], environment: Mapping[str, str]) -> str:
        return location_document.deploy_metadata(document, environment)

    def insights(self, deployment: str) -> DeploymentInsights:
        return self.of(deployment).insights

    def read_heartbeat(self, serialized: str) -> heartbeat.HeartbeatView:
        return heartbeat.read_heartbeat(serialized)

    def read_error(self, serialized: str) -> heartbeat.ErrorView:
        return heartbeat.read_error(serialized)

    def location_changed(self, deployment: str, name: str) -> None:
        self.of(deployment).location_changed(name)

    def ping(self, deployment: str, location: str) -> None:
        self.of(deployment).ping(location)

    def close(self) -> None:
        with self._lock:
            for opened in self._opened.values():
                opened.close()

    def _bridge_of(self, context: Mapping[str, Any]) -> Bridge:
        return self.of(context["deployment"].name).bridge

    def _logs_of(self, deployment: str) -> UploadedComputeLogs:
        return self.of(deployment).logs

    def _uploaded(self, deployment: str) -> None:
        """Build what was uploaded at once, in the agent's request, not in somebody's first look at it."""
        self.of(deployment).workspace.current()

    def _refused(self, deployment: str, request_id: str, api: str, answer: DagsterCloudApiErrorResponse) -> None:
        self.of(deployment).launcher.refused(request_id, api, answer)

    def _still_wanted(self, request: AgentRequest) -> bool:
        """Whether a run is still to be launched: one that was ended, or deleted, before an agent came is not."""
        run_id = run_of_launch(request.id)
        return run_id is None or self.of(request.deployment).launcher.awaits_launch(run_id)

    def _changed(self, deployment: Deployment) -> None:
        opened = self._opened.get(deployment.name)
        if opened is not None:
            opened.configure(deployment)
        elif not deployment.is_branch:
            self.of(deployment.name)

    def _deleted(self, deployment: Deployment) -> None:
        with self._lock:
            opened = self._opened.pop(deployment.name, None)
        if opened is not None:
            opened.delete()

    def _reopen_branches(self) -> None:
        for deployment in self._organization.deployments.branches():
            if (self._folder / str(deployment.id)).is_dir():
                try:
                    self.of(deployment.name)
                except LookupError:
                    continue  # deleted meanwhile
                except Exception:  # one that cannot be opened must not keep the others from going on
                    _log.exception("The branch deployment %s cannot be opened.", deployment.name)


def _adopt_former_layout(data: Path, first: Path) -> None:
    """Folders that a version with one deployment made lie beside the database; they are the first deployment's.

    Each is moved by one rename, the storage last: it is the one that counts, and a process killed in between goes on
    at the next start.
    """
    first.mkdir(parents=True, exist_ok=True)
    for name in (LOGS_FOLDER, STORAGE_FOLDER):
        former = data / name
        if former.is_dir() and not (first / name).exists():
            former.rename(first / name)
