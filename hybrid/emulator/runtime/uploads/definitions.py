"""Definitions that agents upload: directly (each snapshot to a URL it is given) and in one piece (legacy).

Rests on ``client`` (dagster_cloud/workspace/user_code_launcher/user_code_launcher.py). Directly:
``GET /check_snapshot`` → PUT to the URL it gives → ``PUT /confirm_upload``, for each snapshot; then
``PUT /code_location_update_result``, answered with the jobs that are still missing, and again when they are there.
In one piece (``direct_snapshot_uploads: false``): ``PUT /upload_workspace_entry``, missing jobs by
``PUT /upload_job_snapshot``, and the first again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol
from uuid import uuid4

from dagster._core.definitions.selector import JobSelector
from dagster._core.remote_representation.external_data import (
    RepositorySnap,
    extract_serialized_job_snap_from_serialized_job_data_snap,
)
from dagster._serdes import deserialize_value, pack_value, serialize_value
from dagster_cloud.api.dagster_cloud_api import (
    CheckSnapshotResult,
    ConfirmUploadResult,
    DagsterCloudCodeLocationManifest,
    DagsterCloudCodeLocationUpdateResponse,
    DagsterCloudCodeLocationUpdateResult,
    DagsterCloudRepositoryManifest,
    DagsterCloudUploadWorkspaceEntry,
    DagsterCloudUploadWorkspaceResponse,
    SnapshotType,
    SnapshotUploadData,
)
from dagster_cloud_cli.core.workspace import CodeLocationDeployData
from dagster_shared.error import SerializableErrorInfo
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute

from hybrid.emulator.presigned import Signer
from hybrid.emulator.runtime.uploads.body import (
    RefusedUpload,
    file_part,
    read_packed,
    read_value,
    unpack_text,
)
from hybrid.emulator.runtime.uploads.endpoint import PRESIGNED, deployment_of, one_of, route
from hybrid.emulator.runtime.uploads.snapshots import FORMATS, TYPES, SnapshotStore

PUT_PATH: Final = "/presigned/snapshot"


class LocationRecords(Protocol):
    """What uploads need of the organization's locations."""

    def get(self, deployment: str, name: str) -> Any: ...
    def record_loaded(self, deployment: str, name: str, manifest: str) -> Any: ...
    def record_failed(self, deployment: str, name: str, error: str) -> Any: ...


class DefinitionUploads:
    """The endpoints. ``uploaded(deployment)`` is called after a record of the deployment's locations changed."""

    def __init__(
        self,
        snapshots: SnapshotStore,
        locations: LocationRecords,
        signer: Signer,
        uploaded: Callable[[str], object],
    ) -> None:
        self._snapshots = snapshots
        self._locations = locations
        self._signer = signer
        self._uploaded = uploaded

    def routes(self) -> Sequence[BaseRoute]:
        return [
            route("/check_snapshot", "GET", "check_snapshot", self._check),
            route(PUT_PATH, "PUT", f"{PRESIGNED}snapshot", self._put),
            route("/confirm_upload", "PUT", "confirm_upload", self._confirm),
            route("/code_location_update_result", "PUT", "code_location_update_result", self._update_result),
            route("/upload_workspace_entry", "PUT", "upload_workspace_entry", self._workspace_entry),
            route("/upload_job_snapshot", "PUT", "upload_job_snapshot", self._job_snapshot),
        ]

    # -- directly -----------------------------------------------------------------------------------------------------

    def _check(self, request: Request, _body: bytes) -> Response:
        query = request.query_params
        kind, sha1 = one_of(query.get("type"), TYPES, "type"), query.get("sha1", "")
        stored = self._snapshots.find(kind, sha1)
        if stored:
            return JSONResponse(pack_value(CheckSnapshotResult(stored_snapshot=stored, upload_data=None)))
        form = next((form for form in query.getlist("formats") if form in FORMATS), None)
        if form is None:
            raise RefusedUpload(400, f"formats names none of {', '.join(FORMATS)}.")
        permitted = self._signer.query(PUT_PATH, {"type": kind, "sha1": sha1, "format": form})
        upload = SnapshotUploadData(
            sha1=sha1,
            format=form,
            uri=self._snapshots.uri(kind, sha1),
            presigned_put_url=f"{origin(request)}{PUT_PATH}?{permitted}",
            id=str(uuid4()),
            type=kind,
        )
        return JSONResponse(pack_value(CheckSnapshotResult(stored_snapshot=None, upload_data=upload)))

    def _put(self, request: Request, body: bytes) -> Response:
        query = request.query_params
        if not self._signer.permits(PUT_PATH, query):
            raise RefusedUpload(403, "The URL is not one that was given out, or it has expired.")
        self._snapshots.put(query["type"], query["sha1"], query["format"], body)
        return Response(status_code=200)

    def _confirm(self, _request: Request, body: bytes) -> Response:
        upload = read_packed(body, SnapshotUploadData)
        stored = self._snapshots.find(one_of(upload.type, TYPES, "type"), upload.sha1)
        if stored is None:
            raise RefusedUpload(400, f"Nothing was uploaded for the {upload.type} snapshot {upload.sha1}.")
        return JSONResponse(pack_value(ConfirmUploadResult(stored_snapshot=stored)))

    def _update_result(self, request: Request, body: bytes) -> Response:
        result = read_packed(body, DagsterCloudCodeLocationUpdateResult)
        missing: list[JobSelector] = []
        if result.error_snapshot:
            self._failed(request, result.location_name, self._snapshots.read(result.error_snapshot.uri))
        elif result.manifest:
            missing = self._loaded(request, result.location_name, result.manifest)
        else:
            raise RefusedUpload(400, "The result has neither definitions nor an error.")
        response = DagsterCloudCodeLocationUpdateResponse(
            updated=not missing, message=_message(missing), missing_job_snapshots=missing or None
        )
        return JSONResponse(pack_value(response))

    # -- in one piece ----------------------------------------------------------------------------------------------

    def _workspace_entry(self, request: Request, body: bytes) -> Response:
        text = unpack_text(file_part(request.headers.get("content-type", ""), body, "workspace_entry.tmp"))
        entry = read_value(text, DagsterCloudUploadWorkspaceEntry)
        missing: list[JobSelector] = []
        if entry.serialized_error_info:
            self._failed(request, entry.location_name, serialize_value(entry.serialized_error_info))
        else:
            missing = self._loaded(request, entry.location_name, self._manifest(entry))
        response = DagsterCloudUploadWorkspaceResponse(
            updated=not missing, message=_message(missing), missing_job_snapshots=missing or None
        )
        return PlainTextResponse(serialize_value(response))

    def _manifest(self, entry: DagsterCloudUploadWorkspaceEntry) -> DagsterCloudCodeLocationManifest:
        data = entry.upload_location_data
        if data is None:
            raise RefusedUpload(400, "The workspace entry has neither definitions nor an error.")
        return DagsterCloudCodeLocationManifest(
            repositories=[
                DagsterCloudRepositoryManifest(
                    name=repository.repository_name,
                    code_pointer=repository.code_pointer,
                    stored_snapshot=self._snapshots.add(SnapshotType.REPOSITORY, repository.serialized_repository_data),
                )
                for repository in data.upload_repository_datas
            ],
            container_image=data.container_image,
            executable_path=data.executable_path,
            dagster_library_versions=data.dagster_library_versions,
            code_location_deploy_data=entry.code_location_deploy_data,
        )

    def _job_snapshot(self, request: Request, body: bytes) -> Response:
        text = unpack_text(file_part(request.headers.get("content-type", ""), body, "job.tmp"))
        try:
            snapshot = extract_serialized_job_snap_from_serialized_job_data_snap(text)
        except Exception as error:  # the only sign that the function gives of a text it cannot read
            raise RefusedUpload(400, f"The body is not a serialized JobDataSnap: {error}") from error
        self._snapshots.add(SnapshotType.JOB, snapshot)
        return PlainTextResponse("ok")

    # -- both -----------------------------------------------------------------------------------------------------

    def _loaded(self, request: Request, name: str, manifest: DagsterCloudCodeLocationManifest) -> list[JobSelector]:
        """Record the location as loaded unless jobs are missing; returns those."""
        missing = self._missing_jobs(name, manifest)
        deployment = deployment_of(request)
        if not missing and self._is_current(deployment, name, manifest.code_location_deploy_data):
            self._locations.record_loaded(deployment, name, serialize_value(manifest))
            self._uploaded(deployment)
        return missing

    def _failed(self, request: Request, name: str, error: str) -> None:
        read_value(error, SerializableErrorInfo)
        deployment = deployment_of(request)
        if self._locations.get(deployment, name) is not None:
            self._locations.record_failed(deployment, name, error)
            self._uploaded(deployment)

    def _missing_jobs(self, name: str, manifest: DagsterCloudCodeLocationManifest) -> list[JobSelector]:
        missing = []
        for repository in manifest.repositories:
            definitions = read_value(self._snapshots.read(repository.stored_snapshot.uri), RepositorySnap)
            missing += [
                JobSelector(location_name=name, repository_name=repository.name, job_name=job.name)
                for job in definitions.job_refs or ()
                if not self._snapshots.has_job(job.snapshot_id)
            ]
        return missing

    def _is_current(self, deployment: str, name: str, uploaded: CodeLocationDeployData) -> bool:
        """Whether the location is still deployed as it was uploaded: not deleted, not deployed anew meanwhile."""
        record = self._locations.get(deployment, name)
        return record is not None and deserialize_value(record.metadata, CodeLocationDeployData) == uploaded


def origin(request: Request) -> str:
    """Scheme and authority by which the client reached us: it may be in a container, where another host is ours."""
    return f"{request.url.scheme}://{request.url.netloc}"


def _message(missing: Sequence[JobSelector]) -> str:
    return f"waiting for {len(missing)} job snapshots" if missing else "updated"
