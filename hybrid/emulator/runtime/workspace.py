"""The workspace of the stock UI, daemons and GraphQL: the organization's locations as Dagster's own code locations."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from dagster import __version__ as dagster_version
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.remote_origin import RegisteredCodeLocationOrigin
from dagster._core.workspace.context import IWorkspaceProcessContext, WorkspaceRequestContext
from dagster._core.workspace.workspace import (
    CodeLocationEntry,
    CodeLocationLoadStatus,
    CurrentWorkspace,
    DefinitionsSource,
)
from dagster._serdes import deserialize_value
from dagster._utils.error import serializable_error_info_from_exc_info
from dagster_cloud.api.dagster_cloud_api import DagsterCloudCodeLocationManifest
from dagster_shared.error import SerializableErrorInfo

from hybrid.emulator.runtime.code_location import AgentCodeLocation

if TYPE_CHECKING:
    from dagster import DagsterInstance
    from dagster_shared.serdes.objects.models.defs_state_info import DefsStateInfo

    from hybrid.emulator.runtime.agent_requests import AgentRequests
    from hybrid.emulator.runtime.uploads.snapshots import SnapshotStore


class LocationRecords(Protocol):
    """What the workspace needs of the organization's locations."""

    def all(self, deployment: str) -> Sequence[Any]: ...
    def get(self, deployment: str, name: str) -> Any: ...
    def put(self, deployment: str, document: dict[str, Any], metadata: str) -> Any: ...


class AgentWorkspace(IWorkspaceProcessContext[WorkspaceRequestContext]):
    """Follows the organization's locations: each request sees them as they are, built anew only where they changed.

    Reload in the UI puts the location's document again, of which ``announce(name)`` tells the agents (``client``: a
    new metadata timestamp makes the agent start a new code server).
    """

    def __init__(
        self,
        instance: DagsterInstance,
        locations: LocationRecords,
        snapshots: SnapshotStore,
        requests: AgentRequests,
        deployment: str,
        announce: Callable[[str], None],
    ) -> None:
        self._instance = instance
        self._locations = locations
        self._snapshots = snapshots
        self._requests = requests
        self._deployment = deployment
        self._announce = announce
        self._lock = threading.Lock()
        self._records: Sequence[Any] = ()
        self._built: dict[str, tuple[str, AgentCodeLocation]] = {}
        self._current = CurrentWorkspace({})

    @property
    def instance(self) -> DagsterInstance:
        return self._instance

    @property
    def version(self) -> str:
        return dagster_version

    def create_request_context(self, source: Any | None = None) -> WorkspaceRequestContext:
        return WorkspaceRequestContext(
            instance=self._instance,
            current_workspace=self.current(),
            process_context=self,
            version=self.version,
            source=source,
            read_only=False,
        )

    def current(self) -> CurrentWorkspace:
        """The workspace as it is now; the same object, with its asset graph, until a location changes."""
        records = self._locations.all(self._deployment)
        if records is self._records or records == self._records:
            return self._current
        with self._lock:
            entries = {record.name: self._entry(record) for record in records}
            self._built = {name: built for name, built in self._built.items() if name in entries}
            self._current = CurrentWorkspace(entries)
            self._records = records
            return self._current

    def reload_code_location(self, name: str) -> None:
        record = self._locations.get(self._deployment, name)
        if record is not None:
            self._locations.put(self._deployment, record.document, record.metadata)
            self._announce(name)

    def reload_workspace(self) -> None:
        for record in self._locations.all(self._deployment):
            self.reload_code_location(record.name)

    def refresh_component_state(self, name: str, defs_state_keys: Sequence[str]) -> DefsStateInfo:
        location = self.current().code_location_entries[name].code_location
        if not isinstance(location, AgentCodeLocation):
            raise DagsterUserCodeUnreachableError(f"The code location {name} is not loaded; nothing can be refreshed.")
        return location.refresh_component_state(defs_state_keys)

    def refresh_workspace(self) -> None:
        """Nothing to do: ``current`` follows the records."""

    def _entry(self, record: Any) -> CodeLocationEntry:
        error = deserialize_value(record.error, SerializableErrorInfo) if record.error else None
        location = None
        if error is None:
            try:
                location = self._location(record)
            except Exception:  # definitions that cannot be read are their location's error, not everybody's
                error = serializable_error_info_from_exc_info(sys.exc_info())
        return CodeLocationEntry(
            origin=RegisteredCodeLocationOrigin(record.name),
            code_location=location,
            load_error=error,
            load_status=CodeLocationLoadStatus.LOADING if record.outdated else CodeLocationLoadStatus.LOADED,
            display_metadata=_display_metadata(record.document),
            update_timestamp=record.uploaded_timestamp or record.metadata_timestamp,
            version_key=f"{record.metadata_timestamp}:{record.uploaded_timestamp}",
            definitions_source=DefinitionsSource.CODE_SERVER,
        )

    def _location(self, record: Any) -> AgentCodeLocation | None:
        """The definitions of the last good upload, also while a new one is on its way."""
        if record.manifest is None:
            return None
        version = f"{record.uploaded_timestamp}:{record.manifest}"
        built = self._built.get(record.name)
        if built is None or built[0] != version:
            manifest = deserialize_value(record.manifest, DagsterCloudCodeLocationManifest)
            location = AgentCodeLocation(record.name, manifest, self._snapshots, self._requests, self._instance)
            built = self._built[record.name] = (version, location)
        return built[1]


def _display_metadata(document: dict[str, Any]) -> dict[str, str]:
    """What the UI lists beside a location, in Dagster's own keys."""
    source = document.get("code_source") or {}
    shown = {
        "image": document.get("image"),
        "python_file": source.get("python_file"),
        "package_name": source.get("package_name"),
        "module_name": source.get("module_name"),
        "autoload_defs_module_name": source.get("autoload_defs_module_name"),
        "working_directory": document.get("working_directory"),
        "executable_path": document.get("executable_path"),
        "attribute": document.get("attribute"),
        "agent_queue": document.get("agent_queue"),
    }
    return {name: str(value) for name, value in shown.items() if value}
